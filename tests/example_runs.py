"""Made-up runs for the tests of the report: their records, predictions and evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reports.analysis.baseline_checks import check_baselines
from reports.analysis.comparison import (
    compare_pairs,
    compare_variants,
    list_curves,
    list_trainings,
)
from reports.analysis.errors import ReviewFacts, accuracy_where, find_errors
from reports.analysis.history import build_history
from reports.analysis.measurements import Measurements, Predictions
from reports.analysis.pass_rates import rate_minimal_pairs
from reports.evidence import Evidence, from_json, to_json
from reports.sections.comparison_section import BAG_OF_WORDS, MAJORITY
from reports.sections.data_section import Data, PartFacts
from reports.sections.minimal_pairs_section import PairOutcome
from reports.sections.own_reviews_section import CheckResult, FileFacts, OwnReviews
from storage.records import CodeVersion, Dataset, FailedTraining, Run, Scores, StoredFile, TrainingResult

COUNT = 1000
# The history of every training.
HISTORY = {
    "epoch": [1, 2, 3],
    "loss": [0.69, 0.41, 0.40],
    "val_loss": [0.68, 0.43, 0.45],
    "accuracy": [0.5, 0.82, 0.83],
    "val_accuracy": [0.5, 0.79, 0.78],
}
LENGTH_EDGES = tuple(range(0, 1001, 50))
# Markup, a script's end, line ends that JavaScript knows, and marks that turn the direction of writing.
HOSTILE = "</script><img src=x onerror=alert(1)>\u2028\u202e'\"&$x$"


def a_training(variant, val_loss, hits, seed=42, **changes):
    """Return a finished training that is right on `hits` of the `COUNT` test reviews."""
    training = TrainingResult(
        variant=variant,
        layers="LSTM(units=8)",
        seed=seed,
        parameters={"epochs": 100},
        versions={"keras": "3.15.1"},
        dataset="0" * 16,
        epochs=3,
        best_epoch=2,
        stopped_early=True,
        train=Scores(0.41, 0.82, None, 4000),
        validation=Scores(val_loss, 0.79, 0.012, COUNT),
        test=Scores(0.44, hits / COUNT, 0.013, COUNT),
        parameter_count=8809,
        weights_sha256="a" * 64,
        seconds={"start": 5.0, "fit": 20.0, "predict": 0.01, "evaluate": 1.0, "total": 26.0},
        files={"model.keras": StoredFile(f"runs/x/{variant}/model.keras", "b" * 64, 59_400)},
    )
    return replace(training, **changes)


def a_run(*trainings, failures=(), baselines=(), **changes):
    """Return a run; its variants and seeds are those of the trainings and the failures."""
    attempted = [*trainings, *failures]
    archive = Dataset("download", "1" * 16, {}, {"archive": StoredFile("raw/x.npz", "c" * 64, 17)}, "imdb.npz")
    run = Run(
        run_id="20261123T020000Z-abc123",
        started="2026-11-23T02:00:00Z",
        seconds=61.0,
        source="imdb.npz",
        is_sample=False,
        notice=None,
        parameters={
            "source": "imdb.npz",
            "variants": list(dict.fromkeys(one.variant for one in attempted)),
            "seeds": list(dict.fromkeys(one.seed for one in attempted)),
            "num_words": 500,
            "maxlen": 100,
            "baselines": bool(baselines),
            "language": "en",
            "store": "output",
        },
        versions={"python": "3.11.7"},
        datasets={"archive": archive},
        trainings=trainings,
        baselines=tuple(baselines),
        failures=tuple(failures),
        code=CodeVersion("d" * 40, is_dirty=False),
        cpu="a processor, 2 CPUs",
    )
    return replace(run, **changes)


def measure(run, plain_baselines=False):
    """Return predictions for a run: each training is right on its first test reviews and wrong on the others.

    Every second review is positive. The probabilities differ between reviews, and a little between trainings.
    """
    labels = np.arange(COUNT) % 2 == 1
    sureness = 0.5 + 0.49 * np.random.default_rng(20261123).random(COUNT)
    said = {}
    for place, training in enumerate((*run.trainings, *run.baselines)):
        right = np.arange(COUNT) < round(training.test.accuracy * COUNT)
        sure = np.clip(sureness + 0.001 * (place + 1), 0.501, 0.999)
        said[training.name] = np.where(labels == right, sure, 1 - sure)
    if plain_baselines:
        said[BAG_OF_WORDS] = np.where(np.arange(COUNT) % 4 == 0, 0.6, 0.4)
        said[MAJORITY] = np.full(COUNT, 0.5)
    predictions = Predictions(labels, said, np.array([f"test-{place}" for place in range(COUNT)], object))
    return Measurements(run, predictions, predictions, {one.name: HISTORY for one in (*run.trainings, *run.baselines)})


def measure_as_recorded(run, plain_baselines=False):
    """Return predictions like `measure`, but with the validation losses and accuracies of the records."""
    measured, unsure = measure(run, plain_baselines), 0.4
    said = dict(measured.validation.probabilities)
    for training in (*run.trainings, *run.baselines):
        wrong = 1 - training.validation.accuracy
        # The probability of the right predictions that gives this mean loss over all predictions.
        sure = np.exp(-(training.validation.loss + wrong * np.log(unsure)) / (1 - wrong))
        label_probability = np.where(np.arange(COUNT) < round(wrong * COUNT), unsure, sure)
        said[training.name] = np.where(measured.validation.labels, label_probability, 1 - label_probability)
    return replace(measured, validation=Predictions(measured.validation.labels, said))


def review_facts(word="film"):
    """Return facts of test reviews of 1 to 500 words; each decodes to the word, an unknown word, and the word again."""
    places = np.arange(COUNT)
    length = 1 + places % 500
    return ReviewFacts(
        length=length,
        out_of_vocabulary=(places % 100) / 100,
        has_negation=places % 3 == 0,
        is_cut=length > 100,
        is_in_training=places < 7,
        review_ids=[f"test-{place}" for place in places],
        decode=lambda place: ((word, "rare", word), (1,), max(0, int(length[place]) - 100)),
    )


def a_part(reviews=COUNT):
    return PartFacts(
        reviews=reviews,
        positive=reviews // 2,
        words=230 * reviews,
        length_mean=230.0,
        length_quantiles=(60.0, 120.0, 170.0, 280.0, 600.0),
        length_maximum=2300,
        length_counts=(reviews, *[0] * 19),
        out_of_vocabulary=70 * reviews,
        seen_words=95 * reviews,
        seen_out_of_vocabulary=28 * reviews,
        cut_reviews=reviews * 9 // 10,
        repeats=2,
    )


def outcomes(variants, text="this film is good"):
    """Return a pair that all variants passed, and one that the first variant failed."""
    said = dict.fromkeys(variants, (0.9, 0.2))
    return [
        PairOutcome("negation", "negation-01", text, "this film is not good", said, ()),
        PairOutcome("negation", "negation-02", text, "this film is never good", said, tuple(variants[:1])),
    ]


LONG_NAME = "reviews-of-the-shop-in-the-north/2026-11/reviews_exported_on_2026-11-25_at_02-00-00.csv.gz"


def own_reviews(*checks, files=(LONG_NAME, "day2.csv")):
    """Return what was read of a team's own reviews."""
    read = [
        FileFacts(name, "1 byte", "a" * 64, "csv, gzip, utf-8, comma, quoted", ("review", "sentiment"), 1000, 980, 20)
        for name in files
    ]
    return OwnReviews(
        source="/srv/reviews/of-a-folder-whose-name-is-long-enough-to-need-a-second-line-on-any-telephone",
        files=tuple(read),
        file_count=len(read),
        gone=("day0.csv",),
        records=2000,
        labels={"positive": 1200, "negative": 700, "neither of the two, says the customer": 60},
        meaning={"positive": "positive", "negative": "negative", "neither of the two, says the customer": "left out"},
        rejected={"empty": 30, "quotes that do not match": 10},
        method="time",
        cutoff="2026-11-01T00:00:00Z",
        parts={"train": 800, "validation": 200, "test": COUNT},
        repeats=12,
        conflicting=3,
        moved_out=4,
        leaks=0,
        in_archive=5,
        near_duplicates=6,
        compared=1900,
        tokens="words",
        vocabulary="imdb",
        checks=checks,
    )


