"""Check whether the best variant beats the baselines that know no word order or no words."""

from __future__ import annotations

from reports.analysis.comparison import accuracy_of
from reports.analysis.measurements import Measurements, complete_variants, validation_loss_of
from reports.analysis.statistics import adjust_holm, exact_mcnemar, paired_accuracy_difference
from reports.sections.comparison_section import BAG_OF_WORDS, MAJORITY, BaselineCheck


def check_baselines(measured: Measurements) -> tuple[BaselineCheck, ...]:
    """Compare the best variant's model with each untrained baseline on the same test reviews.

    The best variant is the one with the lowest validation loss, its model the one with the lowest of its own.

    Returns:
        One check for each of the baselines "bag_of_words" and "majority_class" that the run has; none if a training of
        a variant failed, because then no variant is the best.
    """
    run, test = measured.run, measured.test
    names = [name for name in (BAG_OF_WORDS, MAJORITY) if name in test.probabilities]
    complete = complete_variants(run)
    if not names or set(complete) != set(run.known.variants):
        return ()
    best = min(complete, key=lambda name: validation_loss_of(run, name))
    correct = test.is_correct(measured.best_training_by_variant()[best])
    others = [test.is_correct(name) for name in names]
    p_values = [exact_mcnemar(int((correct & ~other).sum()), int((~correct & other).sum())) for other in others]
    return tuple(
        BaselineCheck(
            baseline=name,
            accuracy=accuracy_of(test, [name]),
            difference=paired_accuracy_difference(correct, other),
            adjusted_p=p_value,
        )
        for name, other, p_value in zip(names, others, adjust_holm(p_values), strict=True)
    )
