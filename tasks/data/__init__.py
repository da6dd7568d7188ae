"""What the preparing tasks do: fetch, encode, split, pad and profile reviews. Imports neither Prefect nor Keras."""
