"""Measure whether new reviews differ from the old ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
BINS = 10
SIGNIFICANCE = 0.05
LEAST_REVIEWS = 100
MOST_REVIEWS = 2000
FOLDS, SEED, WORDS_SHOWN = 5, 42, 10
# Words in fewer reviews than this are left out, and all but the most frequent.
LEAST_TEXTS, MOST_WORDS = 5, 3000


def population_stability(old: Counts, new: Counts) -> float:
    """Return the population stability index of two samples in the same bins; 0 if they are equal.

    The sum over bins of (p - q) ln(p / q), with half a review added to each bin so that none is empty.

    Source: Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
    Validation 14(4), 2020.

    Example:
        >>> round(population_stability(np.array([50, 50]), np.array([80, 20])), 2)
        0.41
    """
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (old, new))
    return float(((p - q) * np.log(p / q)).sum())


def critical_stability(old: int, new: int, bins: int) -> float:
    """Return the population stability index that equal populations exceed once in 20 times.

    It is distributed as (1/n + 1/m) times chi-square with one degree of freedom fewer than bins; same source.

    Args:
        old: Number of old reviews.
        new: Number of new reviews.
        bins: Number of bins.
    """
    from scipy.stats import chi2

    return float((1 / old + 1 / new) * chi2.ppf(1 - SIGNIFICANCE, bins - 1))


def count_in_bins(old: npt.NDArray[np.integer], new: npt.NDArray[np.integer]) -> tuple[Counts, Counts]:
    """Return how many of each fall between the deciles of the old values: int64, shape (bins,) each."""
    edges = np.unique(np.quantile(old, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = len(edges) + 1
    binned = [np.bincount(np.searchsorted(edges, values, side="right"), minlength=bins) for values in (old, new)]
    return binned[0], binned[1]


def tell_apart(old: Sequence[str], new: Sequence[str]) -> tuple[float, tuple[str, ...]]:
    """Return how well a classifier tells new texts from old ones, and the words by which it does.

    A logistic regression on the presence of words predicts each text out of fold. Both sides are as large.

    Args:
        old: Old texts, at least `LEAST_REVIEWS`.
        new: New texts, at least as many.

    Returns:
        The area under the ROC curve, 0.5 if they cannot be told apart; and the words that speak most for "new".
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    size = min(len(old), len(new), MOST_REVIEWS)
    texts, is_new = [*old[:size], *new[:size]], np.repeat([0, 1], size)
    vectorizer = CountVectorizer(binary=True, min_df=LEAST_TEXTS, max_features=MOST_WORDS, token_pattern=r"(?u)\S+")  # noqa: S106
    try:
        counts = vectorizer.fit_transform(texts)
    # Not one word is in enough texts.
    except ValueError:
        return 0.5, ()
    model = LogisticRegression(C=0.05, max_iter=200, solver="liblinear", random_state=SEED)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    predicted = cross_val_predict(model, counts, is_new, cv=folds, method="predict_proba")[:, 1]
    weights = model.fit(counts, is_new).coef_[0]
    names = vectorizer.get_feature_names_out()
    strongest = [str(names[place]) for place in np.argsort(-weights, kind="stable")[:WORDS_SHOWN] if weights[place] > 0]
    return float(roc_auc_score(is_new, predicted)), tuple(strongest)
