"""Arrange reviews into the batches of an epoch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Tokens, labels, and weights: 1 for each review, 0 for a filler of the last batch.
Epoch = tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32], npt.NDArray[np.float32]]


def shuffle_reviews(
    tokens: npt.NDArray[np.uint16], labels: npt.NDArray[np.uint8], seed: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """Return the reviews in a random order that depends on the seed alone; every epoch uses this order.

    Keras's `fit` has one order for all epochs too if a seed is set, because its shuffle starts again with each epoch's
    iterator. The results depend on it: with a new order for each epoch, val_loss changes by 0.02 from epoch to epoch,
    and early stopping stops too early. The recipe's GRU then stopped after 23 epochs with a val_loss of 0.444, instead
    of 0.432 after 100 epochs.

    Args:
        tokens: uint16, (reviews, maxlen).
        labels: uint8, (reviews,).
        seed: Of the order.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    return tokens[order], labels[order]


def stack_batches(tokens: npt.NDArray[np.uint16], labels: npt.NDArray[np.uint8], batch_size: int) -> Epoch:
    """Cut an epoch into batches of equal shape; reviews of weight 0 fill the last one up.

    Args:
        tokens: uint16, (reviews, maxlen).
        labels: uint8, (reviews,), 0 or 1.
        batch_size: Reviews per batch.

    Returns:
        Tokens uint16 (batches, batch_size, maxlen), labels float32 and weights float32 (batches, batch_size).
    """
    batches = -(-len(labels) // batch_size)
    missing = batches * batch_size - len(labels)
    filled = np.pad(tokens, ((0, missing), (0, 0)))
    labels_and_weights = np.zeros((2, batches * batch_size), np.float32)
    labels_and_weights[:, : len(labels)] = labels, np.ones(len(labels))
    shape = (batches, batch_size)
    return filled.reshape(*shape, -1), labels_and_weights[0].reshape(shape), labels_and_weights[1].reshape(shape)


def as_dataset(epoch: Epoch) -> tf.data.Dataset:
    """Return a dataset that repeats the whole epoch as one element, for `fit`, `evaluate` or `predict` with one step.

    It repeats without end, and autotuning is off. Otherwise an iterator ends with each epoch and waits for TensorFlow's
    tuning thread, which can take as long as the epoch itself.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensors(epoch).repeat().with_options(options)
