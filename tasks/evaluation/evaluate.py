"""Read the predictions of a run from the store, and compute the evidence; without Prefect and TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reports.analysis.comparison import (
    BAG_OF_WORDS,
    MAJORITY,
    compare_pairs,
    compare_variants,
    list_curves,
    list_trainings,
)
from reports.analysis.errors import ReviewFacts, accuracy_where, find_errors
from reports.analysis.history import archive_of, build_history
from reports.analysis.measurements import Measurements, Predictions, trainings_of
from reports.analysis.pass_rates import rate_minimal_pairs
from reports.evidence import Evidence
from reports.sections.data_section import Data, PartFacts
from reports.sections.minimal_pairs_section import MinimalPairs, PairOutcome
from storage.decoding import decode_json
from storage.records import Dataset, Run, TrainingResult
from storage.runs import list_runs, read_run
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, REVIEW_SCHEMA, padded_schema
from storage.store import DamagedFileError, Store
from storage.word_index import read_word_index
from tasks.data import minimal_pairs
from tasks.data.pad import tokens_of
from tasks.data.profile import LENGTH_EDGES
from tasks.data.split import INDEX_FROM
from tasks.evaluation.baselines import predict_bag_of_words, predict_majority

# The IMDB word index has one word with a control character, from a wrong encoding.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def evaluate_run(run: Run, store: Store) -> Evidence:
    """Return the evidence of a run.

    Args:
        run: The run's record, with all trainings done.
        store: The store that has the run's files and all earlier runs.

    Raises:
        DamagedFileError: A file of the run differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    measured = measure_run(run, store)
    profile = run.datasets.get("profile")
    facts = read_review_facts(run, profile, store) if profile and run.trainings else None
    trainings = measured.best_training_by_variant()
    return Evidence(
        comparison=compare_variants(measured),
        trainings=list_trainings(measured),
        pairs=compare_pairs(measured, measured.test),
        curves=list_curves(measured),
        errors=find_errors(measured, facts),
        minimal_pairs=read_minimal_pairs(run, trainings, store) if profile else None,
        data=_read_data(measured, trainings, profile, facts, store) if profile else None,
        history=build_history(run, *read_earlier_runs(run, store, measured)),
    )


def measure_run(run: Run, store: Store) -> Measurements:
    """Read the predictions and the history of every training, and predict with the baselines without epochs.

    Raises:
        DamagedFileError: A file differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    parts = {part: _read_predictions(run, part, store) for part in ("validation", "test")}
    histories = {}
    for training in (*run.trainings, *run.baselines):
        history = store.read_table(training.files["history.parquet"], HISTORY_SCHEMA)
        histories[training.name] = {name: history[name].to_pylist() for name in HISTORY_SCHEMA.names}
    if run.parameters.get("baselines") and run.trainings:
        for name, predicted in _predict_untrained_baselines(run, store).items():
            for part, probabilities in predicted.items():
                parts[part].probabilities[name] = probabilities
    return Measurements(run, parts["validation"], parts["test"], histories)


def _read_predictions(run: Run, part: str, store: Store) -> Predictions:
    labels, probabilities, first = np.zeros(0, bool), {}, None
    for training in (*run.trainings, *run.baselines):
        table = store.read_table(training.files[f"predictions-{part}.parquet"], PREDICTION_SCHEMA)
        if first is None:
            first, labels = table, table["label"].to_numpy() == 1
        if not table["review_id"].equals(first["review_id"]):
            raise ValueError(f"All trainings must be tested on the same reviews. {training.name} was tested on others.")
        probabilities[training.name] = table["probability"].to_numpy().astype(np.float64)
    return Predictions(labels, probabilities)


def _predict_untrained_baselines(run: Run, store: Store) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Return by baseline and part the probabilities that the reviews are positive: float64, shape (reviews,)."""
    tables = {
        part: store.read_table(file, padded_schema(run.parameters["maxlen"]))
        for part, file in run.datasets["pad"].files.items()
    }
    tokens = {part: tokens_of(table) for part, table in tables.items()}
    labels = tables["train"]["label"].to_numpy() == 1
    others = [part for part in tokens if part != "train"]
    majority = {part: predict_majority(labels, len(tokens[part])) for part in others}
    if labels.all() or not labels.any():
        # A logistic regression needs two classes.
        return {MAJORITY: majority}
    predicted = predict_bag_of_words(
        (tokens["train"], labels), [tokens[part] for part in others], run.parameters["num_words"]
    )
    return {MAJORITY: majority, BAG_OF_WORDS: dict(zip(others, predicted, strict=True))}


