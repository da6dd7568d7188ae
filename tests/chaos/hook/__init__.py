"""If this folder is on a process's PYTHONPATH, Python imports its `sitecustomize` before anything else."""
