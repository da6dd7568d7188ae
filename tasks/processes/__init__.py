"""Child processes: start them, speak with them, end them."""
