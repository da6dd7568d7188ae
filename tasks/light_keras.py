"""Keras and TensorFlow, without what Keras imports only because it is installed: 1.6 s and 130 MB of each training."""

from __future__ import annotations

import sys

# Keras tries each and does without where it is missing; None is Python's own mark for a module that must not be found.
_UNUSED = [name for name in ("sklearn", "matplotlib", "pandas") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
try:
    import keras
    import tensorflow
finally:
    for _name in _UNUSED:
        del sys.modules[_name]

__all__ = ["keras", "tensorflow"]
