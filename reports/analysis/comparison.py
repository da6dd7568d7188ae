"""Compare the variants: one row each, and each pair of them on the same test reviews."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from reports.analysis.measurements import Measurements, Predictions, choose, trainings_of, validation_loss_of
from reports.analysis.probabilities import auc_interval, compare_auc
from reports.analysis.statistics import (
    Comparison,
    Interval,
    adjust_holm,
    compare_over_seeds,
    exact_mcnemar,
    mean_interval,
    paired_accuracy_difference,
    smallest_resolvable_difference,
    wilson_interval,
)
from reports.evidence import (
    SIGNIFICANCE,
    ComparisonRow,
    Curve,
    PairRow,
    Pairs,
    PartFigures,
    RowFigures,
    TrainingRow,
)
from storage.records import Run, TrainingResult

MAJORITY, BAG_OF_WORDS = "majority_class", "bag_of_words"


def accuracy_of(predictions: Predictions, names: list[str]) -> Interval:
    """Return the share of reviews that a model is right on, or the mean of several models' shares."""
    if len(names) == 1:
        hits = predictions.hits(names[0])
        return wilson_interval(int(hits.sum()), len(hits))
    return mean_interval(np.mean([predictions.hits(name) for name in names], axis=0))


def _part_figures(predictions: Predictions, names: list[str]) -> PartFigures:
    losses = np.array([predictions.losses(name) for name in names])
    return PartFigures(
        loss=mean_interval(losses.mean(axis=0)),
        accuracy=accuracy_of(predictions, names),
        loss_deviation=_deviation([float(one.mean()) for one in losses]),
        accuracy_deviation=_deviation([float(predictions.hits(name).mean()) for name in names]),
    )


