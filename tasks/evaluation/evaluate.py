"""Read what a run has left in the store, and compute its evidence; without Prefect or TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reports.analysis.comparison import (
    BAG_OF_WORDS,
    MAJORITY,
    compare_variants,
    list_curves,
    list_trainings,
    pair_up,
)
from reports.analysis.errors import ReviewFacts, accuracy_where, find_errors
from reports.analysis.history import archive_of, look_back
from reports.analysis.measurements import Measurements, Predictions, trainings_of
from reports.analysis.pass_rates import rate_minimal_pairs
from reports.evidence import Data, Evidence, MinimalPairs, PairOutcome, PartFacts
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

# A word of the IMDB index is one, left over from another encoding.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def evaluate_run(run: Run, store: Store) -> Evidence:
    """Return the evidence of a run whose trainings are done.

    Raises:
        DamagedFileError: A file of the run is not as it was published.
        ValueError: Two trainings were tested on different reviews.
    """
    measured = measure_run(run, store)
    standing, test = measured.standing_for(), measured.test
    description = run.datasets.get("profile")
    facts = read_review_facts(run, description, store) if description and run.trainings else None
    errors = find_errors(measured, facts)
    return Evidence(
        comparison=compare_variants(measured),
        trainings=list_trainings(measured),
        pairs=pair_up(measured, test),
        curves=list_curves(measured),
        errors=errors,
        minimal_pairs=read_minimal_pairs(run, standing, store) if description else None,
        data=_describe_data(measured, standing, description, facts, store),
        history=look_back(run, *read_earlier(run, store, measured)),
    )


def measure_run(run: Run, store: Store) -> Measurements:
    """Read every training's predictions and history, and predict with the baselines that need no epochs."""
    parts = {part: _read_predictions(run, part, store) for part in ("validation", "test")}
    histories = {}
    for training in (*run.trainings, *run.baselines):
        history = store.read_table(training.files["history.parquet"], HISTORY_SCHEMA)
        histories[training.name] = {name: history[name].to_pylist() for name in HISTORY_SCHEMA.names}
    if run.parameters.get("baselines") and run.trainings:
        for name, predicted in _predict_plain_baselines(run, store).items():
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


def _predict_plain_baselines(run: Run, store: Store) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    tables = {
        part: store.read_table(file, padded_schema(run.parameters["maxlen"]))
        for part, file in run.datasets["pad"].files.items()
    }
    tokens = {part: tokens_of(table) for part, table in tables.items()}
    labels = tables["train"]["label"].to_numpy() == 1
    others = [part for part in tokens if part != "train"]
    majority = {part: predict_majority(labels, len(tokens[part])) for part in others}
    if labels.all() or not labels.any():
        # Nothing to tell apart.
        return {MAJORITY: majority}
    counted = predict_bag_of_words(
        (tokens["train"], labels), [tokens[part] for part in others], run.parameters["num_words"]
    )
    return {MAJORITY: majority, BAG_OF_WORDS: dict(zip(others, counted, strict=True))}


def read_review_facts(run: Run, description: Dataset, store: Store) -> ReviewFacts:
    """Return what the description says of each test review."""
    table = store.read_table(description.files["reviews"], REVIEW_SCHEMA)
    negation = table["has_negation"]
    return ReviewFacts(
        length=table["length"].to_numpy().astype(np.int64),
        out_of_vocabulary=table["out_of_vocabulary"].to_numpy().astype(np.float64),
        has_negation=None if negation.null_count else np.array(negation.to_pylist(), bool),
        is_cut=table["cut_words"].to_numpy() > 0,
        is_in_training=np.array(table["is_in_training"].to_pylist(), bool),
        review_ids=table["review_id"].to_pylist(),
        show=_make_shower(run, table, store),
    )


def _make_shower(
    run: Run, table: pa.Table, store: Store
) -> Callable[[int], tuple[tuple[str, ...], tuple[int, ...], int]] | None:
    file = run.datasets["archive"].files.get("word_index")
    if file is None:
        return None
    index = read_word_index(store.read_verified(file), store.locate(file.path))
    words = {rank: word for word, rank in index.items()}

    def show(place: int) -> tuple[tuple[str, ...], tuple[int, ...], int]:
        cut = table["cut_words"][place].as_py()
        return (*decode_words(table["words"][place].as_py()[cut:], words, run.parameters["num_words"]), cut)

    return show