def read_review_facts(run: Run, profile: Dataset, store: Store) -> ReviewFacts:
    """Return the properties of each test review.

    Args:
        run: The run's record.
        profile: The dataset that the profile step wrote.
        store: The store that has both.

    Raises:
        DamagedFileError: A file differs from what was published.
    """
    table = store.read_table(profile.files["reviews"], REVIEW_SCHEMA)
    negation = table["has_negation"]
    return ReviewFacts(
        length=table["length"].to_numpy().astype(np.int64),
        out_of_vocabulary=table["out_of_vocabulary"].to_numpy().astype(np.float64),
        has_negation=None if negation.null_count else np.array(negation.to_pylist(), bool),
        is_cut=table["cut_words"].to_numpy() > 0,
        is_in_training=np.array(table["is_in_training"].to_pylist(), bool),
        review_ids=table["review_id"].to_pylist(),
        decode=_make_decoder(run, table, store),
    )


def _make_decoder(
    run: Run, table: pa.Table, store: Store
) -> Callable[[int], tuple[tuple[str, ...], tuple[int, ...], int]] | None:
    """Return the function for `ReviewFacts.decode`; None if the source has no word index."""
    file = run.datasets["archive"].files.get("word_index")
    if file is None:
        return None
    index = read_word_index(store.read_verified(file), store.locate(file.path))
    words = {rank: word for word, rank in index.items()}

    def decode(review: int) -> tuple[tuple[str, ...], tuple[int, ...], int]:
        cut = table["cut_words"][review].as_py()
        return (*decode_words(table["words"][review].as_py()[cut:], words, run.parameters["num_words"]), cut)

    return decode


def decode_words(ranks: list[int], words: dict[int, str], num_words: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the words of a review, and the indices of those outside the vocabulary.

    Args:
        ranks: Ranks of the word index, as in the archive; the models' tokens are 3 higher.
        words: By rank.
        num_words: Size of the vocabulary, with the three special tokens.

    Example:
        >>> decode_words([14, 22, 496, 497], {14: "this", 22: "film", 496: "art", 497: "sides"}, num_words=500)
        (('this', 'film', 'art', 'sides'), (3,))
    """
    unknown = tuple(index for index, rank in enumerate(ranks) if rank >= num_words - INDEX_FROM)
    return tuple(_CONTROL.sub("·", words.get(rank, f"#{rank}")) for rank in ranks), unknown


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


def _read_data(
    measured: Measurements, trainings: dict[str, str], profile: Dataset, facts: ReviewFacts | None, store: Store
) -> Data:
    file = profile.files["facts"]
    parts = decode_json(dict[str, PartFacts], store.read_verified(file), f"{store.locate(file.path)} must hold counts")
    repeated = facts.is_in_training if facts else np.zeros(0, bool)
    without = accuracy_where(measured.test, trainings, ~repeated) if trainings else {}
    return Data(parts, LENGTH_EDGES, int(repeated.sum()), without)


def read_earlier_runs(run: Run, store: Store, measured: Measurements) -> tuple[list[Run], dict[str, tuple[int, int]]]:
    """Return the earlier runs on the same test reviews, and how the models of the previous run differ.

    Damaged records and predictions are skipped, so that an old run cannot prevent this run's report. `retrain verify`
    names them.

    Args:
        run: This run.
        store: The store that has the earlier runs.
        measured: The predictions of this run.

    Returns:
        The earlier runs, the oldest first. And by variant that both runs have, the number of test reviews that only the
        previous run's model classifies correctly, and the number that only this run's model does.
    """
    earlier = []
    for run_id in list_runs(store):
        if run_id < run.run_id:
            try:
                one = read_run(store, run_id)
            except DamagedFileError:
                continue
            if one.is_sample == run.is_sample and archive_of(one) == archive_of(run):
                earlier.append(one)
    if not earlier:
        return [], {}
    try:
        before = _read_predictions(earlier[-1], "test", store)
    except DamagedFileError:
        return earlier, {}
    return earlier, _count_discordant(Measurements(earlier[-1], before, before, {}), measured)


def _count_discordant(before: Measurements, now: Measurements) -> dict[str, tuple[int, int]]:
    if len(before.test.labels) != len(now.test.labels):
        return {}
    trainings, discordant = before.best_training_by_variant(), {}
    for variant, training in now.best_training_by_variant().items():
        if variant in trainings:
            old, new = before.test.is_correct(trainings[variant]), now.test.is_correct(training)
            discordant[variant] = (int((old & ~new).sum()), int((new & ~old).sum()))
    return discordant
