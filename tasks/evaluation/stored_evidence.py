"""Read what a run's page is rendered from: its evidence, and the decision of the gate."""

from __future__ import annotations

from dataclasses import replace

from reports.decision import decision_from_json
from reports.evidence import Evidence, from_json
from storage.records import Run
from storage.runs import report_path
from storage.store import Store


def read_evidence(store: Store, run: Run) -> Evidence:
    """Return the evidence of a run, with the gate's decision.

    Raises:
        DamagedFileError: A file differs from what was published.
        ValueError: An older version, which stored no evidence, published the run.
    """
    if run.evidence is None:
        raise ValueError(
            f"{run.run_id} was published by a version that stored no evidence, so its page cannot be rendered again. "
            f"The published page is {store.locate(report_path(run.run_id))}."
        )
    evidence = from_json(store.read_verified(run.evidence), store.locate(run.evidence.path))
    if run.decision is None:
        return evidence
    decision = decision_from_json(store.read_verified(run.decision), store.locate(run.decision.path))
    return replace(evidence, decision=decision)
