"""Read the archive's word index, a JSON object of words and ranks that anyone may have written."""

from __future__ import annotations

import json

from storage.text import on_one_line

# Ranks are uint32 in the archive.
LARGEST_RANK = 2**32 - 1


def read_word_index(content: bytes, name: str) -> dict[str, int]:
    """Return the ranks by word that a JSON file holds; error messages call the file `name`.

    Raises:
        ValueError: The file holds anything else than words and their ranks.
    """
    try:
        index = json.loads(content)
    # RecursionError: of deeply nested lists. It is not a ValueError.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be JSON. Received: {on_one_line(error)}.") from None
    if not isinstance(index, dict):
        raise ValueError(f"{name} must hold each word's rank. Received: a value of type {type(index).__name__}.")  # noqa: TRY004 - as all damage
    for word, rank in index.items():
        if type(rank) is not int or not 0 <= rank <= LARGEST_RANK:
            shown = str(rank)[:40] if isinstance(rank, float) else f"a value of type {type(rank).__name__}"
            raise ValueError(
                f"{name} must hold ranks, integers from 0 to {LARGEST_RANK}. "
                f"Received: {shown} for {on_one_line(repr(word[:100]))}."
            )
    return index
