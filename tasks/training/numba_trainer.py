"""Train a network with the compiled kernels, under Keras's own `fit`.

For `fit` and its callbacks, an epoch has one step. The weights, the state of the RMSprop optimizer and the seeds of the
dropout layers are Keras's: the step reads them when it begins, and writes them back when it ends.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tasks.kernels.embedding import Tokens
from tasks.kernels.tiles import LANES
from tasks.kernels.vectors import Floats, apply_rmsprop
from tasks.training.batches import Epoch, stack_batches
from tasks.training.keras_network import make_arithmetic, read_variables, write_variables


class NumbaTrainer(keras.Model):  # type: ignore[misc]  # keras has no types
    """Wraps a network that the kernels support, so that one step is a whole epoch.

    Call its `compile` with `COMPILE`, and give its steps an `Epoch` from `stack_batches`.
    """

    COMPILE = {"run_eagerly": True}  # noqa: RUF012 - Keras wraps what is annotated

    def __init__(self, network: keras.Sequential, batch_size: int) -> None:
        super().__init__()
        self.network = network
        self.batch_size = batch_size
        self.lanes = -(-batch_size // LANES) * LANES
        self.arithmetic = make_arithmetic(network, self.lanes)

    def call(self, tokens: Any, training: bool = False) -> Any:
        return self.network(tokens, training=training)

    def stack_batches(self, tokens: Tokens, labels: npt.NDArray[np.uint8], *, training: bool) -> Epoch:
        """Cut an epoch into batches of equal shape; reviews of weight 0 fill each batch up to `lanes`.

        Args:
            tokens: uint16, (reviews, maxlen).
            labels: uint8, (reviews,), 0 or 1.
            training: Whether batches have `batch_size` reviews. Otherwise they have as many as there are lanes.

        Returns:
            Tokens uint16 (batches, maxlen, lanes), labels float32 and weights float32 (batches, lanes).
        """
        size = self.batch_size if training else self.lanes
        stacked, *columns = stack_batches(tokens, labels, size)
        missing = (0, self.lanes - size)
        filled = np.pad(stacked, ((0, 0), missing, (0, 0)))
        padded_labels, weights = (np.pad(column, ((0, 0), missing)) for column in columns)
        return np.ascontiguousarray(filled.transpose(0, 2, 1)), padded_labels, weights

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Train on every batch of an epoch.

        Args:
            data: An `Epoch` as tensors, from `stack_batches`.

        Returns:
            "loss", the mean binary cross-entropy in nats, and "accuracy", 0 to 1, over the reviews of the epoch. Each
            batch is scored before its own update of the weights, with dropout, as in Keras.
        """
        tokens, labels, weights = (part.numpy() for part in data)
        self.optimizer.build(self.network.trainable_variables)
        network = self.arithmetic
        self._read_weights()
        # RMSprop's moving averages: one variable for each weight, in the same order.
        averages = [variable for variable in self.optimizer.variables if "velocity" in variable.path]
        flat_velocities, velocities = network.make_views()
        read_variables(averages, velocities)
        # Read once for the epoch, because reading the learning rate from Keras takes longer than a batch.
        settings = [np.float32(getattr(self.optimizer, name)) for name in ("learning_rate", "rho", "epsilon")]
        masks = self._draw_masks(len(tokens))
        sums = np.zeros(3)
        for batch in range(len(tokens)):
            sums += self._compute_gradients(
                tokens[batch], labels[batch], weights[batch], [mask[batch] for mask in masks]
            )
            apply_rmsprop(
                network.flat_weights, flat_velocities, network.flat_gradients, network.flat_squares, *settings
            )
            network.pack_weights()
        write_variables(self.network.trainable_variables, network.weights)
        write_variables(averages, velocities)
        self.optimizer.iterations.assign_add(len(tokens))
        return _average(sums)

    def _compute_gradients(
        self, tokens: Tokens, labels: Floats, weights: Floats, masks: list[Floats]
    ) -> npt.NDArray[np.float64]:
        """Write a batch's gradients to the arithmetic's arrays, and return the sums of `_score`."""
        network = self.arithmetic
        logits = network.forward(tokens, masks)
        d_logits = (_sigmoid(logits) - labels) * (weights / weights.sum())
        network.reset_gradients()
        network.backward(d_logits, tokens, masks)
        network.collect_gradients()
        return _score(logits, labels, weights)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Score every batch of an epoch without dropout; argument and result are those of `train_step`."""
        tokens, labels, weights = (part.numpy() for part in data)
        self._read_weights()
        sums = np.zeros(3)
        for batch in range(len(tokens)):
            sums += _score(self._infer(tokens[batch]), labels[batch], weights[batch])
        return _average(sums)

    def predict_step(self, data: Any) -> tf.Tensor:
        """Return the probability that each review is positive: float32, (batches * lanes,), fillers included."""
        tokens, _, _ = (part.numpy() for part in data)
        self._read_weights()
        return tf.constant(np.concatenate([_sigmoid(self._infer(batch)) for batch in tokens]))

    def _read_weights(self) -> None:
        read_variables(self.network.trainable_variables, self.arithmetic.weights)
        self.arithmetic.pack_weights()

    def _infer(self, tokens: Tokens) -> Floats:
        return self.arithmetic.forward(tokens, self.arithmetic.no_dropout[:-1])

    def _draw_masks(self, batches: int) -> list[list[Floats]]:
        """Return by recurrent layer and batch a dropout mask of 0 and 1 / (1 - rate): float32, (features, lanes).

        As in Keras, all time steps of a review have the same mask. One seed of the layer's own generator gives all
        masks of an epoch.
        """
        masks: list[list[Floats]] = []
        for place, (layer, cell) in enumerate(zip(self.network.layers[1:-1], self.arithmetic.cells, strict=True)):
            shape, rate = (batches, cell.features, self.lanes), np.float32(layer.cell.dropout)
            if rate == 0:
                masks.append([self.arithmetic.no_dropout[place]] * batches)
                continue
            seed = np.asarray(layer.cell.seed_generator.next()).tolist()
            drawn = np.random.Generator(np.random.Philox(seed)).random(shape, dtype=np.float32)
            masks.append(list((drawn >= rate).astype(np.float32) / (1 - rate)))
        return masks


def _sigmoid(logits: Floats) -> Floats:
    probabilities: Floats = np.float32(0.5) * np.tanh(np.float32(0.5) * logits) + np.float32(0.5)
    return probabilities


def _score(logits: Floats, labels: Floats, weights: Floats) -> npt.NDArray[np.float64]:
    """Return three sums over a batch, each review times its weight: binary cross-entropy, hits, and 1."""
    losses = np.logaddexp(0, logits, dtype=np.float64) - logits * labels
    hits = (logits > 0) == (labels > 0.5)
    return np.array([losses @ weights, hits @ weights, weights.sum()])


def _average(sums: npt.NDArray[np.float64]) -> dict[str, tf.Tensor]:
    """Return the mean loss and accuracy from the sums of `_score`."""
    return {"loss": tf.constant(sums[0] / sums[2]), "accuracy": tf.constant(sums[1] / sums[2])}
