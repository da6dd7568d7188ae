"""Score stored models again on a run's test reviews, in one clean process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.champion_records import TOLERANCE, ChampionModel, References
from storage.records import Run, StoredFile, TrainingResult
from storage.store import Store
from tasks.champion.clean_process import (
    CleanJob,
    CleanPrediction,
    CleanProcessError,
    predict_cleanly,
)
from tasks.champion.test_reviews import encode_test_reviews

Said = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """What models said in a clean process.

    Attributes:
        challenger: To its reference inputs; or why it said nothing.
        references: What each other model said to its own; or why it said nothing.
        reviews: What each other model said to the test reviews; empty arrays where it said nothing.
    """

    challenger: Said | CleanProcessError
    references: list[Said | CleanProcessError]
    reviews: list[Said]


class Scoring:
    """The challenger and other models, which predict in a clean process while this one does other work."""

    def __init__(
        self,
        run: Run,
        challenger: TrainingResult,
        references: References,
        models: Sequence[ChampionModel],
        ids: npt.NDArray[np.str_],
        store: Store,
    ) -> None:
        """Start to load the models and to let them predict.

        Args:
            run: The run, whose challenger is asked its references only, for its predictions are stored.
            challenger: Its best training.
            references: Of the challenger.
            models: The other models: references and test reviews, each with its own encoder.
            ids: The test reviews, in order.
            store: The store that has the files.
        """
        self.counts = [len(model.references.tokens) for model in models]
        self.jobs = [_prepare(challenger.name, challenger.files["model.keras"], references, store)]
        for model in models:
            job = _prepare(model.training, model.files["model.keras"], model.references, store)
            if isinstance(job, CleanJob):
                try:
                    reviews = encode_test_reviews(run, ids, model.encoder, store)
                    job = CleanJob(job.name, job.model, np.concatenate([job.tokens, reviews]))
                except (ValueError, OSError) as error:
                    job = CleanProcessError(f"{model.training} must be able to read this run's test reviews: {error}")
            self.jobs.append(job)
        self.process = CleanPrediction([job for job in self.jobs if isinstance(job, CleanJob)])

    def finish(self) -> Scored:
        """Wait for the predictions."""
        answers = iter(self.process.finish())
        said = [next(answers) if isinstance(job, CleanJob) else job for job in self.jobs]
        others = list(zip(said[1:], self.counts, strict=True))
        return Scored(
            challenger=said[0],
            references=[one if isinstance(one, CleanProcessError) else one[:count] for one, count in others],
            reviews=[np.zeros(0) if isinstance(one, CleanProcessError) else one[count:] for one, count in others],
        )


def _prepare(name: str, file: StoredFile, references: References, store: Store) -> CleanJob | CleanProcessError:
    """Return the job of one model with its reference inputs, or why it cannot be read."""
    try:
        return CleanJob(name, store.read_verified(file), np.array(references.tokens, np.uint16))
    except (ValueError, OSError) as error:
        return CleanProcessError(str(error))


def check_references(said: Said, references: References, name: str) -> str:
    """Return a sentence if a model says other things to its reference inputs than its training recorded, else ""."""
    expected = np.array(references.probabilities)
    if len(said) < len(expected):
        return f"{name} must answer its {len(expected)} reference inputs. Received: {len(said)} answers."
    difference = float(np.abs(said[: len(expected)] - expected).max(initial=0.0))
    # Not `difference >= TOLERANCE`, which NaN would pass.
    if difference < TOLERANCE:
        return ""
    return (
        f"{name} must give its reference outputs within {TOLERANCE:g} with today's libraries. "
        f"Received: a difference of {difference:.2g}."
    )


def check_model(model: ChampionModel, store: Store) -> str:
    """Return a sentence if a model does not load and give its reference outputs in a clean process, else ""."""
    job = _prepare(model.training, model.files["model.keras"], model.references, store)
    said = predict_cleanly([job])[0] if isinstance(job, CleanJob) else job
    return (
        str(said) if isinstance(said, CleanProcessError) else check_references(said, model.references, model.training)
    )
