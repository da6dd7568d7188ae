"""Environment variables that replace trainings by stubs, or let runs send heartbeats more often.

Set them for the process that starts runs. They make Python import `tests/chaos/hook/sitecustomize.py` first.
"""

from __future__ import annotations

import os

from tests.places import PROJECT_ROOT

WITH_HOOK = f"{PROJECT_ROOT / 'tests' / 'chaos' / 'hook'}{os.pathsep}{PROJECT_ROOT}"
# The stub is tests/stub_training_child.py.
STUB = {"STUB_TRAINING": "1", "PYTHONPATH": WITH_HOOK}
# With stubs, only trainings with this seed are real.
REAL_SEED = 7
OFTEN = {"HEARTBEAT_SECONDS": "2", "PYTHONPATH": WITH_HOOK}
