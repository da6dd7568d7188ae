"""Faults in real processes and real files, for the tests of faults and for `make chaos`."""
