"""Time the epochs of one training with one engine; a process of its own, so that peers can run in another environment.

`python epochs.py ENGINE VARIANT DATA EPOCHS` prints one line of JSON: the seconds of each epoch, validation included,
and the last validation loss. DATA is an .npz of padded reviews. Imports nothing of this project but for `ours`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NUM_WORDS, EMBEDDING_DIM, UNITS, BATCH_SIZE, LEARNING_RATE, SEED = 500, 16, 8, 64, 1e-4, 42
RECURRENT = {
    "lstm": [("LSTM", {})],
    "lstm_dropout": [("LSTM", {"dropout": 0.3})],
    "lstm_stacked": [("LSTM", {"dropout": 0.3, "return_sequences": True}), ("LSTM", {"dropout": 0.3})],
    "gru": [("GRU", {})],
}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")


def time_keras(variant, data, epochs):
    """Stock Keras, as the book's notebook has it: `fit` on arrays, with nothing set that makes it faster."""
    import keras

    keras.utils.set_random_seed(SEED)
    middle = [getattr(keras.layers, name)(UNITS, **arguments) for name, arguments in RECURRENT[variant]]
    model = keras.Sequential(
        [
            keras.Input((data["train_tokens"].shape[1],)),
            keras.layers.Embedding(NUM_WORDS, EMBEDDING_DIM),
            *middle,
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.RMSprop(LEARNING_RATE), loss="binary_crossentropy", metrics=["accuracy"])
    seconds, losses = [], []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, _epoch, _logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, _epoch, logs=None):
            seconds.append(time.perf_counter() - self.began)
            losses.append(float(logs["val_loss"]))

    stopping = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    model.fit(
        data["train_tokens"],
        data["train_labels"],
        epochs=epochs,
        batch_size=BATCH_SIZE,
        validation_data=(data["validation_tokens"], data["validation_labels"]),
        callbacks=[stopping, Clock()],
        verbose=0,
    )
    return seconds, losses


def time_torch(variant, data, epochs):
    """PyTorch's own layers in the loop that its tutorials have, on one thread."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    layers = RECURRENT[variant]
    kind, dropout = getattr(torch.nn, layers[0][0]), layers[0][1].get("dropout", 0)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(NUM_WORDS, EMBEDDING_DIM)
            features = [EMBEDDING_DIM, *[UNITS] * len(layers)]
            self.recurrent = torch.nn.ModuleList(kind(features[i], UNITS, batch_first=True) for i in range(len(layers)))
            self.output = torch.nn.Linear(UNITS, 1)

        def forward(self, tokens):
            sequence = self.embedding(tokens)
            for layer in self.recurrent:
                if dropout and self.training:
                    mask = torch.nn.functional.dropout(torch.ones(len(tokens), 1, sequence.shape[2]), dropout)
                    sequence = sequence * mask
                sequence, _ = layer(sequence)
            return self.output(sequence[:, -1])[:, 0]

    network, score = Network(), torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.RMSprop(network.parameters(), lr=LEARNING_RATE, alpha=0.9, eps=1e-7)
    parts = {name: torch.from_numpy(data[name].astype(np.int64)) for name in ("train_tokens", "validation_tokens")}
    parts |= {name: torch.from_numpy(data[name].astype(np.float32)) for name in ("train_labels", "validation_labels")}
    seconds, losses = [], []
    for _ in range(epochs):
        began = time.perf_counter()
        network.train()
        for batch in torch.randperm(len(parts["train_labels"])).split(BATCH_SIZE):
            optimizer.zero_grad()
            score(network(parts["train_tokens"][batch]), parts["train_labels"][batch]).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            outputs = torch.cat([network(batch) for batch in parts["validation_tokens"].split(BATCH_SIZE)])
            losses.append(float(score(outputs, parts["validation_labels"])))
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def time_ours(variant, data, epochs):
    """The project's own training, as its child process runs it."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import keras
    import pyarrow as pa

    from storage.records import Dataset
    from tasks.training.fitting import fit, make_trainer
    from tasks.training.training import build_network
    from tasks.training.training_request import TrainingParameters, TrainingRequest
    from tasks.variants import VARIANTS

    keras.utils.set_random_seed(SEED)
    maxlen = data["train_tokens"].shape[1]
    declared = next(one for one in VARIANTS if one.name == variant)
    network = build_network(declared.layers, NUM_WORDS, EMBEDDING_DIM, maxlen)
    parameters = TrainingParameters(NUM_WORDS, maxlen, EMBEDDING_DIM, epochs, BATCH_SIZE, 3, LEARNING_RATE)
    tables = {}
    for part in ("train", "validation"):
        tokens = pa.FixedSizeListArray.from_arrays(pa.array(data[f"{part}_tokens"].reshape(-1)), maxlen)
        tables[part] = pa.table({"tokens": tokens, "label": data[f"{part}_labels"]})
    padded = Dataset("pad", "0" * 16, {}, {}, "benchmark")
    # Its checkpoints are a part of what an epoch costs.
    with tempfile.TemporaryDirectory() as folder:
        request = TrainingRequest(declared, SEED, parameters, padded, None, folder, "training", time.time())
        trainer = make_trainer(network, BATCH_SIZE, LEARNING_RATE)
        history = fit(trainer, tables, request, lambda _event: None)
    return history["seconds"].to_pylist(), history["val_loss"].to_pylist()


ENGINES = {"ours": time_ours, "notebook": time_keras, "jax": time_keras, "torch": time_torch}
# The notebook has both cores, as it would on a laptop.
ENVIRONMENTS = {
    "ours": {"KERAS_BACKEND": "tensorflow", **ONE_THREAD},
    "notebook": {"KERAS_BACKEND": "tensorflow"},
    "jax": {"KERAS_BACKEND": "jax"},
    "torch": ONE_THREAD,
}

if __name__ == "__main__":
    engine, variant, path, epochs = sys.argv[1:]
    os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "3"} | ENVIRONMENTS[engine])
    with np.load(path) as archive:
        data = dict(archive)
    began = time.perf_counter()
    seconds, losses = ENGINES[engine](variant, data, int(epochs))
    print(json.dumps({"seconds": seconds, "val_loss": losses, "whole": time.perf_counter() - began}))
