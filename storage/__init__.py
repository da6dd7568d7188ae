"""Where every byte lives: the archive, Parquet datasets, models, runs and reports."""
