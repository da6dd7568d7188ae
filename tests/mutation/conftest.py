# It runs in an environment of its own, and has no tests in its docstrings.
collect_ignore = ["mutants.py"]
