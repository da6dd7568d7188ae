"""`python -m flows` is the same as `retrain`."""

import sys

from flows.command_line import main

if __name__ == "__main__":
    sys.exit(main())
