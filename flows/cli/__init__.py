"""The command `retrain`: its options, what it prints, past runs, and Prefect's server for one command."""
