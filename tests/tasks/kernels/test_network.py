"""The compiled kernels, compared with the stock Keras layers that they replace."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.variants import VARIANTS, layer

pytestmark = pytest.mark.slow

SEED = 1
REVIEWS, MAXLEN, NUM_WORDS, EMBEDDING_DIM = 16, 21, 50, 16
OTHER_NETWORKS = {
    "odd sizes": ((layer("LSTM", units=5),), 10),
    "simple_rnn": ((layer("SimpleRNN", units=8),), EMBEDDING_DIM),
    "simple_rnn_stacked": (
        (layer("SimpleRNN", units=8, dropout=0.3, return_sequences=True), layer("SimpleRNN", units=8, dropout=0.3)),
        EMBEDDING_DIM,
    ),
    # Rows and columns of the weights: 15 and 5, then 6 and 1, then 3 and 2.
    "simple_rnn of odd sizes": (
        (
            layer("SimpleRNN", units=5, return_sequences=True),
            layer("SimpleRNN", units=1, return_sequences=True),
            layer("SimpleRNN", units=2),
        ),
        10,
    ),
    "three kinds": (
        (
            layer("GRU", units=6, return_sequences=True),
            layer("LSTM", units=3, return_sequences=True),
            layer("SimpleRNN", units=7, return_sequences=True),
            layer("GRU", units=9, dropout=0.5),
        ),
        12,
    ),
}
NETWORKS = {variant.name: (variant.layers, EMBEDDING_DIM) for variant in VARIANTS} | OTHER_NETWORKS


def build(layers, embedding_dim=EMBEDDING_DIM):
    import keras

    from tasks.training.training import build_network

    keras.utils.set_random_seed(SEED)
    network = build_network(layers, NUM_WORDS, embedding_dim, MAXLEN)
    random = np.random.default_rng(SEED)
    for weight in network.trainable_variables:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return network


def draw(network, *, dropout):
    """Return tokens, labels, and for the input of each recurrent layer a mask whose zeros are always the same."""
    random = np.random.default_rng(SEED)
    tokens = random.integers(0, NUM_WORDS, (REVIEWS, MAXLEN)).astype(np.uint16)
    labels = random.integers(0, 2, REVIEWS).astype(np.float32)
    features = [network.layers[0].output_dim, *(one.units for one in network.layers[1:-2])]
    masks = [
        ((random.random((REVIEWS, count)) >= 0.3) / 0.7 if dropout else np.ones((REVIEWS, count))).astype(np.float32)
        for count in features
    ]
    return tokens, labels, masks


def stock_outputs_and_gradients(network, tokens, labels, masks):
    """Return the probabilities and gradients of stock layers, with the given dropout masks.

    The input of a layer is multiplied by the same mask at all steps, as Keras does.
    """
    import keras
    import tensorflow as tf

    embedding, *recurrent, dense = network.layers
    with tf.GradientTape() as tape:
        sequence = embedding(tokens.astype(np.int32))
        for one, mask in zip(recurrent, masks, strict=True):
            sequence = one(sequence * mask[:, None, :], training=False)
        outputs = dense(sequence)
        loss = tf.reduce_mean(keras.losses.binary_crossentropy(labels[:, None], outputs))
    gradients = tape.gradient(loss, network.trainable_variables)
    return outputs.numpy()[:, 0], gradients


def fast_outputs_and_gradients(network, tokens, labels, masks):
    from tasks.training.keras_network import make_arithmetic, read_variables

    fast = make_arithmetic(network, REVIEWS)
    read_variables(network.trainable_variables, fast.weights)
    fast.pack_weights()
    columns = np.ascontiguousarray(tokens.T), [np.ascontiguousarray(mask.T) for mask in masks]
    probabilities = 1 / (1 + np.exp(-fast.forward(*columns)))
    fast.reset_gradients()
    fast.backward((probabilities - labels) / REVIEWS, *columns)
    fast.collect_gradients()
    return probabilities, fast


@pytest.mark.parametrize("dropout", [False, True], ids=["without masks", "with masks"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_kernels_give_the_outputs_and_gradients_of_stock_keras(name, dropout):
    import tensorflow as tf

    network = build(*NETWORKS[name])
    drawn = draw(network, dropout=dropout)
    stock, stock_gradients = stock_outputs_and_gradients(network, *drawn)
    probabilities, fast = fast_outputs_and_gradients(network, *drawn)
    np.testing.assert_allclose(probabilities, stock, atol=1e-6)
    for gradient, stock_gradient in zip(fast.gradients, stock_gradients, strict=True):
        expected = tf.convert_to_tensor(stock_gradient).numpy()
        np.testing.assert_allclose(gradient, expected, atol=3e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["lstm", "simple_rnn", "simple_rnn of odd sizes"])
def test_the_squares_of_an_embedding_s_gradient_are_summed_word_by_word_as_keras_does(name):
    network = build(*NETWORKS[name])
    drawn = draw(network, dropout=False)
    rows = stock_outputs_and_gradients(network, *drawn)[1][0]
    expected = np.zeros(rows.dense_shape.numpy())
    np.add.at(expected, rows.indices.numpy(), rows.values.numpy().astype(np.float64) ** 2)
    fast = fast_outputs_and_gradients(network, *drawn)[1]
    np.testing.assert_allclose(fast.squares[0], expected, atol=3e-6 * expected.max())
    assert (fast.squares[0] < 0.9 * fast.gradients[0] ** 2).any()


def test_the_squares_of_all_other_gradients_are_their_own():
    network = build(VARIANTS[3].layers)
    fast = fast_outputs_and_gradients(network, *draw(network, dropout=False))[1]
    for square, gradient in zip(fast.squares[1:], fast.gradients[1:], strict=True):
        np.testing.assert_array_equal(square, gradient**2)


def test_an_rmsprop_step_is_that_of_keras():
    import keras

    from tasks.kernels.vectors import apply_rmsprop

    random = np.random.default_rng(SEED)
    start, gradients = random.normal(size=100).astype(np.float32), random.normal(size=(3, 100)).astype(np.float32)
    variable = keras.Variable(start)
    optimizer = keras.optimizers.RMSprop(0.01)
    weights, velocities = start.copy(), np.zeros(100, np.float32)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        settings = np.float32(0.01), np.float32(optimizer.rho), np.float32(optimizer.epsilon)
        apply_rmsprop(weights, velocities, gradient, gradient**2, *settings)
    np.testing.assert_allclose(weights, variable.numpy(), atol=1e-6)


def test_the_tangent_is_within_three_tenmillionths_and_lets_nan_through():
    from tasks.kernels.vectors import tanh_inplace

    numbers = np.linspace(-12, 12, 100_001, dtype=np.float32)
    results = numbers.copy()
    tanh_inplace(results)
    np.testing.assert_allclose(results, np.tanh(numbers.astype(np.float64)), atol=3e-7)
    hostile = np.array([np.nan, np.inf, -np.inf, 0], np.float32)
    tanh_inplace(hostile)
    np.testing.assert_allclose(hostile, [np.nan, 1, -1, 0], atol=3e-7)


@pytest.mark.parametrize(
    "layers",
    [
        (layer("Conv1D", filters=8, kernel_size=3), layer("LSTM", units=8)),
        (layer("SimpleRNN", units=8, activation="relu"),),
        (layer("SimpleRNN", units=8, recurrent_dropout=0.2),),
        (layer("LSTM", units=8, recurrent_dropout=0.2),),
        (layer("GRU", units=8, reset_after=False),),
        (layer("GRU", units=8, activation="relu"),),
        (layer("LSTM", units=8, go_backwards=True),),
        (layer("LSTM", units=8, kernel_regularizer="l2"),),
        (layer("LSTM", units=8, dropout=0.3, implementation=1),),
        (layer("GRU", units=8, dtype="float16"),),
        (layer("GRU", units=8, trainable=False),),
        (layer("LSTM", units=4, return_sequences=True), layer("GlobalMaxPooling1D")),
        (layer("GlobalAveragePooling1D"),),
    ],
    ids=lambda layers: " ".join(str(one) for one in layers),
)
def test_layers_that_the_kernels_do_not_know_are_left_to_keras(layers):
    from tasks.training.fitting import make_trainer
    from tasks.training.xla_trainer import XlaTrainer

    network = build(layers)
    assert isinstance(make_trainer(network, 64, 1e-4), XlaTrainer)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_that_the_kernels_know_are_computed_by_them(name):
    from tasks.training.fitting import make_trainer
    from tasks.training.numba_trainer import NumbaTrainer

    network = build(*NETWORKS[name])
    assert isinstance(make_trainer(network, 64, 1e-4), NumbaTrainer)
