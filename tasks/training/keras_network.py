"""Which Keras networks the compiled kernels compute, and how weights get from one to the other and back.

Weights, optimizer state and random state stay in the Keras objects: they are read at the start of an epoch and written
back at its end, so that callbacks, saving and the weights themselves are Keras's own.
"""

from __future__ import annotations

from typing import Any

import keras

from tasks.kernels.network import CELLS, RecurrentLayer, RecurrentNetwork
from tasks.kernels.vectors import Floats

# Keras's defaults, and the only values that are computed here.
_KNOWN_ARGUMENTS = {
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
    """Return whether the kernels compute this network: `CELLS` with Keras's defaults, units and dropout aside."""
    embedding, *recurrent, dense = network.layers
    return (
        type(embedding) is keras.layers.Embedding
        and not embedding.mask_zero
        and type(dense) is keras.layers.Dense
        and len(recurrent) > 0
        and all(_has_known_arguments(layer) for layer in recurrent)
        and all(layer.return_sequences for layer in recurrent[:-1])
        and not recurrent[-1].return_sequences
    )


def _has_known_arguments(layer: Any) -> bool:
    if type(layer) not in _LAYERS or layer.compute_dtype != "float32":
        return False
    config = layer.get_config()
    # The other implementation, which no config shows, drops out with a mask for each gate; a SimpleRNN has but one.
    return getattr(layer.cell, "implementation", 2) == 2 and all(
        config.get(name, value) == value for name, value in _KNOWN_ARGUMENTS.items()
    )


_LAYERS = {getattr(keras.layers, kind): kind for kind in CELLS}


def make_arithmetic(network: keras.Sequential, lanes: int) -> RecurrentNetwork:
    """Return the kernels' counterpart of a supported network, its weights still zero."""
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
