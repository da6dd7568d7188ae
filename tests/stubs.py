"""How a test lets a stub train in the place of the training child, and lets runs send heartbeats more often.

Variables for the environment of whoever starts runs. They make Python import `tests/chaos/hook/sitecustomize.py` first.
"""

from __future__ import annotations

import os

from tests.places import PROJECT_ROOT

WITH_HOOK = f"{PROJECT_ROOT / 'tests' / 'chaos' / 'hook'}{os.pathsep}{PROJECT_ROOT}"
# See tests/stub_training_child.py.
STUB = {"STUB_TRAINING": "1", "PYTHONPATH": WITH_HOOK}
# Among stubs, a training with this seed is a real one.
REAL_SEED = 7
OFTEN = {"HEARTBEAT_SECONDS": "2", "PYTHONPATH": WITH_HOOK}
