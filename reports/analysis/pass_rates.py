"""Pass rates on the minimal pairs, and the pairs that a variant failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.sections.minimal_pairs_section import MinimalPairs, PairCategory, PairOutcome


def rate_minimal_pairs(
    version: int,
    left_out: int,
    expectations: Mapping[str, str],
    outcomes: Sequence[PairOutcome],
    failed: Mapping[str, Sequence[set[str]]],
) -> MinimalPairs:
    """Return how many pairs each variant passed, by category.

    Args:
        version: Version of the suite.
        left_out: Number of pairs with a word outside the vocabulary.
        expectations: By category, in the order in which the report shows them.
        outcomes: All other pairs, with the predictions of each variant's training with the lowest validation loss.
        failed: By variant and training, the identifiers of the failed pairs; the training with the lowest validation
            loss comes first.
    """
    categories = []
    for name, expectation in expectations.items():
        pairs = {outcome.identifier for outcome in outcomes if outcome.category == name}
        if pairs:
            passed = {
                variant: tuple(len(pairs - identifiers) for identifiers in by_training)
                for variant, by_training in failed.items()
            }
            categories.append(PairCategory(name, expectation, len(pairs), passed))
    return MinimalPairs(version, left_out, tuple(categories), tuple(outcome for outcome in outcomes if outcome.failed))
