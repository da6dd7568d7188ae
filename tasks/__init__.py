"""One module per step: plain functions, and one thin Prefect task at the end of each."""
