"""A whole epoch in one program, held against Keras's own training loop."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from tasks.variants import VARIANTS

pytestmark = pytest.mark.slow

SEED, BATCH_SIZE, EPOCHS = 42, 64, 3
LEARNING_RATE = 1e-3


@pytest.fixture(scope="module")
def reviews():
    """1,000 reviews of 30 tokens, positive when they hold more tokens above 60 than below; 40 of them fill a batch."""
    random = np.random.default_rng(SEED)
    tokens = random.integers(1, 120, (1000, 30)).astype(np.uint16)
    return tokens, ((tokens > 60).mean(1) > 0.5).astype(np.uint8)


def build(variant):
    import keras

    from tasks.training_child import build_network

    keras.utils.set_random_seed(SEED)
    return build_network([asdict(one) for one in variant.layers], 120, 16, 30)


def stock_validation_losses(variant, tokens, labels):
    """Train with Keras's own loop, batch by batch in the order of `shuffled_epochs`."""
    import keras

    network = build(variant)
    network.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), loss="binary_crossentropy")
    losses = []
    for epoch in range(EPOCHS):
        order = np.random.default_rng((SEED, epoch)).permutation(800)
        for first in range(0, 800, BATCH_SIZE):
            batch = order[first : first + BATCH_SIZE]
            network.train_on_batch(tokens[batch].astype(np.int32), labels[batch].astype(np.float32))
        losses.append(network.evaluate(tokens[800:].astype(np.int32), labels[800:].astype(np.float32), verbose=0))
    return losses


def fast_history(variant, tokens, labels):
    import keras
    import tensorflow as tf

    from tasks.epoch_program import EpochTrainer, shuffled_epochs, stack_batches

    trainer = EpochTrainer(build(variant))
    trainer.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), jit_compile=True)
    epochs = shuffled_epochs(tokens[:800], labels[:800], BATCH_SIZE, SEED)
    validation = tf.data.Dataset.from_tensors(stack_batches(tokens[800:], labels[800:], 200))
    history = trainer.fit(
        epochs, epochs=EPOCHS, steps_per_epoch=1, shuffle=False, validation_data=validation, verbose=0
    ).history
    return history, trainer.network


# Dropout draws a mask for the reviews that fill the last batch too, so its two runs see different masks.
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_fast_and_a_stock_training_end_with_the_same_validation_loss(reviews, name):
    variant = next(one for one in VARIANTS if one.name == name)
    history, _ = fast_history(variant, *reviews)
    np.testing.assert_allclose(history["val_loss"], stock_validation_losses(variant, *reviews), atol=1e-3)


def test_the_loss_falls_and_the_figures_are_those_of_the_network(reviews):
    tokens, labels = reviews
    history, network = fast_history(VARIANTS[1], tokens, labels)
    probabilities = network.predict(tokens[800:].astype(np.int32), verbose=0)[:, 0]
    assert history["val_accuracy"][-1] == pytest.approx(((probabilities > 0.5) == labels[800:]).mean(), abs=1e-6)
    assert history["loss"][2] < history["loss"][0]


def test_a_last_batch_that_is_not_full_is_filled_up_with_reviews_of_no_weight():
    from tasks.epoch_program import stack_batches

    tokens, labels, weights = stack_batches(np.array([[1, 2], [3, 4], [5, 6]], np.uint16), np.array([1, 0, 1]), 2)
    assert tokens.tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert labels.tolist() == [[1, 0], [1, 0]]
    assert weights.tolist() == [[1, 1], [1, 0]]


def test_each_epoch_has_another_order_and_a_seed_repeats_it(reviews):
    from tasks.epoch_program import shuffled_epochs

    one, again = (list(shuffled_epochs(*reviews, BATCH_SIZE, SEED).take(2).as_numpy_iterator()) for _ in range(2))
    for epoch, same in zip(one, again, strict=True):
        np.testing.assert_array_equal(epoch[0], same[0])
    assert (one[0][0] != one[1][0]).any()
    assert sorted(one[1][0].reshape(-1, 30)[:1000].tolist()) == sorted(reviews[0].tolist())
