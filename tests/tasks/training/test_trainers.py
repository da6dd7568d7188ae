"""Both trainers, whose step is a whole epoch, compared with Keras's own training loop."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tasks.variants import VARIANTS, Variant, layer

pytestmark = pytest.mark.slow

SEED, BATCH_SIZE, EPOCHS = 42, 64, 3
LEARNING_RATE = 1e-3
SIMPLE_RNN = Variant("simple_rnn", (layer("SimpleRNN", units=8),))
SIMPLE_RNN_STACKED = Variant(
    "simple_rnn_stacked",
    (layer("SimpleRNN", units=8, dropout=0.3, return_sequences=True), layer("SimpleRNN", units=5, dropout=0.3)),
)
GRU_AND_SIMPLE_RNN = Variant(
    "gru_and_simple_rnn", (layer("GRU", units=8, return_sequences=True), layer("SimpleRNN", units=5))
)
KNOWN = {one.name: one for one in (*VARIANTS, SIMPLE_RNN, SIMPLE_RNN_STACKED, GRU_AND_SIMPLE_RNN)}
# The largest difference of the validation losses to those of Keras's own loop. With dropout, the kernels and XLA draw
# other masks than Keras; XlaTrainer without XLA draws the same.
TRAINED = [
    ("NumbaTrainer", "lstm", 1e-5),
    ("NumbaTrainer", "lstm_dropout", 1e-3),
    ("NumbaTrainer", "lstm_stacked", 1e-3),
    ("NumbaTrainer", "gru", 1e-5),
    ("NumbaTrainer", "simple_rnn", 1e-5),
    ("NumbaTrainer", "gru_and_simple_rnn", 1e-5),
    # XLA takes seconds to compile a network of any size, so these two networks have all layers.
    ("XlaTrainer", "lstm_stacked", 2e-3),
    ("XlaTrainer", "gru_and_simple_rnn", 1e-5),
    ("XlaTrainer without XLA", "lstm_stacked", 1e-5),
]


@cache
def make_reviews():
    """Return 1,000 reviews of 30 tokens, positive if they have more tokens above 60 than below.

    The first 800 are to train on; 32 of them are left for the last batch.
    """
    random = np.random.default_rng(SEED)
    tokens = random.integers(1, 120, (1000, 30)).astype(np.uint16)
    return tokens, ((tokens > 60).mean(1) > 0.5).astype(np.uint8)


@pytest.fixture
def reviews():
    return make_reviews()


def build(name):
    import keras

    from tasks.training.training import build_network

    keras.utils.set_random_seed(SEED)
    return build_network(KNOWN[name].layers, 120, 16, 30)


def make(kind, name, batch_size=BATCH_SIZE):
    import keras

    from tasks.training.numba_trainer import NumbaTrainer
    from tasks.training.xla_trainer import XlaTrainer

    trainer = (NumbaTrainer if kind == "NumbaTrainer" else XlaTrainer)(build(name), batch_size)
    settings = trainer.COMPILE if kind != "XlaTrainer without XLA" else {"jit_compile": False}
    trainer.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), **settings)
    return trainer


def fit(trainer, callbacks=()):
    from tasks.training.batches import as_dataset, shuffle_reviews

    tokens, labels = make_reviews()
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


@cache
def train(kind, name):
    """Train once; return the trainer, the history, and one entry for each call of `train_step`."""
    trainer, calls = make(kind, name), []
    train_step = trainer.train_step
    trainer.train_step = lambda data: calls.append(1) or train_step(data)
    return trainer, fit(trainer), calls


def compile_stock(name):
    """Return a network for Keras's own loop, compiled without XLA and with its optimizer built."""
    import keras

    network = build(name)
    network.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), loss="binary_crossentropy", jit_compile=False)
    network.optimizer.build(network.trainable_variables)
    return network


