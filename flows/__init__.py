"""What runs, in what order: the nightly flow and the command line.

Its import puts the project's folder first on the path. So no other `tasks`, `storage` or `reports` is taken for the
project's, whatever PYTHONPATH and the working folder hold.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
