"""Small files that unpack to more than the memory are refused with one line and within a bounded amount of memory."""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.archives import as_column, as_npy, make_npz, npy_of_objects
from tests.places import PROJECT_ROOT

pytestmark = pytest.mark.slow

LABELS = as_npy(np.array([0, 1]))
# A limit for the whole process, so that a missing bound fails the test instead of filling the machine's swap.
CHILD = """
import json, resource, sys
from storage.archive import read_arrays, read_reviews
from storage.records import StoredFile
from storage.store import Store
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
def attempt(read):
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    before, error = peak(), None
    try:
        read()
    except ValueError as refusal:
        error = str(refusal)
    print(json.dumps([error, peak() - before]))
"""
READ_REVIEWS = "attempt(lambda: read_reviews(open(sys.argv[1], 'rb').read(), 'train', 'evil.npz'))"


def measure(statement: str, *arguments: str) -> tuple[str, int]:
    """Read a bomb in a process of its own; return the error's message, and by how many MB the memory grew."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD + statement, *arguments],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    error, megabytes = json.loads(done.stdout)
    return error, megabytes


def refuse(tmp_path, content: bytes) -> tuple[str, int]:
    path = tmp_path / "evil.npz"
    path.write_bytes(content)
    error, megabytes = measure(READ_REVIEWS, str(path))
    assert error.startswith("evil.npz")
    assert "\n" not in error
    return error, megabytes


@cache
def pack_zeros(size: int, compression: int) -> bytes:
    """Return an archive whose labels are this many bytes of zeros."""
    buffer, header = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (size,)})
    with zipfile.ZipFile(buffer, "w", compression) as archive, archive.open("y_train.npy", "w") as stream:
        stream.write(header.getvalue())
        for _ in range(size >> 20):
            stream.write(bytes(1 << 20))
    return buffer.getvalue()


def announce(archive: bytes, size: int) -> bytes:
    """Change both headers of an archive's only member, so that its unpacked size is given as `size` bytes."""
    content = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.rindex(signature) + offset, size)
    return bytes(content)


def pickled(payload: bytes, shape: tuple[int, ...] = (2,)) -> bytes:
    return make_npz(zipfile.ZIP_DEFLATED, x_train=npy_of_objects(b"\x80\x04" + payload, shape), y_train=LABELS)


def test_an_archive_that_says_it_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    error, megabytes = refuse(tmp_path, announce(pack_zeros(1 << 20, zipfile.ZIP_DEFLATED), 3 << 30))
    assert error == (
        "evil.npz: y_train.npy cannot be read: "
        "it must unpack to at most 167772160 bytes, and its header gives 3221225472."
    )
    assert megabytes < 40


def test_an_archive_that_unpacks_to_more_than_it_says_is_read_no_further(tmp_path):
    error, megabytes = refuse(tmp_path, announce(pack_zeros(256 << 20, zipfile.ZIP_DEFLATED), 2000))
    assert error.startswith("evil.npz: y_train.npy cannot be read: ")
    assert megabytes < 40


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_unpacks_without_a_limit_is_refused_unread(tmp_path, compression):
    error, megabytes = refuse(tmp_path, announce(pack_zeros(64 << 20, compression), 2000))
    assert (
        error
        == f"evil.npz: y_train.npy cannot be read: it must be stored or deflated. Received: compression {compression}."
    )
    assert megabytes < 40


def test_an_archive_of_a_million_members_is_refused_unread(tmp_path):
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 300_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(entry) * count, 0, 0)
    error, megabytes = refuse(tmp_path, entry * count + end)
    assert error.endswith("bytes, it must have at most 10000 members, and has more.")
    assert megabytes < 60


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        # A place in the memo, for which the unpickler allocates all places before it.
        (b"]r\xff\xff\xff\x0f.", "only 1 objects are there, and it puts one in place 268435455"),
        (b"B\xff\xff\xff\xff.", "it is truncated"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x3f.", "it holds the opcode 0x8e"),
        (b"\x96\xff\xff\xff\xff\x03\x00\x00\x00.", "it holds the opcode 0x96"),
        (b"\x8b\xff\xff\xff\x7f.", "it holds the opcode 0x8b"),
        # Objects of one byte in the pickle and 72 bytes in memory.
        (b"(" + b"]" * 10_000_000 + b"t.", "at most 66 objects are allowed, and it holds more"),
        (b"]" + b"\x94" * 10_000_000 + b".", "at most 66 objects are allowed, and it holds more"),
        (b"](" + b"2" * 10_000_000 + b"e.", "it holds the opcode 0x32"),
        # Nested so deeply that its hash needs more stack than Python has.
        (b"}K\x01" + b"\x85" * 1_000_000 + b"Ns.", "it holds the opcode 0x7d"),
        (b"K\x01" + b"\x85" * 1_000_000 + b".", "at most 66 objects are allowed, and it holds more"),
        # Each tuple holds the one before twice: 60 bytes whose hash or text takes forever.
        (b"}K\x01" + b"\x85q\x00h\x00" * 40 + b"Ns.", "it holds the opcode 0x7d"),
    ],
)  # fmt: skip
def test_a_pickle_that_asks_for_much_memory_or_time_is_refused_before_it_is_obeyed(tmp_path, payload, reason):
    error, megabytes = refuse(tmp_path, pickled(payload))
    assert error.startswith("evil.npz: x_train.npy cannot be read: ")
    assert error.endswith(f"{reason}.")
    assert megabytes < 120


