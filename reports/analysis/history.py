"""One night beside the earlier ones: what changed, what got worse, and how far seeds alone move a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from reports.analysis.measurements import complete_variants, trainings_of, validation_loss_of
from reports.analysis.statistics import exact_mcnemar, seed_band, seed_noise
from reports.evidence import SIGNIFICANCE, Band, Change, History, Night, NightFigures, Regression
from storage.records import Run, Scores

NIGHTS_SHOWN = 30
METRICS = ("accuracy", "loss")
# Where the results are kept has no part in them.
NOT_A_CHANGE = ("store",)


def archive_of(run: Run) -> str:
    """Return what tells one set of test reviews from another: the SHA-256 of the archive that they are part of."""
    return run.datasets["archive"].files["archive"].sha256


def summarise_night(run: Run) -> Night:
    """Return a run in a few figures."""
    complete = complete_variants(run)
    figures = {
        name: NightFigures(
            tuple(training.seed for training in trainings_of(run, name)),
            fmean(training.test.loss for training in trainings_of(run, name)),
            fmean(training.test.accuracy for training in trainings_of(run, name)),
        )
        for name in complete
    }
    losses = {name: validation_loss_of(run, name) for name in complete}
    is_whole = len(complete) == len(run.parameters["variants"])
    best = min(losses, key=losses.__getitem__) if losses and is_whole else None
    return Night(run.run_id, run.started, best, tuple(failure.name for failure in run.failures), figures)


def look_back(run: Run, earlier: Sequence[Run], discordant: Mapping[str, tuple[int, int]]) -> History:
    """Return what the earlier nights say of this one.

    Args:
        run: Tonight's.
        earlier: All earlier runs on the same test reviews, the oldest first.
        discordant: By variant: test reviews on which only last night's model was right, and only tonight's.
    """
    shown = [*earlier[-(NIGHTS_SHOWN - 1) :], run]
    nights = tuple(summarise_night(one) for one in shown)
    last = earlier[-1] if earlier else None
    bands = tuple(_bands(shown, nights))
    looked = [run, *earlier]
    return History(
        nights=nights,
        last=last.run_id if last else None,
        bands=bands,
        regressions=tuple(_find_regressions(nights, bands, discordant)) if last else (),
        changes=tuple(list_changes(last, run)) if last else (),
        looks=len(looked),
        models=sum(len(one.trainings) + len(one.baselines) for one in looked),
    )


def _bands(shown: Sequence[Run], nights: Sequence[Night]) -> Iterable[Band]:
    """Yield a band for each variant and metric whose seeds' noise some night tells."""
    tonight, before = nights[-1], nights[-2] if len(nights) > 1 else None
    for variant, figures in tonight.figures.items():
        reference = before.figures.get(variant, figures) if before else figures
        for metric in METRICS:
            groups = [[_score(training.test, metric) for training in trainings_of(one, variant)] for one in shown]
            noise = seed_noise(groups)
            if noise:
                half_width = seed_band(*noise, len(reference.seeds), len(figures.seeds))
                yield Band(variant, metric, getattr(reference, metric), half_width, noise[1])


def _score(scores: Scores, metric: str) -> float:
    value: float = getattr(scores, metric)
    return value


def _find_regressions(
    nights: Sequence[Night], bands: Sequence[Band], discordant: Mapping[str, tuple[int, int]]
) -> Iterable[Regression]:
    before, now = nights[-2].figures, nights[-1].figures
    known = {(band.variant, band.metric): band for band in bands}
    for variant in (name for name in now if name in before):
        for metric in METRICS:
            was, is_now = getattr(before[variant], metric), getattr(now[variant], metric)
            worse = was - is_now if metric == "accuracy" else is_now - was
            band = known.get((variant, metric))
            if band and worse > band.half_width:
                yield Regression(variant, metric, was, is_now, "seeds")
        lost, gained = discordant.get(variant, (0, 0))
        if (variant, "accuracy") not in known and lost > gained and exact_mcnemar(lost, gained) < SIGNIFICANCE:
            yield Regression(variant, "accuracy", before[variant].accuracy, now[variant].accuracy, "reviews")


def list_changes(before: Run, now: Run) -> Iterable[Change]:
    """Yield what is not as it was: data, code, parameters with the seeds among them, versions, machine."""
    sides = [_described(run) for run in (before, now)]
    for kind in sides[1]:
        was, is_now = (side[kind] for side in sides)
        for name in sorted(was.keys() | is_now.keys()):
            if was.get(name) != is_now.get(name):
                yield Change(kind, name, was.get(name), is_now.get(name))


def _described(run: Run) -> dict[str, dict[str, str | None]]:
    code = run.code
    archive = run.datasets["archive"].files
    parameters = {name: value for name, value in run.parameters.items() if name not in NOT_A_CHANGE}
    return {
        "data": {"source": run.source, **{name: file.sha256 for name, file in archive.items()}},
        "code": {
            "commit": code.commit,
            "is_dirty": write_out(code.is_dirty),
        },
        "parameter": {name: write_out(value) for name, value in parameters.items()},
        "version": dict(run.versions),
        "machine": {"cpu": run.cpu},
    }


def write_out(value: Any) -> str | None:
    """Return a parameter as text, None where it was not given.

    Example:
        >>> write_out([42, 43]), write_out(None), write_out(0.0001)
        ('42, 43', None, '0.0001')
    """
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
