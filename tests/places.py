"""Paths of the project, and of the real archive beside the checkout."""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
REAL_ARCHIVE = PROJECT_ROOT.parent / "shared" / "data" / "imdb.npz"
REAL_WORD_INDEX = REAL_ARCHIVE.with_name("imdb_word_index.json")
# Excerpts of review files in real shape.
REAL_REVIEWS = REAL_ARCHIVE.parent / "reviews"
