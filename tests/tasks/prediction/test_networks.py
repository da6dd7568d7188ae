"""NumPy and the compiled loops compute what Keras does, for each network that they take."""

import numpy as np
import pytest

from tasks.prediction.compiled_network import CompiledNetwork
from tasks.prediction.numpy_network import UnknownLayersError, read_network
from tests.networks import NETWORKS, build, save

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(0).integers(0, 500, (700, 20)).astype(np.uint16)


@pytest.mark.parametrize("name", NETWORKS)
def test_numpy_and_the_compiled_loops_give_keras_s_probabilities(name, tokens):
    network = build(NETWORKS[name])
    expected = network.predict(tokens.astype(np.int32), verbose=0)[:, 0]
    assert expected.std() > 0.01
    read = read_network(save(network))
    for threads in (1, 2):
        assert np.abs(read.predict(tokens, threads) - expected).max() < 1e-5
        assert np.abs(CompiledNetwork(read).predict(tokens, threads) - expected).max() < 1e-5


def test_no_reviews_have_no_probabilities():
    read = read_network(save(build(NETWORKS["gru"])))
    assert read.predict(np.zeros((0, 20), np.uint16)).shape == (0,)


@pytest.mark.parametrize(
    "layers",
    [
        [("LSTM", {"units": 4, "activation": "relu"})],
        [("GRU", {"units": 4, "reset_after": False})],
        [("LSTM", {"units": 4, "go_backwards": True})],
        [("Flatten", {})],
        [("LSTM", {"units": 4, "return_sequences": True}), ("GlobalMaxPooling1D", {})],
    ],
)
def test_other_layers_are_left_to_keras(layers):
    with pytest.raises(UnknownLayersError):
        read_network(save(build(layers)))


@pytest.mark.parametrize("content", [b"", b"nothing", save.__doc__.encode()])
def test_what_is_no_model_is_refused_in_one_line(content):
    with pytest.raises(ValueError, match=r"model\.keras must be a whole Keras model\. Received: "):
        read_network(content)
