"""Train a network that the compiled kernels know, under Keras's own `fit`.

`fit` and its callbacks see an epoch of one step. The weights, the RMSprop optimizer's state and the dropout layers'
seeds are Keras's: they are read when an epoch begins and written back when it ends.
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
    """Wraps a network that the kernels support, so that one step is a whole epoch; to be compiled with `COMPILE`.

    Steps take an `Epoch` and return the mean loss (binary cross-entropy) and accuracy over its reviews.
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
        """Cut an epoch into batches of equal shape, filled up with reviews of weight 0.

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
        tokens, labels, weights = (part.numpy() for part in data)
        self.optimizer.build(self.network.trainable_variables)
        network = self.arithmetic
        self._read_weights()
        # RMSprop's moving averages, one variable for each weight and in their order.
        averages = [variable for variable in self.optimizer.variables if "velocity" in variable.path]
        flat_velocities, velocities = network.make_views()
        read_variables(averages, velocities)
        # Read once: Keras takes longer to say its learning rate than a batch takes to be learned from.
        settings = [np.float32(getattr(self.optimizer, name)) for name in ("learning_rate", "rho", "epsilon")]
        masks = self._draw_masks(len(tokens))
        sums = np.zeros(3)
        for batch in range(len(tokens)):
            sums += self._add_up_gradients(
                tokens[batch], labels[batch], weights[batch], [mask[batch] for mask in masks]
            )
            apply_rmsprop(
                network.flat_weights, flat_velocities, network.flat_gradients, network.flat_squares, *settings
            )
            network.pack()
        write_variables(self.network.trainable_variables, network.weights)
        write_variables(averages, velocities)
        self.optimizer.iterations.assign_add(len(tokens))
        return _average(sums)

    def _add_up_gradients(
        self, tokens: Tokens, labels: Floats, weights: Floats, masks: list[Floats]
    ) -> npt.NDArray[np.float64]:
        network = self.arithmetic
        logits = network.forward(tokens, masks)
        d_logits = (_sigmoid(logits) - labels) * (weights / weights.sum())
        network.start_gradients()
        network.backward(d_logits, tokens, masks)
        network.finish_gradients()
        return _score(logits, labels, weights)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        tokens, labels, weights = (part.numpy() for part in data)
        self._read_weights()
        sums = np.zeros(3)
        for batch in range(len(tokens)):
            sums += _score(self._infer(tokens[batch]), labels[batch], weights[batch])
        return _average(sums)

    def predict_step(self, data: Any) -> Any:
        tokens, _, _ = (part.numpy() for part in data)
        self._read_weights()
        return tf.constant(np.concatenate([_sigmoid(self._infer(batch)) for batch in tokens]))

    def _read_weights(self) -> None:
        read_variables(self.network.trainable_variables, self.arithmetic.weights)
        self.arithmetic.pack()

    def _infer(self, tokens: Tokens) -> Floats:
        return self.arithmetic.forward(tokens, self.arithmetic.no_dropout[:-1])

    def _draw_masks(self, batches: int) -> list[list[Floats]]:
        """Return for each recurrent layer and batch a mask of 0 and 1 / (1 - dropout), (features, lanes).

        One for all time steps of a review, as Keras draws it. An epoch's masks come from one seed of the layer's own
        generator.
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
    """Return the weighted sums of the losses (binary cross-entropy) and hits, and the weight."""
    losses = np.logaddexp(0, logits, dtype=np.float64) - logits * labels
    hits = (logits > 0) == (labels > 0.5)
    return np.array([losses @ weights, hits @ weights, weights.sum()])


def _average(sums: npt.NDArray[np.float64]) -> dict[str, tf.Tensor]:
    return {"loss": tf.constant(sums[0] / sums[2]), "accuracy": tf.constant(sums[1] / sums[2])}
