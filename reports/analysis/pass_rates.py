"""Pass rates on the minimal pairs, and the pairs that somebody failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.evidence import MinimalPairs, PairCategory, PairOutcome


def rate_minimal_pairs(
    version: int,
    left_out: int,
    expectations: Mapping[str, str],
    outcomes: Sequence[PairOutcome],
    failed: Mapping[str, Sequence[set[str]]],
) -> MinimalPairs:
    """Return how often each variant passed, by category.

    Args:
        version: Of the suite.
        left_out: Pairs that this vocabulary cannot say.
        expectations: By category, in the order in which they are to be shown.
        outcomes: Of every pair that was tried, by the training that stands for each variant.
        failed: By variant: of each of its trainings, the one that stands for it first, the pairs that it failed.
    """
    categories = []
    for name, expectation in expectations.items():
        pairs = {outcome.identifier for outcome in outcomes if outcome.category == name}
        if pairs:
            passed = {
                variant: tuple(len(pairs - ones) for ones in of_trainings) for variant, of_trainings in failed.items()
            }
            categories.append(PairCategory(name, expectation, len(pairs), passed))
    return MinimalPairs(version, left_out, tuple(categories), tuple(outcome for outcome in outcomes if outcome.failed))
