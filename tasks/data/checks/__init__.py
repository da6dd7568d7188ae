"""Check a team's reviews before anything is trained on them, and compare them with those of the run before."""
