"""The evidence: the data of the whole report, without a language. It is computed once and stored as JSON.

The page is always rendered from the stored file. So a page that is rendered again has the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from reports.sections.comparison_section import ComparisonRow, Curve, TrainingRow
from reports.sections.data_section import Data
from reports.sections.errors_section import Errors
from reports.sections.history_section import History
from reports.sections.minimal_pairs_section import MinimalPairs
from reports.sections.pairs_section import Pairs

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True)
class Evidence:
    """All sections of the report, computed from the run's record and predictions. A section without data is None."""

    comparison: tuple[ComparisonRow, ...]
    trainings: tuple[TrainingRow, ...]
    pairs: Pairs
    curves: tuple[Curve, ...]
    errors: Errors | None
    minimal_pairs: MinimalPairs | None
    data: Data | None
    history: History


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
        ValueError: The content is not evidence, or another version wrote it.
    """
    from pydantic import ValidationError

    try:
        return _adapter().validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = "".join(character if character.isprintable() else " " for character in f"{place}: {first['msg']}")
        raise ValueError(f"{name} must hold the evidence of this version. Received: {reason[:300]}.") from None
