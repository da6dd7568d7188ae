"""Child processes: start them, exchange messages with them, and end them."""
