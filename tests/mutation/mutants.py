"""Draw mutants at random; runs in `.venv-mutation`, which has Cosmic Ray, and prints one JSON object per mutant."""

from __future__ import annotations

import ast
import json
import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec

# Its fields are decoded by their annotations, so those are code.
ANNOTATIONS_ARE_CODE = ("storage/records.py", "storage/checkpoint_records.py")


def find_annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where annotations begin and end; Python does not evaluate them, so no test can notice a change there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if annotation is not None:
                begin = (annotation.lineno, annotation.col_offset)
                found.append((begin, (annotation.end_lineno, annotation.end_col_offset)))
    return found


def list_mutations(modules: list[str]) -> Iterator[MutationSpec]:
    """Yield every mutation of the modules, always in the same order."""
    for module in modules:
        annotations = [] if module in ANNOTATIONS_ARE_CODE else find_annotations(Path(module).read_text())
        for item in _all_work_items([Path(module)], {}):
            (mutation,) = item.mutations
            if not any(begin <= tuple(mutation.start_pos) < end for begin, end in annotations):
                yield mutation


def mutate(mutation: MutationSpec) -> dict | None:
    """Return a mutant as the line that differs and the whole source; None where that is not Python."""
    source = Path(mutation.module_path).read_text()
    try:
        mutated = mutate_code(source, get_operator(mutation.operator_name)(), mutation.occurrence)
        ast.parse(mutated)
    # Cosmic Ray takes the `*` before keywords for a product, and fails on an exception with a dot in its name.
    except (SyntaxError, AttributeError):
        return None
    before, after = source.splitlines(), mutated.splitlines()
    line = next(place for place, old in enumerate(before) if after[place : place + 1] != [old])
    shown = {"line": line + 1, "before": before[line].strip(), "after": after[line].strip()}
    return {"module": str(mutation.module_path), **shown, "source": mutated}


def main(seed: int, count: int, modules: list[str]) -> None:
    mutations = sorted(list_mutations(modules), key=lambda one: (one.module_path, one.operator_name, one.occurrence))
    print(len(mutations))
    random.Random(seed).shuffle(mutations)
    mutants = islice((mutant for mutant in map(mutate, mutations) if mutant), count)
    for mutant in sorted(mutants, key=lambda one: (one["module"], one["line"], one["after"])):
        print(json.dumps(mutant))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
