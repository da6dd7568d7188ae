"""One training as a flow run of its own, which any worker of the pool `training` takes."""

from __future__ import annotations

from typing import Any

from prefect import flow

from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.processes.supervisor import supervise_children
from tasks.train import TrainingParameters, train_variant
from tasks.variants import BASELINES, VARIANTS, Variant


@flow(name="train-variant", flow_run_name="train {variant}, seed {seed}", persist_result=False)
def train_on_this_worker(
    variant: str,
    seed: int,
    parameters: dict[str, Any],
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
        parameters: The fields of `TrainingParameters`.
        padded: The padded reviews.
        minimal_pairs: The padded minimal pairs, where there are any.
        store: A URI that means the same store on every worker.
        run_folder: Folder of the night's run in the store.
        timeout_seconds: After which the training is ended.
    """
    with supervise_children():
        train_variant(
            padded=padded,
            variant=find_variant(variant),
            seed=seed,
            parameters=TrainingParameters(**parameters),
            store=Store(store),
            run_folder=run_folder,
            timeout_seconds=timeout_seconds,
            minimal_pairs=minimal_pairs,
        )


def find_variant(name: str) -> Variant:
    """Return a variant or a baseline by its name.

    Raises:
        ValueError: There is none; the worker's code may be older than the night's.
    """
    known = {variant.name: variant for variant in (*VARIANTS, *BASELINES)}
    if name not in known:
        raise ValueError(f"`variant` must be one of {', '.join(known)}. Received: variant={name}.")
    return known[name]