def _deviation(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _row_figures(measured: Measurements, trainings: list[TrainingResult]) -> RowFigures:
    names = [training.name for training in trainings]
    test = measured.test
    areas = [auc_interval(test.labels, test.probabilities[name]) for name in names]
    single_areas = [area.estimate for area in areas if area]
    scores = np.array([test.probabilities[name] for name in names])
    return RowFigures(
        validation=_part_figures(measured.validation, names),
        test=_part_figures(test, names),
        auc=auc_interval(test.labels, scores),
        auc_deviation=_deviation(single_areas),
        train_loss=float(np.mean([training.train.loss for training in trainings])),
        train_accuracy=float(np.mean([training.train.accuracy for training in trainings])),
        gap=float(np.mean([training.validation.loss - training.train.loss for training in trainings])),
        epochs=tuple(training.epochs for training in trainings),
        best_epochs=tuple(training.best_epoch for training in trainings),
        stopped_early=all(training.stopped_early for training in trainings),
        parameter_count=trainings[0].parameter_count,
        seconds=float(np.mean([training.seconds["total"] for training in trainings])),
        milliseconds=_prediction_milliseconds(trainings),
        model_bytes=trainings[0].files["model.keras"].bytes if "model.keras" in trainings[0].files else None,
        chosen=choose(trainings).name,
    )


def _prediction_milliseconds(trainings: list[TrainingResult]) -> float | None:
    times = [
        1e6 * training.seconds["predict"] / training.test.count
        for training in trainings
        if "predict" in training.seconds
    ]
    return float(np.mean(times)) if times else None


def compare_variants(measured: Measurements) -> tuple[ComparisonRow, ...]:
    """Return one row per variant, the lowest validation loss first, then those that failed, then the baselines."""
    run = measured.run
    trained_baselines = dict.fromkeys(
        [training.variant for training in run.baselines]
        + [failure.variant for failure in run.failures if failure.variant not in run.parameters["variants"]]
    )
    rows = [_trained_row(measured, name, is_baseline=False) for name in run.parameters["variants"]]
    rows.sort(key=lambda row: (row.figures is None, validation_loss_of(run, row.name) if row.figures else 0.0))
    rows += [_trained_row(measured, name, is_baseline=True) for name in trained_baselines]
    for name in (BAG_OF_WORDS, MAJORITY):
        if name in measured.test.probabilities:
            rows.append(_plain_row(measured, name))
    return tuple(rows)


def _trained_row(measured: Measurements, name: str, *, is_baseline: bool) -> ComparisonRow:
    trainings = trainings_of(measured.run, name)
    failed = tuple(failure.name for failure in measured.run.failures if failure.variant == name)
    return ComparisonRow(
        name=name,
        is_baseline=is_baseline,
        layers=trainings[0].layers if trainings else "",
        seeds=tuple(training.seed for training in trainings),
        failed=failed,
        figures=_row_figures(measured, trainings) if trainings and not failed else None,
    )


def _plain_row(measured: Measurements, name: str) -> ComparisonRow:
    figures = RowFigures(
        validation=_part_figures(measured.validation, [name]),
        test=_part_figures(measured.test, [name]),
        auc=auc_interval(measured.test.labels, measured.test.probabilities[name]),
    )
    return ComparisonRow(name, is_baseline=True, layers="", seeds=(), figures=figures)


def list_trainings(measured: Measurements) -> tuple[TrainingRow, ...]:
    """Return one row per finished training, the lowest validation loss first, baselines last."""
    run = measured.run
    ranked = sorted(run.trainings, key=lambda training: (training.validation.loss, training.name))
    return tuple(
        TrainingRow(
            name=training.name,
            is_baseline=training in run.baselines,
            epochs=training.epochs,
            best_epoch=training.best_epoch,
            stopped_early=training.stopped_early,
            train_loss=training.train.loss,
            train_accuracy=training.train.accuracy,
            validation=_part_figures(measured.validation, [training.name]),
            test=_part_figures(measured.test, [training.name]),
            gap=training.validation.loss - training.train.loss,
            parameter_count=training.parameter_count,
            seconds=training.seconds["total"],
        )
        for training in (*ranked, *run.baselines)
    )


def pair_up(measured: Measurements, test: Predictions) -> Pairs:
    """Compare each pair of variants on the reviews of `test`, the one with the lower validation loss first.

    Pairs that a failed training takes away are withdrawn, and Holm's correction still counts them.
    """
    run, standing = measured.run, measured.standing_for()
    losses = {name: validation_loss_of(run, name) for name in standing}
    planned = list(combinations(run.parameters["variants"], 2))
    ordered = [sorted(pair, key=lambda name: losses[name]) for pair in planned if set(pair) <= set(standing)]
    hits = {name: test.hits(training) for name, training in standing.items()}
    p_values = [
        exact_mcnemar(int((hits[first] & ~hits[second]).sum()), int((hits[second] & ~hits[first]).sum()))
        for first, second in ordered
    ]
    adjusted = adjust_holm(p_values, len(planned))
    over_seeds = [_compare_recipes(run, *pair) for pair in ordered]
    # All pairs have the same seeds, so either each is compared over them or none.
    seed_p = dict(enumerate(adjust_holm([one.p_value for one in over_seeds if one], len(planned))))
    rows = [
        _pair_row(
            test,
            {first: standing[first], second: standing[second]},
            len(planned),
            p_value=p_values[place],
            adjusted_p=adjusted[place],
            over_seeds=over_seeds[place],
            adjusted_seed_p=seed_p.get(place),
        )
        for place, (first, second) in enumerate(ordered)
    ]
    # The best against each other one first.
    rows.sort(key=lambda row: (losses[row.first], losses[row.second]))
    withdrawn = tuple(pair for pair in planned if not set(pair) <= set(standing))
    return Pairs(len(planned), tuple(rows), withdrawn, len(test.labels))


def _compare_recipes(run: Run, first: str, second: str) -> Comparison | None:
    """Return the difference of two recipes' test accuracies, paired over the run's seeds."""
    by_seed = [{one.seed: one.test.accuracy for one in trainings_of(run, name)} for name in (first, second)]
    return compare_over_seeds(*([accuracies[seed] for seed in run.parameters["seeds"]] for accuracies in by_seed))


def _pair_row(test: Predictions, pair: dict[str, str], planned: int, **seeds_and_p_values: Any) -> PairRow:
    first, second = pair
    hits = [test.hits(training) for training in pair.values()]
    first_only, second_only = int((hits[0] & ~hits[1]).sum()), int((hits[1] & ~hits[0]).sum())
    count = len(test.labels)
    return PairRow(
        first=first,
        second=second,
        first_training=pair[first],
        second_training=pair[second],
        first_only=first_only,
        second_only=second_only,
        difference=paired_accuracy_difference(*hits),
        # At the strictest step of Holm's correction.
        resolvable=smallest_resolvable_difference((first_only + second_only) / count, count, SIGNIFICANCE / planned),
        auc=compare_auc(test.labels, *(test.probabilities[training] for training in pair.values())),
        **seeds_and_p_values,
    )


def list_curves(measured: Measurements) -> tuple[Curve, ...]:
    """Return each training by epoch, as the variants are declared."""
    return tuple(
        Curve(
            training.name,
            training.variant,
            training.seed,
            training.best_epoch,
            *(
                tuple(measured.histories[training.name][name])
                for name in ("loss", "val_loss", "accuracy", "val_accuracy")
            ),
        )
        for training in measured.run.trainings
    )
