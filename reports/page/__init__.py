"""The evidence in words, charts and HTML, in English and Korean."""
