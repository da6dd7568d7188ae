"""The store and its files: archives, Parquet datasets, models, runs and reports."""
