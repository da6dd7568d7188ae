"""Ask a champion, or any trained model, about texts: from Python, from the command, and from files.

>>> from tasks.prediction import load_champion  # doctest: +SKIP
>>> load_champion().predict(["A fine film"])  # doctest: +SKIP
"""

from tasks.prediction.loading import load_champion, load_model
from tasks.prediction.predictor import Predictor

__all__ = ["Predictor", "load_champion", "load_model"]
