"""`python -m flows` is the same as `retrain`."""

import sys
from pathlib import Path

# `flows` has put the project's folder first. Behind it Python has put the working folder, where a module may have the
# name of a library.
if not sys.flags.safe_path and Path(sys.path[1]).resolve() == Path.cwd() != Path(sys.path[0]):
    del sys.path[1]

from flows.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
