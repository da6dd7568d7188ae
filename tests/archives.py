"""Archives of reviews for tests, and the parts of hostile ones."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from typing import Any

import numpy as np

from storage.archive import Reviews
from storage.datasets import publish_dataset
from storage.records import Dataset
from storage.store import Store
from tasks.data.sample import make_archive

# Returns the archive and the word index of this many sample reviews.
make_sample = cache(make_archive)


def reviews_of(*lists: list[int], labels: list[int] | None = None) -> Reviews:
    """Return lists of word ranks as `read_reviews` does; without `labels`, all reviews are negative."""
    offsets = np.cumsum([0, *map(len, lists)])
    tokens = np.array([token for review in lists for token in review], np.uint32)
    return Reviews(tokens, offsets, np.array(labels or [0] * len(lists), np.uint8))


def as_column(reviews: list[Any]) -> np.ndarray:
    """Return a one-dimensional array of objects, even if they are lists of the same length."""
    column = np.empty(len(reviews), object)
    for position, review in enumerate(reviews):
        column[position] = review
    return column


def npy_of_objects(payload: bytes, shape: tuple[int, ...] = (2,)) -> bytes:
    """Return the bytes of an .npy file of objects with this pickle."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + payload


def as_npy(array: Any) -> bytes:
    """Return the bytes of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def pack(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_npz(compression: int = zipfile.ZIP_STORED, **members: Any) -> bytes:
    """Return an .npz archive. A member is an array, or the bytes of an .npy file that NumPy does not write."""
    files = {name: member if isinstance(member, bytes) else as_npy(member) for name, member in members.items()}
    return pack({f"{name}.npy": content for name, content in files.items()}, compression)


def publish_archive(store: Store, content: bytes) -> Dataset:
    """Publish an archive as the download does."""
    sha256 = hashlib.sha256(content).hexdigest()
    file = store.write_bytes(f"raw/{sha256[:16]}.npz", content)
    return publish_dataset(store, "download", {"archive": sha256}, {"archive": file}, "reviews.npz")