def fit_stock(network, batch_size=BATCH_SIZE, callbacks=()):
    """Train with Keras's own loop, batch by batch in the order of `shuffle_reviews`, and return the history."""
    from tasks.training.batches import shuffle_reviews

    tokens, labels = make_reviews()
    shuffled = shuffle_reviews(tokens[:800], labels[:800], SEED)
    return network.fit(
        shuffled[0].astype(np.int32),
        shuffled[1].astype(np.float32),
        batch_size=batch_size,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=(tokens[800:].astype(np.int32), labels[800:].astype(np.float32)),
        validation_batch_size=200,
        callbacks=list(callbacks),
        verbose=0,
    ).history


@cache
def train_stock(name):
    """Train with Keras's own loop from the same weights, once in batches of 64 and once in batches of 50."""
    network = compile_stock(name)
    variables = [*network.variables, *network.optimizer.variables]
    start, histories = [variable.numpy() for variable in variables], {}
    for size in (BATCH_SIZE, 50):
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        histories[size] = fit_stock(network, size)
    return histories


def use_given_masks(network, drawn):
    """Return a callback that gives the recurrent layers the dropout masks that `NumbaTrainer` has `drawn`."""
    import keras
    import tensorflow as tf

    masks, epochs = [], []
    for one in network.layers[1:-1]:
        masks.append(tf.Variable(tf.zeros((BATCH_SIZE, one.input.shape[-1]))))
        one.cell.get_dropout_mask = lambda inputs, mask=masks[-1]: mask[: tf.shape(inputs)[0]]

    def assign(batch, logs):
        for place, mask in enumerate(masks):
            mask.assign(drawn[epochs[-1]][place][batch].T)

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epochs.append(epoch), on_train_batch_begin=assign
    )


def test_every_variant_is_trained_here():
    assert {name for kind, name, _ in TRAINED if kind == "NumbaTrainer"} >= {variant.name for variant in VARIANTS}


@pytest.mark.parametrize(("kind", "name", "tolerance"), TRAINED)
def test_a_fast_and_a_stock_training_end_with_the_same_validation_loss(kind, name, tolerance):
    losses, stock = train(kind, name)[1]["val_loss"], train_stock(name)[BATCH_SIZE]["val_loss"]
    np.testing.assert_allclose(losses, stock, atol=tolerance)


@pytest.mark.parametrize("name", ["lstm_dropout", "lstm_stacked", "simple_rnn_stacked"])
def test_with_the_same_dropout_masks_the_kernels_and_stock_keras_train_alike(name, monkeypatch):
    from tasks.training.numba_trainer import NumbaTrainer

    drawn, draw = [], NumbaTrainer._draw_masks
    monkeypatch.setattr(NumbaTrainer, "_draw_masks", lambda self, count: drawn.append(draw(self, count)) or drawn[-1])
    losses = fit(make("NumbaTrainer", name))["val_loss"]
    network = compile_stock(name)
    stock = fit_stock(network, callbacks=[use_given_masks(network, drawn)])["val_loss"]
    np.testing.assert_allclose(losses, stock, atol=1e-5)


@pytest.mark.parametrize(("kind", "name"), [("NumbaTrainer", "lstm_dropout"), ("XlaTrainer", "lstm_stacked")])
def test_the_loss_falls_and_the_figures_are_those_of_the_network(reviews, kind, name):
    tokens, labels = reviews
    trainer, history, _ = train(kind, name)
    probabilities = trainer.network.predict(tokens[800:].astype(np.int32), verbose=0)[:, 0]
    assert history["val_accuracy"][-1] == pytest.approx(((probabilities > 0.5) == labels[800:]).mean(), abs=1e-6)
    assert history["loss"][2] < history["loss"][0]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("NumbaTrainer", "gru"),
        ("NumbaTrainer", "simple_rnn_stacked"),
        ("XlaTrainer", "lstm_stacked"),
        ("XlaTrainer", "gru_and_simple_rnn"),
    ],
)
def test_predictions_are_those_of_the_stock_network_in_the_order_of_the_reviews(reviews, kind, name):
    from tasks.training.batches import as_dataset

    tokens, labels = reviews
    trainer = train(kind, name)[0]
    predicted = trainer.predict(as_dataset(trainer.stack_batches(tokens, labels, training=False)), steps=1, verbose=0)
    stock = trainer.network.predict(tokens.astype(np.int32), verbose=0)[:, 0]
    np.testing.assert_allclose(predicted[:1000], stock, atol=1e-6)


