"""The run compared with earlier runs on the same test reviews."""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.bounds import Count, Whole


@dataclass(frozen=True)
class VariantFigures:
    """Test loss in nats and test accuracy (0 to 1) of one variant in one run, as means over its seeds."""

    seeds: tuple[Whole, ...]
    loss: float
    accuracy: float


@dataclass(frozen=True)
class RunSummary:
    """The main figures of one run, without the variants that had a failed training.

    Attributes:
        best: The variant with the lowest validation loss; None if a training of a variant failed.
        failed: Names of the failed trainings.
        figures: By variant.
    """

    run_id: str
    started: str
    best: str | None
    failed: tuple[str, ...]
    figures: dict[str, VariantFigures]


@dataclass(frozen=True)
class Band:
    """The 95% range of one figure of this run if only the seeds differ from the previous run.

    Attributes:
        metric: "accuracy" or "loss".
        centre: The figure of the previous run; of this run if there is no previous one.
        half_width: Half the width of the range.
        degrees: Degrees of freedom of the standard deviation between seeds.
    """

    variant: str
    metric: str
    centre: float
    half_width: float
    degrees: Count


@dataclass(frozen=True)
class Regression:
    """A figure that is significantly worse than in the previous run.

    Attributes:
        metric: "accuracy" or "loss".
        by: "seeds" if the figure is outside the range that seeds explain. "reviews" if that range is unknown and the
            models of the two runs differ on the same test reviews by McNemar's exact test at 5%.
    """

    variant: str
    metric: str
    before: float
    now: float
    by: str


@dataclass(frozen=True)
class Change:
    """One difference from the previous run.

    Attributes:
        kind: "data", "code", "parameter", "version" or "machine".
        before: The value in the previous run; None if it had none.
        now: The value in this run; None if it has none.
    """

    kind: str
    name: str
    before: str | None
    now: str | None


@dataclass(frozen=True)
class History:
    """The most recent runs on the same test reviews, this run last.

    Attributes:
        last: Id of the previous run; None for the first run.
        regressions: Figures that are worse than in the previous run.
        changes: Differences from the previous run.
        test_set_uses: Number of runs that were evaluated on this test set, this run included.
        models: Number of models that those runs evaluated.
        common: Number of test reviews that this run and the previous one share, and on which they are compared; None if
            their test reviews are the same.
        promoted: By run, the trainings whose models the log of champions promoted before this run.
    """

    runs: tuple[RunSummary, ...]
    last: str | None
    bands: tuple[Band, ...]
    regressions: tuple[Regression, ...]
    changes: tuple[Change, ...]
    test_set_uses: Count
    models: Count
    common: Count | None = None
    promoted: dict[str, tuple[str, ...]] = field(default_factory=dict)
