"""The modules of the project, each read and parsed once."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.places import PROJECT_ROOT

OURS = ("flows", "tasks", "reports", "storage")
MODULES = sorted(path for folder in OURS for path in (PROJECT_ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a file's path relative to the project's folder, with slashes."""
    return path.relative_to(PROJECT_ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file. It is shared, so do not change it."""
    return ast.parse(path.read_text())
