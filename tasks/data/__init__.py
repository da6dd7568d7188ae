"""Reviews to tokens to Parquet: what the preparing tasks do. Imports neither Prefect nor Keras."""
