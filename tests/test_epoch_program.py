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
    """Train with Keras's own loop, batch by batch in the order of `shuffle_reviews`."""
    import keras

    from tasks.epoch_program import shuffle_reviews

    network = build(variant)
    shuffled_tokens, shuffled_labels = shuffle_reviews(tokens[:800], labels[:800], SEED)
    network.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), loss="binary_crossentropy")
    losses = []
    for _ in range(EPOCHS):
        for first in range(0, 800, BATCH_SIZE):
            batch = slice(first, first + BATCH_SIZE)
            network.train_on_batch(shuffled_tokens[batch].astype(np.int32), shuffled_labels[batch].astype(np.float32))
        losses.append(network.evaluate(tokens[800:].astype(np.int32), labels[800:].astype(np.float32), verbose=0))
    return losses


def fast_history(variant, tokens, labels):
    import keras

    from tasks.epoch_program import EpochTrainer, as_dataset, shuffle_reviews, stack_batches

    trainer = EpochTrainer(build(variant))
    trainer.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), jit_compile=True)
    shuffled = shuffle_reviews(tokens[:800], labels[:800], SEED)
    history = trainer.fit(
        as_dataset(stack_batches(*shuffled, BATCH_SIZE)),
        epochs=EPOCHS,
        shuffle=False,
        validation_data=as_dataset(stack_batches(tokens[800:], labels[800:], 200)),
        verbose=0,
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


def test_a_seed_gives_its_order_again_and_another_seed_another(reviews):
    from tasks.epoch_program import shuffle_reviews

    tokens, labels = shuffle_reviews(*reviews, seed=42)
    again, _ = shuffle_reviews(*reviews, seed=42)
    other, _ = shuffle_reviews(*reviews, seed=43)
    assert (tokens == again).all()
    assert (tokens != other).any()
    pairs = {(*review, label) for review, label in zip(reviews[0].tolist(), reviews[1].tolist(), strict=True)}
    assert {(*review, label) for review, label in zip(tokens.tolist(), labels.tolist(), strict=True)} == pairs
