"""What Prefect shows as a task: one thin module each. The work is in the folders."""