CHECKS = (
    CheckResult("rejected", "warning", 0.02, 0.005, 0.05, now=2000),
    CheckResult("schema", "warning", words=("created_at",), now=2000, before=1000),
    CheckResult("balance", "ok", 0.37, 0.2, 0.02, now=1900),
    CheckResult("duplicates", "ok", 0.006, 0.1, 0.5, now=1900),
    CheckResult("fewer", "not checked"),
    CheckResult("lengths", "warning", 0.2, 0.1, 0.25, 0.01, now=900, before=1000),
    CheckResult("unknown words", "ok", 0.01, 0.05, 0.2, now=900, before=1000),
    CheckResult("new against old", "stop", 0.9, 0.65, 0.8, words=("parcel", "battery", "refund"), now=900, before=1000),
)


def evidence_of(
    run,
    earlier=(),
    discordant=None,
    facts=None,
    described=True,
    word="film",
    plain_baselines=True,
    measured=None,
    stored=True,
    own=None,
    other=None,
):
    """Return the evidence of a run; `stored` says whether it was written as JSON and read back."""
    measured = measured or measure_as_recorded(run, plain_baselines=plain_baselines and bool(run.trainings))
    standing = measured.best_training_by_variant()
    facts = facts or (review_facts(word) if described and run.trainings else None)
    pairs = outcomes(list(standing), f"this {word} is good")
    failed = {name: [{"negation-02"} if place == 0 else set()] for place, name in enumerate(standing)}
    data = None
    if described:
        parts = {"train": a_part(4000), "validation": a_part(), "test": a_part()}
        without = accuracy_where(measured.test, standing, ~facts.is_in_training) if standing else {}
        data = Data(parts, LENGTH_EDGES, 7 if facts else 0, without)
    evidence = Evidence(
        comparison=compare_variants(measured),
        baseline_checks=check_baselines(measured),
        trainings=list_trainings(measured),
        pairs=compare_pairs(measured, measured.test),
        curves=list_curves(measured),
        errors=find_errors(measured, facts),
        minimal_pairs=rate_minimal_pairs(1, 3, {"negation": "flip"}, pairs, failed) if standing and described else None,
        data=data,
        history=build_history(run, list(earlier), discordant or {}),
        test_set=run.test_set,
        other=other,
        own_reviews=own,
    )
    return from_json(to_json(evidence)) if stored else evidence


