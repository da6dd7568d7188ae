"""Baselines without epochs: the majority class, and a logistic regression on word counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PADDING_TOKEN = 0


def predict_majority(train_labels: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.float64]:
    """Return the share of positive training reviews as the probability of every review.

    If both classes are equally frequent, the probability is 0.5, which counts as negative.

    Args:
        train_labels: bool, shape (training reviews,): whether the review is positive.
        count: Number of reviews to predict.

    Returns:
        float64, shape (count,), 0 to 1.

    Example:
        >>> predict_majority(np.array([True, False, True, True]), 2)
        array([0.75, 0.75])
    """
    return np.full(count, train_labels.mean())


def count_words(tokens: npt.NDArray[np.uint16], num_words: int) -> npt.NDArray[np.float64]:
    """Return the number of occurrences of each token in each review, without padding.

    Args:
        tokens: uint16, shape (reviews, maxlen), below `num_words`.
        num_words: Size of the vocabulary.

    Returns:
        float64, shape (reviews, num_words).

    Example:
        >>> count_words(np.array([[0, 1, 3, 3]], np.uint16), num_words=4)
        array([[0., 1., 0., 2.]])
    """
    indices = np.arange(len(tokens))[:, None] * num_words + tokens
    counts = np.bincount(indices.ravel(), minlength=len(tokens) * num_words).reshape(len(tokens), num_words)
    counts[:, PADDING_TOKEN] = 0
    return counts.astype(np.float64)


def predict_bag_of_words(
    train: tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]],
    others: list[npt.NDArray[np.uint16]],
    num_words: int,
) -> list[npt.NDArray[np.float64]]:
    """Fit scikit-learn's `LogisticRegression` with its defaults on the square roots of word counts, and predict.

    Args:
        train: Tokens, uint16, shape (reviews, maxlen), and labels, bool, shape (reviews,). Both classes must occur.
        others: Tokens of the reviews to predict; each uint16, shape (reviews, maxlen).
        num_words: Size of the vocabulary.

    Returns:
        For each of `others`, the probabilities that the reviews are positive: float64, shape (reviews,), 0 to 1.
    """
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    # The square root reduces the weight of repeated words.
    def make_features(tokens: npt.NDArray[np.uint16]) -> csr_array:
        return csr_array(np.sqrt(count_words(tokens, num_words)))

    model = LogisticRegression(max_iter=1000).fit(make_features(train[0]), train[1])
    return [model.predict_proba(make_features(tokens))[:, 1] for tokens in others]
