"""On PYTHONPATH of a process under test, this folder makes Python import `sitecustomize` before anything else."""
