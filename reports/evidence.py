"""The evidence: the data of the whole report, without a language. It is computed once and stored as JSON.

The page is always rendered from the stored file. So a page that is rendered again has the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from reports.sections.comparison_section import BaselineCheck, ComparisonRow, Curve, TrainingRow
from reports.sections.data_section import Data
from reports.sections.decision_section import Decision
from reports.sections.errors_section import Errors
from reports.sections.history_section import History
from reports.sections.minimal_pairs_section import MinimalPairs
from reports.sections.own_reviews_section import OwnReviews
from reports.sections.pairs_section import Pairs
from storage.bounds import Constraint
from storage.decoding import decode_json
from storage.records import JsonObject

if TYPE_CHECKING:
    from pydantic import TypeAdapter


# Of evidence.json. Whoever changes what it means adds one here, and to `upgrade_evidence`.
EVIDENCE_FORMAT = 2
# A team's own reviews decide if there are enough of them: with 1,000, an accuracy of 80% is known within 2.5 points.
LEAST_OWN_REVIEWS = 1000


@dataclass(frozen=True)
class Evidence:
    """All sections of the report, computed from the run's record and predictions. A section without data is None.

    Runs that were published before there were `baseline_checks` have none.

    Attributes:
        test_set: The test reviews that it is about: "imdb", "sample" or "own".
        other: The same on the run's other test set; None if it has one only.
        own_reviews: What was read of the team's own reviews; None if the run has none.
        decision: The gate's decision. It has a file of its own, because it is made from the evidence; None in
            evidence.json, and if the gate did not look at the run.
    """

    comparison: tuple[ComparisonRow, ...]
    trainings: tuple[TrainingRow, ...]
    pairs: Pairs
    curves: tuple[Curve, ...]
    errors: Errors | None
    minimal_pairs: MinimalPairs | None
    data: Data | None
    history: History
    baseline_checks: tuple[BaselineCheck, ...] = ()
    test_set: str = "imdb"
    other: Evidence | None = None
    own_reviews: OwnReviews | None = None
    decision: Decision | None = None
    format: Annotated[int, Constraint(ge=1, le=EVIDENCE_FORMAT)] = EVIDENCE_FORMAT


@cache
def _adapter() -> TypeAdapter[Evidence]:
    # Importing pydantic takes a tenth of a second, and not every command needs it.
    from pydantic import TypeAdapter

    return TypeAdapter(Evidence)


def to_json(evidence: Evidence) -> bytes:
    """Return the evidence as JSON in UTF-8. All numbers in it must be finite."""
    return _adapter().dump_json(evidence, indent=1)


def from_json(content: bytes, name: str = "evidence.json") -> Evidence:
    """Return the evidence that `to_json` wrote.

    Args:
        content: JSON in UTF-8.
        name: The file's name for the error message.

    Raises:
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The content is not evidence.
    """
    evidence: Evidence = decode_json(Evidence, content, f"{name} must hold the evidence of a run", upgrade_evidence)
    return evidence


# In format 1, by section ("" for the evidence itself).
OLD_NAMES = {
    "": {"behaviour": "minimal_pairs"},
    "history": {"nights": "runs", "looks": "test_set_uses"},
    "errors": {"rates": "probability_curves"},
}


def upgrade_evidence(old: JsonObject) -> JsonObject:
    """Return evidence that was written in format 1 with the names of this version."""

    def rename(section: Any, names: dict[str, str]) -> Any:
        if not isinstance(section, dict):
            return section
        return {names.get(name, name): value for name, value in section.items()}

    sections = {name: rename(value, OLD_NAMES.get(name, {})) for name, value in old.items()}
    return {**rename(sections, OLD_NAMES[""]), "format": EVIDENCE_FORMAT}
