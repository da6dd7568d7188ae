"""Small changes to the code, each of which its own tests must notice: `make mutants`."""
