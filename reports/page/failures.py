"""Failed trainings: what each one said last, and what probably caused it."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from reports.page.language import Language
from storage.records import Run

# What Keras calls its recurrent layers and those that stand around them.
LAYERS = ("LSTM", "GRU", "SimpleRNN", "Embedding", "Dense", "Dropout", "Bidirectional", "RNN", "Masking")
SHOWN = 200


class Failure(NamedTuple):
    """One failed training.

    Attributes:
        name: Of the training.
        error: The end of its error, in one line.
        cause: What probably caused it; "" if nothing is known.
        log: The end of its log, or the whole error if that is longer than shown; "" if there is no more to show.
    """

    name: str
    error: str
    cause: str
    log: str


def list_failures(run: Run, language: Language) -> list[Failure]:
    """Return the failed trainings in the order of the run's record."""
    found = []
    for failed in run.failures:
        lines = failed.error.strip().splitlines() or [failed.error]
        short = lines[-1][-SHOWN:]
        log = failed.log.strip() or (failed.error if short != failed.error else "")
        found.append(Failure(failed.name, short, guess_cause(failed.error, language), log))
    return found


def guess_cause(error: str, language: Language) -> str:
    """Return what probably caused an error, and what to do; "" if nothing is known."""
    gettext = language.gettext
    if unknown := re.search(r"(?:layer|attribute) '?(\w+)'?", error):
        near = difflib.get_close_matches(unknown[1].lower(), [name.lower() for name in LAYERS], 1, 0.6)
        meant = next((name for name in LAYERS if near and name.lower() == near[0]), "")
        if meant and meant != unknown[1]:
            return gettext("No layer {unknown}; did you mean {meant}?", unknown=unknown[1], meant=meant)
    causes = (
        (r"SIGKILL|MemoryError|out of memory", gettext("Probably too little memory: give --jobs a smaller number.")),
        (r"timeout|timed out|longer than", gettext("It took too long: give --timeout-seconds a larger number.")),
        (r"no worker of the pool", gettext("No worker was free: start one of the pool that the error names.")),
        (r"not finite|\bnan\b|diverg", gettext("Probably the learning rate is too high.")),
        (r"No space left", gettext("The disk is full: make room for the store.")),
    )
    return next((cause for pattern, cause in causes if re.search(pattern, error, re.IGNORECASE)), "")
