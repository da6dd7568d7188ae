"""What runs, in what order: the nightly flow and the command line."""