def decode_words(ranks: list[int], words: dict[int, str], num_words: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the words of a review, and the places of those outside the vocabulary.

    Args:
        ranks: As the archive holds them: the word index's own, to which the models' tokens add 3.
        words: By rank.
        num_words: Size of the vocabulary, the three special tokens included.

    Example:
        >>> decode_words([14, 22, 496, 497], {14: "this", 22: "film", 496: "art", 497: "sides"}, num_words=500)
        (('this', 'film', 'art', 'sides'), (3,))
    """
    unknown = tuple(place for place, rank in enumerate(ranks) if rank >= num_words - INDEX_FROM)
    return tuple(_CONTROL.sub("·", words.get(rank, f"#{rank}")) for rank in ranks), unknown


def read_minimal_pairs(run: Run, standing: dict[str, str], store: Store) -> MinimalPairs | None:
    """Return what the variants made of the minimal pairs; None where none of them saw any."""
    said = {
        variant: [
            _read_pairs(training, store)
            for training in sorted(trainings_of(run, variant), key=lambda training: training.name != chosen)
            if "predictions-minimal_pairs.parquet" in training.files
        ]
        for variant, chosen in standing.items()
    }
    if not any(said.values()):
        return None
    tried = [
        pair for pair in minimal_pairs.PAIRS if all(pair.identifier in one for ones in said.values() for one in ones)
    ]
    failed = {
        variant: [
            {pair.identifier for pair in tried if not minimal_pairs.has_passed(pair.category, *one[pair.identifier])}
            for one in ones
        ]
        for variant, ones in said.items()
    }
    outcomes = [
        PairOutcome(
            pair.category,
            pair.identifier,
            pair.first,
            pair.second,
            {variant: ones[0][pair.identifier] for variant, ones in said.items()},
            tuple(variant for variant, ones in failed.items() if pair.identifier in ones[0]),
        )
        for pair in tried
    ]
    left_out = len(minimal_pairs.PAIRS) - len(tried)
    return rate_minimal_pairs(minimal_pairs.VERSION, left_out, minimal_pairs.EXPECTATIONS, outcomes, failed)


def _read_pairs(training: TrainingResult, store: Store) -> dict[str, tuple[float, float]]:
    """Return by pair the probabilities of its two sentences."""
    table = store.read_table(training.files["predictions-minimal_pairs.parquet"], PREDICTION_SCHEMA)
    said = dict(zip(table["review_id"].to_pylist(), table["probability"].to_pylist(), strict=True))
    names = dict.fromkeys(name.rpartition("/")[0] for name in said)
    return {name: (said[f"{name}/first"], said[f"{name}/second"]) for name in names}


def _describe_data(
    measured: Measurements,
    standing: dict[str, str],
    description: Dataset | None,
    facts: ReviewFacts | None,
    store: Store,
) -> Data | None:
    if description is None:
        return None
    file = description.files["facts"]
    parts = decode_json(dict[str, PartFacts], store.read_verified(file), f"{store.locate(file.path)} must hold counts")
    repeated = facts.is_in_training if facts else np.zeros(0, bool)
    without = accuracy_where(measured.test, standing, ~repeated) if standing else {}
    return Data(parts, LENGTH_EDGES, int(repeated.sum()), without)


def read_earlier(run: Run, store: Store, measured: Measurements) -> tuple[list[Run], dict[str, tuple[int, int]]]:
    """Return the earlier runs on the same test reviews, the oldest first, and how the last one's models differ.

    Of each variant that stands in both nights: test reviews on which only last night's model is right, and only
    tonight's. What cannot be read is left out: a damaged record of an old night must not cost this one its report, and
    `retrain verify` names it.
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
    last_standing = Measurements(earlier[-1], before, before, {}).standing_for()
    discordant = {}
    for variant, training in measured.standing_for().items():
        if variant in last_standing and len(before.labels) == len(measured.test.labels):
            was, is_now = before.hits(last_standing[variant]), measured.test.hits(training)
            discordant[variant] = (int((was & ~is_now).sum()), int((is_now & ~was).sum()))
    return earlier, discordant
