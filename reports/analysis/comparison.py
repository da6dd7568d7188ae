"""Compare the variants: one row for each, and each pair on the same test reviews."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from reports.analysis.measurements import (
    Bools,
    Measurements,
    Predictions,
    lowest_val_loss,
    trainings_of,
    validation_loss_of,
)
from reports.analysis.probabilities import auc_interval, compare_auc
from reports.analysis.seed_statistics import compare_over_seeds
from reports.analysis.statistics import (
    SIGNIFICANCE,
    Comparison,
    Interval,
    adjust_holm,
    exact_mcnemar,
    mean_interval,
    minimum_detectable_difference,
    paired_accuracy_difference,
    wilson_interval,
)
from reports.sections.comparison_section import (
    BAG_OF_WORDS,
    MAJORITY,
    ComparisonRow,
    Curve,
    PartFigures,
    RowFigures,
    TrainingRow,
)
from reports.sections.pairs_section import PairRow, Pairs
from storage.records import Run, TrainingResult


def accuracy_of(predictions: Predictions, names: list[str]) -> Interval:
    """Return the accuracy of a model, or the mean accuracy of several models, with its 95% interval over reviews.

    Args:
        predictions: Predictions for at least one review; for at least two if there are several names.
        names: Names of trainings or baselines, at least one.

    Returns:
        0 to 1.
    """
    if len(names) == 1:
        correct = predictions.is_correct(names[0])
        return wilson_interval(int(correct.sum()), len(correct))
    return mean_interval(np.mean([predictions.is_correct(name) for name in names], axis=0))


def _part_figures(predictions: Predictions, names: list[str]) -> PartFigures:
    losses = np.array([predictions.losses(name) for name in names])
    return PartFigures(
        loss=mean_interval(losses.mean(axis=0)),
        accuracy=accuracy_of(predictions, names),
        loss_deviation=_standard_deviation([float(one.mean()) for one in losses]),
        accuracy_deviation=_standard_deviation([float(predictions.is_correct(name).mean()) for name in names]),
    )


def _standard_deviation(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _row_figures(measured: Measurements, trainings: list[TrainingResult]) -> RowFigures:
    names = [training.name for training in trainings]
    test = measured.test
    areas = [auc_interval(test.labels, test.probabilities[name]) for name in names]
    return RowFigures(
        validation=_part_figures(measured.validation, names),
        test=_part_figures(test, names),
        auc=auc_interval(test.labels, np.array([test.probabilities[name] for name in names])),
        auc_deviation=_standard_deviation([area.estimate for area in areas if area]),
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
        chosen=lowest_val_loss(trainings).name,
    )


def _prediction_milliseconds(trainings: list[TrainingResult]) -> float | None:
    """Return the mean time to predict 1,000 reviews; None if no training recorded it."""
    times = [
        1e6 * training.seconds["predict"] / training.test.count
        for training in trainings
        if "predict" in training.seconds
    ]
    return float(np.mean(times)) if times else None


def compare_variants(measured: Measurements) -> tuple[ComparisonRow, ...]:
    """Return one row for each variant and baseline.

    The lowest validation loss comes first, then the variants with a failed training, then the baselines.
    """
    run = measured.run
    trained_baselines = dict.fromkeys(
        [training.variant for training in run.baselines]
        + [failure.variant for failure in run.failures if failure.variant not in run.known.variants]
    )
    rows = [_trained_row(measured, name, is_baseline=False) for name in run.known.variants]
    rows.sort(key=lambda row: (row.figures is None, validation_loss_of(run, row.name) if row.figures else 0.0))
    rows += [_trained_row(measured, name, is_baseline=True) for name in trained_baselines]
    rows += [_untrained_row(measured, name) for name in (BAG_OF_WORDS, MAJORITY) if name in measured.test.probabilities]
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


def _untrained_row(measured: Measurements, name: str) -> ComparisonRow:
    """Return the row of a baseline that needs no epochs."""
    figures = RowFigures(
        validation=_part_figures(measured.validation, [name]),
        test=_part_figures(measured.test, [name]),
        auc=auc_interval(measured.test.labels, measured.test.probabilities[name]),
    )
    return ComparisonRow(name, is_baseline=True, layers="", seeds=(), figures=figures)


def list_trainings(measured: Measurements) -> tuple[TrainingRow, ...]:
    """Return one row for each finished training: the lowest validation loss first, baselines last."""
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


def compare_pairs(measured: Measurements, test: Predictions) -> Pairs:
    """Compare each pair of variants on the reviews of `test`, the variant with the lower validation loss first.

    Each variant is compared by its training with the lowest validation loss. Pairs with a failed training are
    withdrawn, and Holm's correction still counts them.

    Args:
        measured: The run; its validation losses order each pair.
        test: The predictions to compare, of all test reviews or of a subset.
    """
    run, trainings = measured.run, measured.best_training_by_variant()
    losses = {name: validation_loss_of(run, name) for name in trainings}
    planned = list(combinations(run.known.variants, 2))
    ordered = [sorted(pair, key=lambda name: losses[name]) for pair in planned if set(pair) <= set(trainings)]
    correct = {name: test.is_correct(training) for name, training in trainings.items()}
    p_values = [exact_mcnemar(*_discordant_counts(correct[first], correct[second])) for first, second in ordered]
    over_seeds = [_compare_variants_over_seeds(run, first, second) for first, second in ordered]
    adjusted, adjusted_seeds = adjust_holm(p_values, len(planned)), _adjust_seed_p_values(over_seeds, len(planned))
    rows = [
        _pair_row(
            test,
            {first: trainings[first], second: trainings[second]},
            len(planned),
            p_value=p_values[index],
            adjusted_p=adjusted[index],
            over_seeds=over_seeds[index],
            adjusted_seed_p=adjusted_seeds[index],
        )
        for index, (first, second) in enumerate(ordered)
    ]
    # The pairs of the best variant come first.
    rows.sort(key=lambda row: (losses[row.first], losses[row.second]))
    withdrawn = tuple(pair for pair in planned if not set(pair) <= set(trainings))
    return Pairs(len(planned), tuple(rows), withdrawn, len(test.labels))


def _discordant_counts(first: Bools, second: Bools) -> tuple[int, int]:
    """Return how many reviews only the first model classifies correctly, and how many only the second does."""
    return int((first & ~second).sum()), int((second & ~first).sum())


def _compare_variants_over_seeds(run: Run, first: str, second: str) -> Comparison | None:
    """Return the difference of two variants' test accuracies, paired by the run's seeds; None for a single seed."""
    by_seed = [{one.seed: one.test.accuracy for one in trainings_of(run, name)} for name in (first, second)]
    return compare_over_seeds(*([accuracies[seed] for seed in run.known.seeds] for accuracies in by_seed))


def _adjust_seed_p_values(over_seeds: Sequence[Comparison | None], planned: int) -> list[float | None]:
    """Return the p-values after Holm's correction. All pairs have the same seeds, so either all or none has one."""
    adjusted = adjust_holm([one.p_value for one in over_seeds if one], planned)
    return [*adjusted] or [None] * len(over_seeds)


