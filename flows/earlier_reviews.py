"""Find what the last run on the same own reviews left: which files it saw, and which reviews it trained on."""

from __future__ import annotations

from dataclasses import dataclass

from storage.damage import DamagedFileError
from storage.records import Dataset
from storage.runs import list_runs, read_run
from storage.store import Store
from tasks.data.checks.check_reviews import read_summary
from tasks.data.shards.assign import AssignmentSummary
from tasks.data.shards.shard import SeenFile


@dataclass(frozen=True)
class EarlierReviews:
    """What the last run on a source left.

    Attributes:
        assigned: The parts of the reviews.
        summary: What became of the records.
    """

    assigned: Dataset
    summary: AssignmentSummary

    @property
    def seen(self) -> tuple[SeenFile, ...]:
        """The source files as that run saw them."""
        return tuple(SeenFile(file.name, file.fingerprint, file.sha256) for file in self.summary.files)


def find_earlier_reviews(store: Store, source: str) -> EarlierReviews | None:
    """Return what the newest run that trained on this source left; None if there is none that can be read.

    Args:
        store: The store with the runs.
        source: Address of the team's reviews.
    """
    for run_id in reversed(list_runs(store)):
        try:
            run = read_run(store, run_id)
            assigned = run.datasets.get("assign")
            if assigned is None or assigned.source != source or run.stopped:
                continue
            store.verify(assigned.files["assignment"])
            return EarlierReviews(assigned, read_summary(store, assigned))
        except DamagedFileError:
            continue
    return None
