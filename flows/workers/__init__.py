"""Trainings on many machines: hand them out, train there, check the results."""
