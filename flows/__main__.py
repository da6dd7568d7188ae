"""`python -m flows` is the same as `retrain`."""

import sys

from flows.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
