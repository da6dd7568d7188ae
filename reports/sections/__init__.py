"""What each section of the report says, as records without a language."""
