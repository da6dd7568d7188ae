"""Assign a team's reviews to training, validation and test, so that no test review is ever learned from."""
