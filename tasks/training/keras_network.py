"""Check whether the compiled kernels support a Keras network, and copy weights between both.

Weights, optimizer state and random state stay in the Keras objects. An epoch reads them at its start and writes them
back at its end, so that Keras's own callbacks and its saving work.
"""

from __future__ import annotations

from typing import Any

import keras

from tasks.kernels.network import CELLS, RecurrentLayer, RecurrentNetwork
from tasks.kernels.vectors import Floats

# Keras's defaults. The kernels support no other values.
_SUPPORTED_ARGUMENTS = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "recurrent_dropout": 0.0,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "reset_after": True,
    "kernel_regularizer": None,
    "recurrent_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
    "trainable": True,
}


def is_supported_by_kernels(network: keras.Sequential) -> bool:
    """Return whether the kernels support this network.

    It must be Embedding, one or more layers of `CELLS` and Dense. The recurrent layers may have any `units` and
    `dropout`, and Keras's defaults for all other arguments.
    """
    embedding, *recurrent, dense = network.layers
    return (
        type(embedding) is keras.layers.Embedding
        and not embedding.mask_zero
        and type(dense) is keras.layers.Dense
        and len(recurrent) > 0
        and all(_is_supported_layer(layer) for layer in recurrent)
        and all(layer.return_sequences for layer in recurrent[:-1])
        and not recurrent[-1].return_sequences
    )


def _is_supported_layer(layer: keras.layers.Layer) -> bool:
    if type(layer) not in _LAYERS or layer.compute_dtype != "float32":
        return False
    config = layer.get_config()
    # `get_config` does not show the implementation. With implementation 1, each gate has a dropout mask of its own. A
    # SimpleRNN has only one implementation.
    return getattr(layer.cell, "implementation", 2) == 2 and all(
        config.get(name, value) == value for name, value in _SUPPORTED_ARGUMENTS.items()
    )


_LAYERS = {getattr(keras.layers, kind): kind for kind in CELLS}


def make_arithmetic(network: keras.Sequential, lanes: int) -> RecurrentNetwork:
    """Return the kernels' counterpart of a supported network; its weights are zero.

    Args:
        network: One that `is_supported_by_kernels`.
        lanes: Reviews per batch, a multiple of `tasks.kernels.tiles.LANES`.
    """
    layers = [RecurrentLayer(_LAYERS[type(layer)], layer.units) for layer in network.layers[1:-1]]
    shapes = [tuple(variable.shape) for variable in network.trainable_variables]
    return RecurrentNetwork(layers, shapes, network.input_shape[1], lanes)


def read_variables(variables: list[Any], arrays: list[Floats]) -> None:
    """Copy Keras variables into arrays of their shapes."""
    for variable, array in zip(variables, arrays, strict=True):
        array[:] = variable.numpy()


def write_variables(variables: list[Any], arrays: list[Floats]) -> None:
    """Copy arrays into Keras variables of their shapes."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
