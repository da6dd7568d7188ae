"""Both ways to run a whole epoch as one step, held against Keras's own training loop."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from tasks.variants import VARIANTS, Variant, layer

pytestmark = pytest.mark.slow

SEED, BATCH_SIZE, EPOCHS = 42, 64, 3
LEARNING_RATE = 1e-3
TRAINERS = ["KernelTrainer", "EpochTrainer"]
SIMPLE_RNN = Variant("simple_rnn", (layer("SimpleRNN", units=8),))
SIMPLE_RNN_STACKED = Variant(
    "simple_rnn_stacked",
    (layer("SimpleRNN", units=8, dropout=0.3, return_sequences=True), layer("SimpleRNN", units=5, dropout=0.3)),
)


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


def make(kind, network, batch_size=BATCH_SIZE):
    import keras

    from tasks.epoch_program import EpochTrainer
    from tasks.kernel_trainer import KernelTrainer

    trainer = {"KernelTrainer": KernelTrainer, "EpochTrainer": EpochTrainer}[kind](network, batch_size)
    trainer.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), **trainer.COMPILE)
    return trainer


def use_given_masks(network):
    """Return a variable for each recurrent layer: the dropout mask that it takes instead of drawing one."""
    import tensorflow as tf

    masks = []
    for one in network.layers[1:-1]:
        masks.append(tf.Variable(tf.zeros((BATCH_SIZE, one.input.shape[-1]))))
        one.cell.get_dropout_mask = lambda inputs, mask=masks[-1]: mask[: tf.shape(inputs)[0]]
    return masks


def stock_validation_losses(variant, tokens, labels, drawn=None):
    """Train with Keras's own loop, batch by batch in the order of `shuffle_reviews`.

    Dropout masks are Keras's, or those that `KernelTrainer` has `drawn` for each epoch.
    """
    import keras

    from tasks.batches import shuffle_reviews

    network = build(variant)
    masks = use_given_masks(network) if drawn else []
    shuffled_tokens, shuffled_labels = shuffle_reviews(tokens[:800], labels[:800], SEED)
    network.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), loss="binary_crossentropy")
    losses = []
    for epoch in range(EPOCHS):
        for number, first in enumerate(range(0, 800, BATCH_SIZE)):
            for place, mask in enumerate(masks):
                mask.assign(drawn[epoch][place][number].T)
            batch = slice(first, first + BATCH_SIZE)
            network.train_on_batch(shuffled_tokens[batch].astype(np.int32), shuffled_labels[batch].astype(np.float32))
        losses.append(network.evaluate(tokens[800:].astype(np.int32), labels[800:].astype(np.float32), verbose=0))
    return losses


def fit(trainer, tokens, labels, callbacks=()):
    from tasks.batches import as_dataset, shuffle_reviews

    shuffled = shuffle_reviews(tokens[:800], labels[:800], SEED)
    return trainer.fit(
        as_dataset(trainer.stack_batches(*shuffled, training=True)),
        epochs=EPOCHS,
        steps_per_epoch=1,
        shuffle=False,
        validation_data=as_dataset(trainer.stack_batches(tokens[800:], labels[800:], training=False)),
        validation_steps=1,
        callbacks=list(callbacks),
        verbose=0,
    ).history


@pytest.mark.parametrize("kind", TRAINERS)
@pytest.mark.parametrize("variant", [*VARIANTS, SIMPLE_RNN], ids=lambda variant: variant.name)
def test_a_fast_and_a_stock_training_end_with_the_same_validation_loss(reviews, variant, kind):
    # Their dropout masks are drawn by other generators; three epochs from the same start still end close together.
    losses = fit(make(kind, build(variant)), *reviews)["val_loss"]
    np.testing.assert_allclose(losses, stock_validation_losses(variant, *reviews), atol=1e-3)


@pytest.mark.parametrize("variant", [*VARIANTS[1:3], SIMPLE_RNN_STACKED], ids=lambda variant: variant.name)
def test_with_the_same_dropout_masks_the_kernels_and_stock_keras_train_alike(reviews, variant, monkeypatch):
    from tasks.kernel_trainer import KernelTrainer

    drawn, draw = [], KernelTrainer._draw_masks
    monkeypatch.setattr(KernelTrainer, "_draw_masks", lambda self, count: drawn.append(draw(self, count)) or drawn[-1])
    losses = fit(make("KernelTrainer", build(variant)), *reviews)["val_loss"]
    np.testing.assert_allclose(losses, stock_validation_losses(variant, *reviews, drawn), atol=1e-5)


@pytest.mark.parametrize("kind", TRAINERS)
def test_the_loss_falls_and_the_figures_are_those_of_the_network(reviews, kind):
    tokens, labels = reviews
    trainer = make(kind, build(VARIANTS[1]))
    history = fit(trainer, tokens, labels)
    probabilities = trainer.network.predict(tokens[800:].astype(np.int32), verbose=0)[:, 0]
    assert history["val_accuracy"][-1] == pytest.approx(((probabilities > 0.5) == labels[800:]).mean(), abs=1e-6)
    assert history["loss"][2] < history["loss"][0]


@pytest.mark.parametrize("kind", TRAINERS)
@pytest.mark.parametrize("variant", [VARIANTS[3], SIMPLE_RNN_STACKED], ids=lambda variant: variant.name)
def test_predictions_are_those_of_the_stock_network_in_the_order_of_the_reviews(reviews, kind, variant):
    from tasks.batches import as_dataset

    tokens, labels = reviews
    trainer = make(kind, build(variant))
    predicted = trainer.predict(as_dataset(trainer.stack_batches(tokens, labels, training=False)), steps=1, verbose=0)
    stock = trainer.network.predict(tokens.astype(np.int32), verbose=0)[:, 0]
    np.testing.assert_allclose(predicted[:1000], stock, atol=1e-6)


@pytest.mark.parametrize("variant", [VARIANTS[0], SIMPLE_RNN], ids=lambda variant: variant.name)
def test_a_batch_that_does_not_fill_its_vectors_trains_as_in_stock_keras(reviews, variant):
    tokens, labels = reviews
    few, many = (fit(make(kind, build(variant), 50), tokens, labels) for kind in TRAINERS)
    np.testing.assert_allclose(few["val_loss"], many["val_loss"], atol=1e-5)
    np.testing.assert_allclose(few["loss"], many["loss"], atol=1e-5)


def test_the_optimizer_s_state_and_learning_rate_are_keras_s_own(reviews):
    import keras

    rates = []
    trainer = make("KernelTrainer", build(VARIANTS[0]))

    def halve(epoch, rate):
        rates.append(rate)
        return rate / 2

    history = fit(trainer, *reviews, callbacks=[keras.callbacks.LearningRateScheduler(halve)])
    assert rates == pytest.approx([1e-3, 5e-4, 2.5e-4])
    assert history["learning_rate"] == pytest.approx([5e-4, 2.5e-4, 1.25e-4])
    # 13 batches of up to 64 in 800 reviews.
    assert int(trainer.optimizer.iterations) == 3 * 13
    velocities = [variable for variable in trainer.optimizer.variables if "velocity" in variable.path]
    assert [tuple(one.shape) for one in velocities] == [tuple(one.shape) for one in trainer.network.trainable_variables]
    assert all(np.asarray(one).max() > 0 for one in velocities)


def test_dropout_masks_keep_the_mean_drop_the_share_and_change_with_each_epoch():
    trainer = make("KernelTrainer", build(VARIANTS[2]))
    first, second = trainer._draw_masks(100), trainer._draw_masks(100)
    for before, after, features in zip(first, second, (16, 8), strict=True):
        masks = np.stack(before)
        assert masks.shape == (100, features, 64)
        assert masks.dtype == np.float32
        assert set(np.unique(masks)) == {0.0, np.float32(1 / np.float32(0.7))}
        assert (masks == 0).mean() == pytest.approx(0.3, abs=0.01)
        assert (masks == 0).mean((0, 2)) == pytest.approx(np.full(features, 0.3), abs=0.03)
        assert (masks != np.stack(after)).any()
    assert (np.stack(first[0])[:, :8] != np.stack(first[1])).any()


def test_an_epoch_compiles_nothing(reviews):
    from tasks import cell_kernels, embedding_kernels

    kernels = (cell_kernels.lstm_forward, cell_kernels.lstm_backward, embedding_kernels.look_up)
    before = [kernel.signatures[:] for kernel in kernels]
    fit(make("KernelTrainer", build(VARIANTS[2])), *reviews)
    assert [kernel.signatures for kernel in kernels] == before
    assert [len(signatures) for signatures in before] == [1, 1, 1]


def test_an_xla_program_is_traced_once_for_all_epochs(reviews, monkeypatch):
    from tasks.epoch_program import EpochTrainer

    traced = []
    train_step = EpochTrainer.train_step
    monkeypatch.setattr(EpochTrainer, "train_step", lambda self, data: traced.append(1) or train_step(self, data))
    fit(make("EpochTrainer", build(VARIANTS[0])), *reviews)
    # Once to build the optimizer, and once to compile.
    assert len(traced) == 2


def test_a_last_batch_that_is_not_full_is_filled_up_with_reviews_of_no_weight():
    from tasks.batches import stack_batches

    tokens, labels, weights = stack_batches(np.array([[1, 2], [3, 4], [5, 6]], np.uint16), np.array([1, 0, 1]), 2)
    assert tokens.tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert labels.tolist() == [[1, 0], [1, 0]]
    assert weights.tolist() == [[1, 1], [1, 0]]


def test_the_kernels_get_their_batches_with_the_reviews_innermost():
    trainer = make("KernelTrainer", build(VARIANTS[0]), batch_size=2)
    tokens, labels, weights = trainer.stack_batches(
        np.array([[1, 2], [3, 4], [5, 6]], np.uint16), np.array([1, 0, 1]), training=True
    )
    assert tokens.shape == (2, 2, 16)
    assert tokens[:, :, :3].tolist() == [[[1, 3, 0], [2, 4, 0]], [[5, 0, 0], [6, 0, 0]]]
    assert labels[:, :3].tolist() == [[1, 0, 0], [1, 0, 0]]
    assert weights[:, :3].tolist() == [[1, 1, 0], [1, 0, 0]]


def test_a_seed_gives_its_order_again_and_another_seed_another(reviews):
    from tasks.batches import shuffle_reviews

    tokens, labels = shuffle_reviews(*reviews, seed=42)
    again, _ = shuffle_reviews(*reviews, seed=42)
    other, _ = shuffle_reviews(*reviews, seed=43)
    assert (tokens == again).all()
    assert (tokens != other).any()
    pairs = {(*review, label) for review, label in zip(reviews[0].tolist(), reviews[1].tolist(), strict=True)}
    assert {(*review, label) for review, label in zip(tokens.tolist(), labels.tolist(), strict=True)} == pairs
