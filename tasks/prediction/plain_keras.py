"""Load and compute a stored network with plain Keras, which is imported only then."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def load_keras_model(content: bytes) -> Any:
    """Return the Keras model of a `model.keras`, loaded in safe mode.

    Args:
        content: The file's bytes, whose SHA-256 is checked.
    """
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        return keras.saving.load_model(path, compile=False, safe_mode=True)  # noqa: TID251 - its SHA-256 is checked


def predict_with_keras(model: Any, tokens: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Return the probabilities for tokens of shape (texts, maxlen): float32, shape (texts,)."""
    said = model.predict(tokens.astype(np.int32), batch_size=1000, verbose=0)
    probabilities: npt.NDArray[np.float32] = np.asarray(said, np.float32)[:, 0]
    return probabilities
