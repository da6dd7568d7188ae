"""Train one variant as a flow run of its own, which any worker of the pool `training` takes."""

from __future__ import annotations

from prefect import flow

from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.processes.children import children_of_run
from tasks.train import PlannedTraining, TrainingInputs, train_variant
from tasks.training.training_request import TrainingParameters
from tasks.variants import BASELINES, VARIANTS, Variant


@flow(name="train-variant", flow_run_name="train {variant}, seed {seed}", persist_result=False)
def train_on_this_worker(
    variant: str,
    seed: int,
    parameters: TrainingParameters,
    padded: Dataset,
    minimal_pairs: StoredFile | None,
    store: str,
    run_folder: str,
    timeout_seconds: float,
) -> None:
    """Train one variant with one seed. The run reads the result from the store, so nothing is returned.

    Args:
        variant: The variant's name; its layers are those that this worker's code declares.
        seed: Seed of the weights, the batch order and the dropout masks.
        parameters: Hyperparameters.
        padded: The padded reviews.
        minimal_pairs: The padded minimal pairs, or None if there are none.
        store: A URI that means the same store on every worker.
        run_folder: The run's folder in the store.
        timeout_seconds: The training is ended after this time.

    Raises:
        ValueError: This worker's code declares no such variant, or the training refuses its input.
        ChildFailedError: The training's process failed, was killed, or took too long.
    """
    inputs = TrainingInputs(padded, minimal_pairs, parameters, Store(store), run_folder, timeout_seconds)
    with children_of_run() as children:
        train_variant(PlannedTraining(find_variant(variant), seed), inputs, children)


def find_variant(name: str) -> Variant:
    """Return a variant or a baseline by its name.

    Raises:
        ValueError: No variant has this name; the worker's code may be older than that of the run.
    """
    known = {variant.name: variant for variant in (*VARIANTS, *BASELINES)}
    if name not in known:
        raise ValueError(f"`variant` must be one of {', '.join(known)}. Received: variant={name}.")
    return known[name]
