"""Find a champion, or a model by its run, and load it. Without Prefect, and without Keras if NumPy can compute it."""

from __future__ import annotations

from storage.champion_log import DEFAULT_NAME, ChampionLog
from storage.runs import is_published, read_run
from storage.store import Store
from storage.store_address import choose_store
from tasks.champion.model_record import describe_model, find_training
from tasks.prediction.predictor import Predictor


def load_champion(store: str | None = None, name: str = DEFAULT_NAME) -> Predictor:
    """Load the champion.

    Args:
        store: Address of the store; None: `RETRAIN_STORE`, or the folder `output`.
        name: Whose log of champions.

    Raises:
        ValueError: There is no champion yet, or the log or a file of the champion is damaged.
        OSError: The store does not exist or cannot be read.
    """
    opened = Store(choose_store(store))
    opened.check_readable()
    log = ChampionLog(opened, name)
    entry = log.read_newest()
    if entry is None or entry.record.champion is None:
        raise ValueError(
            f"There must be a champion {name} in {opened.locate('')}. There is none yet; "
            "`retrain champion promote RUN_ID TRAINING --why ...` makes one."
        )
    return Predictor(entry.record.champion, opened, name, entry.record.number)


def load_model(run_id: str, training: str, store: str | None = None) -> Predictor:
    """Load the model of a run's training instead of the champion.

    Raises:
        FileNotFoundError: There is no such run.
        ValueError: The run has no such model, or a file is damaged.
        OSError: The store does not exist or cannot be read.
    """
    opened = Store(choose_store(store))
    opened.check_readable()
    if not is_published(opened, run_id):
        raise FileNotFoundError(
            f"`RUN_ID` must be one that `retrain history` lists. Received: {run_id:.80}; it is not in "
            f"{opened.locate('')}."
        )
    run = read_run(opened, run_id)
    return Predictor(describe_model(run, find_training(run, training), opened), opened, None, None)
