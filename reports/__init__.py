"""From results to one HTML page: records in, rows and HTML out."""
