"""The baselines that need no epochs: the majority class, and a logistic regression on counts of words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PADDING_TOKEN = 0


def predict_majority(train_labels: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.float64]:
    """Return the share of positive training reviews as every review's probability, float64, shape (count,).

    Where both classes are as many it counts as negative.

    Example:
        >>> predict_majority(np.array([True, False, True, True]), 2)
        array([0.75, 0.75])
    """
    return np.full(count, train_labels.mean())


def count_words(tokens: npt.NDArray[np.uint16], num_words: int) -> npt.NDArray[np.float64]:
    """Return how often each token stands in each review, padding aside, float64, shape (reviews, num_words).

    Example:
        >>> count_words(np.array([[0, 1, 3, 3]], np.uint16), num_words=4)
        array([[0., 1., 0., 2.]])
    """
    places = np.arange(len(tokens))[:, None] * num_words + tokens
    counts = np.bincount(places.ravel(), minlength=len(tokens) * num_words).reshape(len(tokens), num_words)
    counts[:, PADDING_TOKEN] = 0
    return counts.astype(np.float64)


def predict_bag_of_words(
    train: tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]],
    others: list[npt.NDArray[np.uint16]],
    num_words: int,
) -> list[npt.NDArray[np.float64]]:
    """Fit scikit-learn's `LogisticRegression` with its defaults on the square roots of word counts.

    The same tokens as the networks see, in no order. A square root keeps a word that stands there ten times from
    speaking ten times as loud.

    Args:
        train: Tokens uint16 (reviews, maxlen), and labels bool (reviews,).
        others: Tokens of the reviews to predict.
        num_words: Size of the vocabulary.

    Returns:
        For each of `others` the probabilities that the reviews are positive, float64, shape (reviews,).
    """
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    def features(tokens: npt.NDArray[np.uint16]) -> csr_array:
        return csr_array(np.sqrt(count_words(tokens, num_words)))

    model = LogisticRegression(max_iter=1000).fit(features(train[0]), train[1])
    return [model.predict_proba(features(tokens))[:, 1] for tokens in others]
