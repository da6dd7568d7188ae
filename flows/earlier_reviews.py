"""Find what the last run on the same own reviews left: which files it saw, and which reviews it trained on."""

from __future__ import annotations

from dataclasses import dataclass

from storage.damage import DamagedFileError
from storage.records import Dataset
from storage.runs import list_runs, read_run
from storage.store import Store
from tasks.data.checks.check_reviews import read_summary
from tasks.data.reading.source_files import hash_file, list_local_files
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


def find_silent_changes(store: Store) -> list[str]:
    """Return a sentence for each source file that a run would take for unchanged, though its content changed.

    A run goes by size and modification time. Here the files of the last run on each source are hashed. Files elsewhere
    than on this machine, and files that are gone or look changed, are passed over: the next run reads them anyway.
    """
    sentences: list[str] = []
    done: set[str] = set()
    for run_id in reversed(list_runs(store)):
        try:
            assigned = read_run(store, run_id).datasets.get("assign")
            if assigned is None or assigned.source in done:
                continue
            seen = read_summary(store, assigned).files
        except DamagedFileError:
            continue
        done.add(assigned.source)
        files = {file.name: file for file in list_local_files(assigned.source)}
        for one in seen:
            file = files.get(one.name)
            if file and file.fingerprint == one.fingerprint and hash_file(file) != one.sha256:
                sentences.append(
                    f"{file.path} has other content than when its reviews were read, but the same size and time, so a "
                    "run takes it for unchanged. Touch it, and run again."
                )
    return sentences
