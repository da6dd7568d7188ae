"""The layers that compute differently from Keras's own, held against them."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from tasks.variants import VARIANTS, layer

pytestmark = pytest.mark.slow

SEED = 1
REVIEWS, MAXLEN, NUM_WORDS, EMBEDDING_DIM = 7, 20, 50, 16


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


def build(layers):
    import keras

    from tasks.training_child import build_network

    keras.utils.set_random_seed(SEED)
    network = build_network([asdict(one) for one in layers], NUM_WORDS, EMBEDDING_DIM, MAXLEN)
    random = np.random.default_rng(SEED)
    for weight in network.trainable_variables:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return network


def outputs_and_gradients(tf, network, forward):
    """Return `forward`'s output and the loss's gradients, with the dropout generators where they were before."""
    generators = [one.cell.seed_generator for one in network.layers if hasattr(one, "cell")]
    states = [generator.state.numpy() for generator in generators]
    random = np.random.default_rng(SEED)
    tokens = tf.constant(random.integers(0, NUM_WORDS, (REVIEWS, MAXLEN)), tf.int32)
    labels = tf.constant(random.integers(0, 2, (REVIEWS, 1)), tf.float32)
    with tf.GradientTape() as tape:
        output = forward(tokens)
        loss = tf.reduce_mean((output - labels) ** 2)
    gradients = [tf.convert_to_tensor(one).numpy() for one in tape.gradient(loss, network.trainable_variables)]
    for generator, state in zip(generators, states, strict=True):
        generator.state.assign(state)
    return output.numpy(), gradients


@pytest.mark.parametrize("training", [False, True], ids=["dropout off", "dropout on"])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_fast_layers_give_the_outputs_and_gradients_of_stock_keras(tf, variant, training, monkeypatch):
    import keras

    from tasks import fast_layers
    from tasks.fast_layers import call_network

    def draw_as_keras_does(cell, batch):
        return keras.random.dropout(tf.ones((batch, cell.kernel.shape[0])), cell.dropout, seed=cell.seed_generator)

    monkeypatch.setattr(fast_layers, "_draw_dropout_mask", draw_as_keras_does)
    network = build(variant.layers)
    stock_output, stock_gradients = outputs_and_gradients(
        tf, network, lambda tokens: network(tokens, training=training)
    )
    # XLA draws other random numbers than TensorFlow from the same seed, so masks are the same only outside of it.
    compiled = tf.function(lambda tokens: call_network(network, tokens, training=training), jit_compile=not training)
    fast_output, fast_gradients = outputs_and_gradients(tf, network, compiled)
    np.testing.assert_allclose(fast_output, stock_output, atol=1e-6)
    for fast, stock in zip(fast_gradients, stock_gradients, strict=True):
        np.testing.assert_allclose(fast, stock, atol=2e-6 * np.abs(stock).max())


def test_dropout_draws_one_mask_per_review_and_another_one_for_the_next_batch(tf):
    from tasks.fast_layers import call_network

    network = build((layer("LSTM", units=8, dropout=0.3),))
    tokens = tf.ones((2, MAXLEN), tf.int32)
    compiled = tf.function(lambda tokens: call_network(network, tokens, training=True), jit_compile=True)
    first, second = compiled(tokens).numpy(), compiled(tokens).numpy()
    assert first[0] != first[1]
    assert (first != second).all()


def test_dropout_drops_the_share_it_is_told_and_keeps_the_mean(tf):
    from tasks import fast_layers

    cell = build((layer("LSTM", units=8, dropout=0.3),)).layers[1].cell
    masks = np.stack([fast_layers._draw_dropout_mask(cell, 64).numpy() for _ in range(100)])
    assert set(np.unique(masks)) == {0.0, np.float32(1 / 0.7)}
    assert masks.mean() == pytest.approx(1, abs=0.01)
    assert (masks == 0).mean((0, 1)) == pytest.approx(np.full(16, 0.3), abs=0.03)


@pytest.mark.parametrize(
    "layers",
    [
        (layer("SimpleRNN", units=8),),
        (layer("LSTM", units=8, recurrent_dropout=0.2),),
        (layer("GRU", units=8, reset_after=False),),
        (layer("GRU", units=8, activation="relu"),),
        (layer("LSTM", units=8, go_backwards=True),),
        (layer("LSTM", units=4, return_sequences=True), layer("GlobalMaxPooling1D")),
        (layer("GlobalAveragePooling1D"),),
    ],
    ids=lambda layers: " ".join(str(one) for one in layers),
)
def test_layers_that_are_not_known_are_left_to_keras(tf, layers):
    from tasks.fast_layers import call_network

    network = build(layers)
    tokens = tf.constant(np.random.default_rng(SEED).integers(0, NUM_WORDS, (REVIEWS, MAXLEN)), tf.int32)
    np.testing.assert_array_equal(call_network(network, tokens, training=False), network(tokens, training=False))
