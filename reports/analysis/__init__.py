"""Figures and statistical tests, computed from predictions."""