@pytest.mark.parametrize("name", ["lstm", "simple_rnn"])
def test_a_batch_that_does_not_fill_its_vectors_trains_as_in_stock_keras(name):
    few, stock = fit(make("NumbaTrainer", name, batch_size=50)), train_stock(name)[50]
    np.testing.assert_allclose(few["val_loss"], stock["val_loss"], atol=1e-5)
    np.testing.assert_allclose(few["loss"], stock["loss"], atol=1e-5)


def test_the_optimizer_s_state_and_learning_rate_are_keras_s_own():
    import keras

    rates = []
    trainer = make("NumbaTrainer", "lstm")

    def halve(epoch, rate):
        rates.append(rate)
        return rate / 2

    history = fit(trainer, callbacks=[keras.callbacks.LearningRateScheduler(halve)])
    assert rates == pytest.approx([1e-3, 5e-4, 2.5e-4])
    assert history["learning_rate"] == pytest.approx([5e-4, 2.5e-4, 1.25e-4])
    # 13 batches of up to 64 in 800 reviews.
    assert int(trainer.optimizer.iterations) == 3 * 13
    velocities = [variable for variable in trainer.optimizer.variables if "velocity" in variable.path]
    assert [tuple(one.shape) for one in velocities] == [tuple(one.shape) for one in trainer.network.trainable_variables]
    assert all(np.asarray(one).max() > 0 for one in velocities)


def test_dropout_masks_keep_the_mean_drop_the_share_and_change_with_each_epoch():
    trainer = make("NumbaTrainer", "lstm_stacked")
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


def test_an_epoch_compiles_nothing():
    from tasks.kernels import embedding as embedding_kernels
    from tasks.kernels import recurrence as cell_kernels

    kernels = (cell_kernels.lstm_forward, cell_kernels.lstm_backward, embedding_kernels.look_up)
    before = [kernel.signatures[:] for kernel in kernels]
    fit(make("NumbaTrainer", "lstm_stacked"))
    assert [kernel.signatures for kernel in kernels] == before
    assert [len(signatures) for signatures in before] == [1, 1, 1]


def test_an_xla_program_is_traced_once_for_all_epochs():
    # Once to build the optimizer, and once to compile.
    assert len(train("XlaTrainer", "lstm_stacked")[2]) == 2


def test_a_last_batch_that_is_not_full_is_filled_up_with_reviews_of_no_weight():
    from tasks.training.batches import stack_batches

    tokens, labels, weights = stack_batches(np.array([[1, 2], [3, 4], [5, 6]], np.uint16), np.array([1, 0, 1]), 2)
    assert tokens.tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert labels.tolist() == [[1, 0], [1, 0]]
    assert weights.tolist() == [[1, 1], [1, 0]]


def test_the_kernels_get_their_batches_with_the_reviews_innermost():
    trainer = make("NumbaTrainer", "lstm", batch_size=2)
    tokens, labels, weights = trainer.stack_batches(
        np.array([[1, 2], [3, 4], [5, 6]], np.uint16), np.array([1, 0, 1]), training=True
    )
    assert tokens.shape == (2, 2, 16)
    assert tokens[:, :, :3].tolist() == [[[1, 3, 0], [2, 4, 0]], [[5, 0, 0], [6, 0, 0]]]
    assert labels[:, :3].tolist() == [[1, 0, 0], [1, 0, 0]]
    assert weights[:, :3].tolist() == [[1, 1, 0], [1, 0, 0]]


def test_a_seed_gives_its_order_again_and_another_seed_another(reviews):
    from tasks.training.batches import shuffle_reviews

    tokens, labels = shuffle_reviews(*reviews, seed=42)
    again, _ = shuffle_reviews(*reviews, seed=42)
    other, _ = shuffle_reviews(*reviews, seed=43)
    assert (tokens == again).all()
    assert (tokens != other).any()
    pairs = {(*review, label) for review, label in zip(reviews[0].tolist(), reviews[1].tolist(), strict=True)}
    assert {(*review, label) for review, label in zip(tokens.tolist(), labels.tolist(), strict=True)} == pairs