FOUR_VARIANTS = a_run(
    a_training("lstm", 0.43, 800),
    a_training("lstm_dropout", 0.44, 805),
    a_training("lstm_stacked", 0.46, 700),
    a_training("gru", 0.45, 790),
    baselines=[a_training("simple_rnn", 0.49, 770)],
)
THREE_SEEDS = a_run(
    *(
        a_training(variant, loss + 0.001 * seed, hits - 3 * seed, seed=42 + seed)
        for variant, loss, hits in (
            ("lstm", 0.43, 800),
            ("lstm_dropout", 0.44, 805),
            ("lstm_stacked", 0.46, 700),
            ("gru", 0.45, 790),
        )
        for seed in range(3)
    ),
    baselines=[a_training("simple_rnn", 0.49, 770)],
)
ONE_FAILED = a_run(
    a_training("lstm", 0.43, 800),
    a_training("lstm_dropout", 0.44, 805),
    failures=[FailedTraining("gru", 42, "it was killed by SIGKILL")],
)
MANY_SEEDS = a_run(
    *(
        a_training(variant, loss + 0.0002 * seed, hits - seed, seed=seed)
        for variant, loss, hits in (
            ("lstm", 0.43, 800),
            ("lstm_dropout", 0.44, 805),
            ("lstm_stacked", 0.46, 700),
            ("gru", 0.45, 790),
        )
        for seed in range(25)
    ),
    baselines=[a_training("simple_rnn", 0.49, 770, seed=0)],
)
EIGHT = ("lstm", "lstm_dropout", "lstm_stacked", "gru", "gru_wide", "gru_stacked", "lstm_wide_and_slow", "rnn")
EIGHT_VARIANTS = a_run(
    *(a_training(name, 0.43 + 0.002 * place, 800 - 3 * place) for place, name in enumerate(EIGHT)),
    baselines=[a_training("simple_rnn", 0.49, 770)],
)
TWO_OF_EIGHT_FAILED = a_run(
    *(a_training(name, 0.43 + 0.002 * place, 800 - 3 * place) for place, name in enumerate(EIGHT[:6])),
    failures=[
        FailedTraining(EIGHT[6], 42, "Keras has no layer LTSM"),
        FailedTraining(EIGHT[7], 42, "it was killed by SIGKILL"),
    ],
)
UNUSABLE = a_run(a_training("lstm", 0.69, 500), a_training("gru", 0.693, 495))
ALL_FAILED = a_run(failures=[FailedTraining("gru", 42, "no"), FailedTraining("lstm", 42, "no")])
HOSTILE_NAMES = a_run(
    a_training(HOSTILE, 0.43, 800, layers=HOSTILE),
    a_training("gru", 0.45, 790),
    failures=[FailedTraining("lstm_stacked", 42, HOSTILE)],
    notice=HOSTILE,
    source=HOSTILE,
    versions={HOSTILE: HOSTILE},
)
EARLIER_RUN = a_run(
    a_training("lstm", 0.43, 900),
    a_training("gru", 0.45, 790),
    run_id="20261122T020000Z-abc123",
    started="2026-11-22T02:00:00Z",
    cpu="an old processor, 1 CPU",
)