def _pair_row(
    test: Predictions,
    pair: dict[str, str],
    planned: int,
    *,
    p_value: float,
    adjusted_p: float,
    over_seeds: Comparison | None,
    adjusted_seed_p: float | None,
) -> PairRow:
    first, second = pair
    correct = test.is_correct(pair[first]), test.is_correct(pair[second])
    first_only, second_only = _discordant_counts(*correct)
    count = len(test.labels)
    return PairRow(
        first=first,
        second=second,
        first_training=pair[first],
        second_training=pair[second],
        first_only=first_only,
        second_only=second_only,
        difference=paired_accuracy_difference(*correct),
        # Bonferroni: all planned intervals together hold the true differences in 95% of all test sets.
        corrected=paired_accuracy_difference(*correct, confidence=1 - SIGNIFICANCE / planned),
        p_value=p_value,
        adjusted_p=adjusted_p,
        # At the strictest step of Holm's correction.
        resolvable=minimum_detectable_difference((first_only + second_only) / count, count, SIGNIFICANCE / planned),
        auc=compare_auc(test.labels, *(test.probabilities[training] for training in pair.values())),
        over_seeds=over_seeds,
        adjusted_seed_p=adjusted_seed_p,
    )


def list_curves(measured: Measurements) -> tuple[Curve, ...]:
    """Return the learning curve of each training of a variant, in the order of the run's record."""
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