def test_an_array_that_announces_a_trillion_reviews_is_refused_before_it_is_made(tmp_path):
    error, megabytes = refuse(tmp_path, pickled(b"].", (10**12,)))
    assert error == (
        "evil.npz: x_train.npy cannot be read: at most 1048576 reviews are allowed, and its header gives 1000000000000."
    )
    assert megabytes < 40


def test_one_long_review_that_is_named_ten_thousand_times_is_refused(tmp_path):
    long = [1] * 100_000
    content = make_npz(
        zipfile.ZIP_DEFLATED,
        x_train=npy_of_objects(pickle.dumps(as_column([long] * 10_000)), (10_000,)),
        y_train=as_npy(np.zeros(10_000, np.uint8)),
    )
    assert len(content) < 20_000
    error, megabytes = refuse(tmp_path, content)
    assert error == "evil.npz: x_train must hold at most 67108864 words. Received: 1000000000."
    assert megabytes < 60


def test_the_most_that_a_member_of_the_allowed_size_can_take_is_bounded(tmp_path):
    """An integer of three bytes takes 48 bytes: 32 for the number, 8 in the list and 8 on the unpickler's stack."""
    payload = b"](" + b"M\xff\xff" * (14_000_000 // 3) + b"e."
    error, megabytes = refuse(tmp_path, pickled(payload))
    assert error.endswith("it must hold an array of shape (2,), and holds list.")
    # As large as the largest member of the IMDB archive.
    assert megabytes < 16 * 14 + 256


def test_an_archive_of_checkpoints_is_bounded_too(tmp_path):
    path = tmp_path / "evil.npz"
    path.write_bytes(announce(pack_zeros(256 << 20, zipfile.ZIP_DEFLATED), 3 << 30))
    error, megabytes = measure("attempt(lambda: read_arrays(open(sys.argv[1], 'rb').read(), 'evil.npz'))", str(path))
    assert error.endswith("it must unpack to at most 167772160 bytes, and its header gives 3221225472.")
    assert megabytes < 40


def parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", store_schema=False, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


READ_TABLE = """
import hashlib
import pyarrow as pa
from pathlib import Path
folder, field, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
content = (folder / "evil.parquet").read_bytes()
file = StoredFile("evil.parquet", hashlib.sha256(content).hexdigest(), len(content), rows)
kinds = {"review_id": pa.string(), "label": pa.uint8(), "words": pa.list_(pa.uint32())}
attempt(lambda: Store(str(folder)).read_table(file, pa.schema([(field, kinds[field])])))
"""


def one_long_word_said_often() -> pa.Table:
    """The table has 30 GB: ten thousand letters, three million times."""
    places = pa.array(np.zeros(3_000_000, np.int32))
    return pa.table({"review_id": pa.DictionaryArray.from_arrays(places, ["x" * 10_000])})


def one_long_review() -> pa.Table:
    return pa.table({"words": pa.array([np.zeros(100_000_000, np.uint32)])})


@pytest.mark.parametrize("make", [one_long_word_said_often, one_long_review])
def test_a_table_of_few_bytes_that_unpacks_to_gigabytes_is_refused(tmp_path, make):
    table = make()
    (tmp_path / "evil.parquet").write_bytes(parquet(table))
    assert (tmp_path / "evil.parquet").stat().st_size < 10_000
    error, megabytes = measure(READ_TABLE, str(tmp_path), table.column_names[0], str(table.num_rows))
    assert error is not None
    assert error.startswith(f"{tmp_path}/evil.parquet must be a Parquet file. Received: ")
    # pyarrow reserves one gigabyte in any case, and the limit adds 768 MB.
    assert megabytes < 1900


def test_a_sound_table_is_read_by_a_process_that_has_read_none_before(tmp_path):
    (tmp_path / "evil.parquet").write_bytes(parquet(pa.table({"label": pa.array(np.zeros(1000, np.uint8))})))
    error, megabytes = measure(READ_TABLE, str(tmp_path), "label", "1000")
    assert error is None
    assert megabytes < 60


def test_a_table_that_announces_other_rows_than_its_record_is_refused_unread(tmp_path):
    (tmp_path / "evil.parquet").write_bytes(parquet(pa.table({"label": pa.array(np.zeros(50_000_000, np.uint8))})))
    error, megabytes = measure(READ_TABLE, str(tmp_path), "label", "2")
    assert error.startswith(f"{tmp_path}/evil.parquet must hold 2 rows of (label uint8). Received: 50000000 rows of ")
    assert megabytes < 60


def test_as_many_tokens_as_the_longest_review_has_words_are_still_read(store):
    """The limit of a table's memory is enough for the largest sensible `maxlen`."""
    tokens = pa.FixedSizeListArray.from_arrays(
        pa.array(np.arange(20_000 * 2500, dtype=np.uint32).astype(np.uint16)), 2500
    )
    file = store.write_table("wide.parquet", pa.table({"tokens": tokens}))
    assert store.read_table(file, pa.schema([("tokens", pa.list_(pa.uint16(), 2500))]))["tokens"].nbytes >= 100_000_000
