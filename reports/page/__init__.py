"""The evidence as sentences, charts and HTML, in English and Korean."""
