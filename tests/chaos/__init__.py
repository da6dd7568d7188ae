"""Faults done to real processes and real files: what the tests of faults and `make chaos` have in common."""
