"""Compare a run with earlier runs: what changed, what got worse, and how much figures vary between seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from reports.analysis.measurements import complete_variants, trainings_of, validation_loss_of
from reports.analysis.seed_statistics import pooled_seed_deviation, seed_range_half_width
from reports.analysis.statistics import SIGNIFICANCE, exact_mcnemar
from reports.sections.history_section import Band, Change, History, Regression, RunSummary, VariantFigures
from storage.records import Run, Scores

RUNS_SHOWN = 30
METRICS = ("accuracy", "loss")
# The location of the store does not affect results.
NOT_A_CHANGE = ("store",)


def name_reviews(run: Run) -> str:
    """Return a name for the run's test reviews: runs with the same name share at least some of them.

    That is the SHA-256 of the archive, whose test part never changes; of own reviews it is where they come from.
    """
    if run.test_set == "own" or "archive" not in run.datasets:
        return f"own reviews from {run.source if 'assign' not in run.datasets else run.datasets['assign'].source}"
    return run.datasets["archive"].files["archive"].sha256


def shares_reviews(one: Run, other: Run) -> bool:
    """Return whether two runs were tested on the same set of reviews, which may have grown in between."""
    return name_reviews(one) == name_reviews(other)


def summarise_run(run: Run) -> RunSummary:
    """Return the main figures of a run: the best variant, the failures, and the means over seeds on the test reviews.

    Variants with a failed training have no figures, and then no variant is the best.
    """
    complete = complete_variants(run)
    figures = {
        name: VariantFigures(
            tuple(training.seed for training in trainings_of(run, name)),
            fmean(training.test.loss for training in trainings_of(run, name)),
            fmean(training.test.accuracy for training in trainings_of(run, name)),
        )
        for name in complete
    }
    losses = {name: validation_loss_of(run, name) for name in complete}
    all_complete = len(complete) == len(run.known.variants)
    best = min(losses, key=losses.__getitem__) if losses and all_complete else None
    return RunSummary(run.run_id, run.started, best, tuple(failure.name for failure in run.failures), figures)


@dataclass(frozen=True)
class CommonReviews:
    """Two runs on the test reviews that both have; needed if the test reviews changed in between.

    Attributes:
        before: The previous run, its trainings with their scores on the common reviews.
        now: This run, likewise.
        count: Number of common reviews.
    """

    before: Run
    now: Run
    count: int


def build_history(
    run: Run,
    earlier: Sequence[Run],
    discordant: Mapping[str, tuple[int, int]],
    common: CommonReviews | None = None,
) -> History:
    """Return the section that compares a run with earlier ones.

    Args:
        run: This run.
        earlier: All earlier runs on the same test reviews, the oldest first.
        discordant: By variant, the number of test reviews that only the previous run's model classifies correctly, and
            the number that only this run's model does.
        common: This run and the previous one on their common test reviews; None if their test reviews are the same.
    """
    shown = [*earlier[-(RUNS_SHOWN - 1) :], run]
    summaries = tuple(summarise_run(one) for one in shown)
    previous = earlier[-1] if earlier else None
    bands = tuple(_seed_bands(shown, summaries))
    compared = [summarise_run(one) for one in (common.before, common.now)] if common else summaries
    evaluated = [run, *earlier]
    return History(
        runs=summaries,
        last=previous.run_id if previous else None,
        bands=bands,
        regressions=tuple(_find_regressions(compared, bands, discordant)) if previous else (),
        changes=tuple(list_changes(previous, run)) if previous else (),
        test_set_uses=len(evaluated),
        models=sum(len(one.trainings) + len(one.baselines) for one in evaluated),
        common=common.count if common else None,
    )


def _seed_bands(shown: Sequence[Run], summaries: Sequence[RunSummary]) -> Iterable[Band]:
    """Yield a band for each variant and metric, if any of the runs has several seeds of the variant."""
    current, previous = summaries[-1], summaries[-2] if len(summaries) > 1 else None
    for variant, figures in current.figures.items():
        reference = previous.figures.get(variant, figures) if previous else figures
        for metric in METRICS:
            groups = [[_score(training.test, metric) for training in trainings_of(one, variant)] for one in shown]
            pooled = pooled_seed_deviation(groups)
            if pooled:
                half_width = seed_range_half_width(*pooled, len(reference.seeds), len(figures.seeds))
                yield Band(variant, metric, getattr(reference, metric), half_width, pooled[1])


def _score(scores: Scores, metric: str) -> float:
    value: float = getattr(scores, metric)
    return value


def _find_regressions(
    summaries: Sequence[RunSummary], bands: Sequence[Band], discordant: Mapping[str, tuple[int, int]]
) -> Iterable[Regression]:
    before, now = summaries[-2].figures, summaries[-1].figures
    known = {(band.variant, band.metric): band for band in bands}
    for variant in (name for name in now if name in before):
        for metric in METRICS:
            old, new = getattr(before[variant], metric), getattr(now[variant], metric)
            decline = old - new if metric == "accuracy" else new - old
            band = known.get((variant, metric))
            if band and decline > band.half_width:
                yield Regression(variant, metric, old, new, "seeds")
        lost, gained = discordant.get(variant, (0, 0))
        if (variant, "accuracy") not in known and lost > gained and exact_mcnemar(lost, gained) < SIGNIFICANCE:
            yield Regression(variant, "accuracy", before[variant].accuracy, now[variant].accuracy, "reviews")


def list_changes(before: Run, now: Run) -> Iterable[Change]:
    """Yield the differences between two runs: data, code, parameters (seeds included), versions, machine."""
    old_values, new_values = _environment_of(before), _environment_of(now)
    for kind in new_values:
        old, new = old_values[kind], new_values[kind]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield Change(kind, name, old.get(name), new.get(name))


def _environment_of(run: Run) -> dict[str, dict[str, str | None]]:
    """Return by kind of change the names and values of everything that can affect the results."""
    archive = run.datasets["archive"].files if "archive" in run.datasets else {}
    own = {"own reviews": run.datasets["assign"].key} if "assign" in run.datasets else {}
    parameters = {name: value for name, value in run.parameters.items() if name not in NOT_A_CHANGE}
    return {
        "data": {"source": run.source, **{name: file.sha256 for name, file in archive.items()}, **own},
        "code": {"commit": run.code.commit, "is_dirty": format_value(run.code.is_dirty)},
        "parameter": {name: format_value(value) for name, value in parameters.items()},
        "version": dict(run.versions),
        "machine": {"cpu": run.cpu},
    }


def format_value(value: Any) -> str | None:
    """Return a parameter as text; None if it was not given.

    Example:
        >>> format_value([42, 43]), format_value(None), format_value(0.0001)
        ('42, 43', None, '0.0001')
    """
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
