"""Train any Keras network with a whole epoch compiled into one XLA program.

For such small models, Python and `tf.data` need more time to start a step than the step itself takes. Therefore the
loop over the batches is inside the program. For `fit` and its callbacks, an epoch has one step. The network that is
trained and saved is the stock one.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tasks.training.batches import Epoch, stack_batches

EVALUATION_BATCH_SIZE = 500


class XlaTrainer(keras.Model):  # type: ignore[misc]  # keras has no types
    """Wraps a binary classifier so that one step is a whole epoch.

    Call its `compile` with `COMPILE`, and give its steps an `Epoch` from `stack_batches`.
    """

    COMPILE = {"jit_compile": True}  # noqa: RUF012 - Keras wraps what is annotated

    def __init__(self, network: keras.Model, batch_size: int) -> None:
        super().__init__()
        self.network = network
        self.batch_size = batch_size

    def call(self, tokens: Any, training: bool = False) -> Any:
        return self.network(tokens, training=training)

    def stack_batches(self, tokens: npt.NDArray[np.uint16], labels: npt.NDArray[np.uint8], *, training: bool) -> Epoch:
        """Cut an epoch into batches, as `tasks.training.batches.stack_batches` does.

        Args:
            tokens: uint16, (reviews, maxlen).
            labels: uint8, (reviews,), 0 or 1.
            training: Whether batches have `batch_size` reviews. Otherwise they have `EVALUATION_BATCH_SIZE` at most.
        """
        return stack_batches(tokens, labels, self.batch_size if training else min(EVALUATION_BATCH_SIZE, len(labels)))

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Train on every batch of an epoch.

        Args:
            data: An `Epoch` as tensors, from `stack_batches`.

        Returns:
            "loss", the mean binary cross-entropy in nats, and "accuracy", 0 to 1, over the reviews of the epoch. Each
            batch is scored before its own update of the weights, with dropout, as in Keras.
        """

        def train_on_batch(tokens: Any, labels: Any, weights: Any) -> Any:
            with tf.GradientTape() as tape:
                losses, hits = _score(labels, self.network(tokens, training=True))
                loss = tf.reduce_sum(losses * weights) / tf.reduce_sum(weights) + sum(self.network.losses)
            variables = self.network.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return tf.stack([tf.reduce_sum(losses * weights), tf.reduce_sum(hits * weights), tf.reduce_sum(weights)])

        return _loop_over_batches(train_on_batch, data)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Score every batch of an epoch without dropout; argument and result are those of `train_step`."""

        def score_batch(tokens: Any, labels: Any, weights: Any) -> Any:
            losses, hits = _score(labels, self.network(tokens, training=False))
            return tf.stack([tf.reduce_sum(losses * weights), tf.reduce_sum(hits * weights), tf.reduce_sum(weights)])

        return _loop_over_batches(score_batch, data)

    def predict_step(self, data: Any) -> tf.Tensor:
        """Return the probability that each review is positive: float32, (batches * batch size,), fillers included."""
        tokens, _, _ = data
        outputs = tf.map_fn(
            lambda batch: self.network(tf.cast(batch, tf.int32), training=False), tokens, fn_output_signature=tf.float32
        )
        return tf.reshape(outputs, (-1,))


def _score(labels: Any, outputs: Any) -> tuple[Any, Any]:
    """Return the binary cross-entropy of each review and whether its class is right, 1.0 or 0.0; both (batch,)."""
    probabilities = outputs[:, 0]
    losses = keras.losses.binary_crossentropy(labels[:, None], probabilities[:, None])
    return losses, tf.cast(tf.equal(probabilities > 0.5, labels > 0.5), tf.float32)


def _loop_over_batches(step: Any, epoch: Any) -> dict[str, tf.Tensor]:
    """Call `step` with each batch, add up its three sums (loss, hits, weight), and return the two means."""
    tokens, labels, weights = epoch

    def body(index: Any, sums: Any) -> Any:
        return index + 1, sums + step(tf.cast(tokens[index], tf.int32), labels[index], weights[index])

    start = (tf.constant(0), tf.zeros(3))
    _, sums = tf.while_loop(lambda index, _: index < tf.shape(tokens)[0], body, start)
    return {"loss": sums[0] / sums[2], "accuracy": sums[1] / sums[2]}
