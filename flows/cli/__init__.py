"""The command `retrain`: its options, what it prints, past runs, and a temporary Prefect server."""
