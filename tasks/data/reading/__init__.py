"""Read files of labelled reviews, whatever wrote them: find format, encoding and columns, and count the records."""
