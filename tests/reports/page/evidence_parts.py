"""Made-up parts of the evidence, for tests of sentences."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.statistics import Comparison, Interval
from reports.evidence import Evidence
from reports.page.language import Language
from reports.sections.comparison_section import BaselineCheck, ComparisonRow, PartFigures, RowFigures
from reports.sections.history_section import History
from reports.sections.pairs_section import PairRow, Pairs

ENGLISH = Language("en")
FIRST_RUN = History((), None, (), (), (), test_set_uses=1, models=5)


def a_row(name, loss, accuracy=0.8, seeds=(42,), **changes):
    """A variant's row with this validation loss and test accuracy, half a percentage point to each side."""
    unused = Interval(0.0, 0.0, 0.0)
    validation = PartFigures(Interval(loss, loss - 0.01, loss + 0.01), unused)
    test = PartFigures(unused, Interval(accuracy, accuracy - 0.005, accuracy + 0.005))
    row = ComparisonRow(name, is_baseline=False, layers="", seeds=seeds, figures=RowFigures(validation, test))
    return replace(row, **changes)


def a_pair(first, second, difference, adjusted_p, seed_difference=None, seed_p=None):
    """Two variants this far apart, six tenths of a percentage point to each side."""
    over_seeds = None
    if seed_difference is not None:
        over_seeds = Comparison(Interval(seed_difference, seed_difference - 0.01, seed_difference + 0.01), seed_p)
    return PairRow(
        first=first,
        second=second,
        first_training=f"{first}-seed42",
        second_training=f"{second}-seed42",
        first_only=500,
        second_only=250,
        difference=Interval(difference, difference - 0.006, difference + 0.006),
        p_value=adjusted_p / 6,
        adjusted_p=adjusted_p,
        resolvable=0.004,
        auc=None,
        over_seeds=over_seeds,
        adjusted_seed_p=seed_p,
    )


def an_evidence(rows, pairs=(), withdrawn=(), history=FIRST_RUN, checks=()):
    return Evidence(
        comparison=tuple(rows),
        trainings=(),
        pairs=Pairs(len(pairs) + len(withdrawn), tuple(pairs), tuple(withdrawn), 25_000),
        curves=(),
        errors=None,
        minimal_pairs=None,
        data=None,
        history=history,
        baseline_checks=tuple(checks),
    )


def a_check(baseline, accuracy, difference, adjusted_p=0.001):
    """The best variant's model and a baseline, this far apart."""
    return BaselineCheck(
        baseline,
        Interval(accuracy, accuracy - 0.005, accuracy + 0.005),
        Interval(difference, difference - 0.006, difference + 0.006),
        adjusted_p,
    )
