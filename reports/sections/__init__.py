"""The data of each section of the report, as records without a language."""
