"""A hostile archive gives its reviews or one line that names the file: no other error, no code, bounded memory."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.archive import check_archive, read_arrays, read_labels, read_reviews
from tests.archives import as_column, as_npy, make_sample, npy_of_objects, pack
from tests.fuzzing import bounded_memory, examples, mutated


def members_of(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


SMALL_ARCHIVE = make_sample(20)[0]
MEMBERS = members_of(SMALL_ARCHIVE)
HEADER_BYTES = 128
CANARY = "canary-that-no-pickle-may-create"
TOUCH = b"(X\x26\x00\x00\x00touch canary-that-no-pickle-may-createtR"
# Opcodes of pickles that an array of lists does not need, complete or truncated.
OPCODES = (
    b"cposix\nsystem\n" + TOUCH,
    b"\x8c\x05posix\x8c\x06system\x93" + TOUCH,
    b"(S'touch canary-that-no-pickle-may-create'\niposix\nsystem\n",
    b"cbuiltins\neval\n(X\x01\x00\x00\x001tR",
    b"cnumpy\nndarray\n(M\xff\xff\x85tR",
    b"cnumpy\nndarray\n",
    b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8\x89\x88tR",
    b"cnumpy.core.multiarray\n_reconstruct\n",
    *(bytes([opcode]) for opcode in b"()]}tabeoR0123su.\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94N"),
    b"q\x00",
    b"r\xff\xff\xff\x0f",
    b"h\x00",
    b"h\x05",
    b"j\x05\x00\x00\x00",
    b"K\x01",
    b"J\xff\xff\xff\xff",
    b"G\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\x8a\xff" + b"\xff" * 255,
    b"\x8b\xff\xff\xff\x7f",
    b"I99999999999999999999\n",
    b"X\xff\xff\xff\x7f",
    b"B\xff\xff\xff\x7f",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x96\xff\xff\xff\xff\xff\x00\x00\x00",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x80\x05",
    b"\x82\x01",
    b"Pcanary\n",
)


def read_all(content: bytes) -> list[str]:
    """Give a hostile archive to every reader; return the messages of their errors."""
    refusals = []
    for read in (
        lambda: read_reviews(content, "train", "evil.npz"),
        lambda: read_labels(content, "test", "evil.npz"),
        lambda: read_arrays(content, "evil.npz"),
        lambda: check_archive(io.BytesIO(content), "evil.npz"),
    ):
        try:
            read()
        except ValueError as error:
            refusals.append(str(error))
    return refusals


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


def fuzz(strategy: st.SearchStrategy[bytes], count: int) -> None:
    refused = []

    @examples(count)
    @given(strategy)
    def give(content: bytes) -> None:
        refused.extend(read_all(content))

    with bounded_memory():
        give()
    assert len(refused) > count
    assert [line for line in refused if not line.startswith("evil.npz") or "\n" in line or len(line) > 600] == []


def test_random_bytes():
    fuzz(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: SMALL_ARCHIVE[:400] + tail), 100)


def test_changed_bytes_of_an_archive():
    small = pack({name: content[:2000] for name, content in MEMBERS.items()}, zipfile.ZIP_STORED)
    fuzz(mutated(small), 120)


def test_changed_pickles_in_a_sound_archive():
    """The directory and the checksums match the changed pickle, so that every change reaches the unpickler."""
    pickled = pickle.dumps(as_column([[1, 2], [300, 70_000]]), 4)
    members = {"x_train.npy": b"", "y_train.npy": as_npy(np.array([0, 1])), "y_test.npy": MEMBERS["y_test.npy"]}
    fuzz(
        mutated(pickled, OPCODES).map(lambda payload: pack({**members, "x_train.npy": npy_of_objects(payload)})),
        120,
    )


def test_pickles_of_random_opcodes():
    program = st.lists(st.sampled_from(OPCODES), max_size=30).map(b"".join)
    shapes = st.sampled_from([(2,), (), (0,), (1 << 20,), (10**12,), (10**12, 10**12)])
    fuzz(
        st.builds(
            lambda payload, shape: pack(
                {**MEMBERS, "x_train.npy": npy_of_objects(b"\x80\x04" + payload + b".", shape)}
            ),
            program,
            shapes,
        ),
        120,
    )


def test_changed_headers_of_arrays():
    headers = (
        b"{'descr': '|O', 'fortran_order': True, 'shape': (10,), }",
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        b"{'descr': '|V2147483647', 'fortran_order': False, 'shape': (0,), }",
        b"{'descr': [('a', '|O'), ('b', '<i8')], 'fortran_order': False, 'shape': (1,), }",
        b"{'descr': ('<i8', (1000000000,)), 'fortran_order': False, 'shape': (1,), }",
        b"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (-1,), }",
        b"(" * 3000,
        b"-" * 9000 + b"1",
        b"'shape': ",
        b"__import__('os')",
    )

    def with_header(part: str, header: bytes, version: bytes) -> bytes:
        start = b"\x93NUMPY" + version + struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
        return pack({**MEMBERS, f"{part}_train.npy": start + header + MEMBERS[f"{part}_train.npy"][HEADER_BYTES:]})

    good = MEMBERS["y_train.npy"][10:HEADER_BYTES]
    fuzz(
        st.builds(
            with_header,
            st.sampled_from(("x", "y")),
            mutated(good, headers) | st.sampled_from(headers),
            st.sampled_from((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\xff\xff")),
        ),
        60,
    )


def test_changed_fields_of_the_directory():
    good = pack({name: content[:500] for name, content in MEMBERS.items()})
    start = good.index(b"PK\x01\x02")
    fuzz(mutated(good[start:]).map(lambda directory: good[:start] + directory), 120)


def test_a_checkpoint_s_archive_that_holds_a_pickle_is_refused():
    with pytest.raises(
        ValueError, match=r"^evil\.npz: x_t\w+\.npy cannot be read: it must hold numbers, and holds a p"
    ):
        read_arrays(SMALL_ARCHIVE, "evil.npz")


def test_arrays_are_read_as_numpy_wrote_them():
    written = {
        "weights": np.array([[1.5, 2.5], [3.5, 4.5]], np.float32, order="F"),
        "seed": np.array(7, np.int64),
        "none": np.zeros((0, 3)),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **written)
    read = read_arrays(buffer.getvalue(), "state.npz")
    assert sorted(read) == sorted(written)
    for name, array in written.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
