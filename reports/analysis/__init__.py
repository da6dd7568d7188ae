"""Figures and tests, computed from predictions."""
