"""Read the predictions for the minimal pairs, and rate them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.analysis.measurements import trainings_of
from reports.analysis.pass_rates import rate_minimal_pairs
from reports.sections.minimal_pairs_section import MinimalPairs, PairOutcome
from storage.records import Run, TrainingResult
from storage.schemas import PREDICTION_SCHEMA
from storage.store import Store
from tasks.data import minimal_pairs


def read_minimal_pairs(run: Run, trainings: dict[str, str], store: Store) -> MinimalPairs | None:
    """Return the results of the minimal pairs.

    Args:
        run: The run's record.
        trainings: By variant, its training with the lowest validation loss.
        store: The store that has the predictions.

    Returns:
        None if no training has predictions for minimal pairs.

    Raises:
        DamagedFileError: A file differs from what was published.
    """
    predicted = {
        variant: [
            _read_pair_predictions(training, store)
            for training in sorted(trainings_of(run, variant), key=lambda training: training.name != best)
            if "predictions-minimal_pairs.parquet" in training.files
        ]
        for variant, best in trainings.items()
    }
    if not any(predicted.values()):
        return None
    scored = [
        pair
        for pair in minimal_pairs.PAIRS
        if all(pair.identifier in one for by_training in predicted.values() for one in by_training)
    ]
    failed = {
        variant: [_failed_pairs(scored, one) for one in by_training] for variant, by_training in predicted.items()
    }
    outcomes = [_outcome_of(pair, predicted, failed) for pair in scored]
    left_out = len(minimal_pairs.PAIRS) - len(scored)
    return rate_minimal_pairs(minimal_pairs.VERSION, left_out, minimal_pairs.EXPECTATIONS, outcomes, failed)


def _read_pair_predictions(training: TrainingResult, store: Store) -> dict[str, tuple[float, float]]:
    """Return by pair the probabilities that its first and its second sentence are positive."""
    table = store.read_table(training.files["predictions-minimal_pairs.parquet"], PREDICTION_SCHEMA)
    probabilities = dict(zip(table["review_id"].to_pylist(), table["probability"].to_pylist(), strict=True))
    names = dict.fromkeys(name.rpartition("/")[0] for name in probabilities)
    return {name: (probabilities[f"{name}/first"], probabilities[f"{name}/second"]) for name in names}


def _outcome_of(
    pair: minimal_pairs.MinimalPair,
    predicted: Mapping[str, Sequence[Mapping[str, tuple[float, float]]]],
    failed: Mapping[str, Sequence[set[str]]],
) -> PairOutcome:
    """Return the predictions of each variant's first training, which has the lowest validation loss."""
    return PairOutcome(
        pair.category,
        pair.identifier,
        pair.first,
        pair.second,
        {variant: by_training[0][pair.identifier] for variant, by_training in predicted.items()},
        tuple(variant for variant, by_training in failed.items() if pair.identifier in by_training[0]),
    )


def _failed_pairs(
    scored: Sequence[minimal_pairs.MinimalPair], predicted: Mapping[str, tuple[float, float]]
) -> set[str]:
    return {
        pair.identifier for pair in scored if not minimal_pairs.has_passed(pair.category, *predicted[pair.identifier])
    }
