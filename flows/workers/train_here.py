"""One training as a flow run of its own, which any worker of the pool `training` takes."""

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
    """Train one variant with one seed. What came of it is read from the store, so nothing is returned.

    Args:
        variant: Its name; the layers are those that this worker's code declares.
        seed: Of the weights, the batch order and the dropout masks.
        parameters: Hyperparameters.
        padded: The padded reviews.
        minimal_pairs: The padded minimal pairs, where there are any.
        store: A URI that means the same store on every worker.
        run_folder: Folder of the night's run in the store.
        timeout_seconds: After which the training is ended.
    """
    inputs = TrainingInputs(padded, minimal_pairs, parameters, Store(store), run_folder, timeout_seconds)
    with children_of_run() as children:
        train_variant(PlannedTraining(find_variant(variant), seed), inputs, children)


def find_variant(name: str) -> Variant:
    """Return a variant or a baseline by its name.

    Raises:
        ValueError: There is none; the worker's code may be older than the night's.
    """
    known = {variant.name: variant for variant in (*VARIANTS, *BASELINES)}
    if name not in known:
        raise ValueError(f"`variant` must be one of {', '.join(known)}. Received: variant={name}.")
    return known[name]
