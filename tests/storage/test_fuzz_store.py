"""Hostile files of the store, with the SHA-256 of their manifests, are refused with one line that names the file."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli.past_runs import read_history
from reports.evidence import from_json, to_json
from reports.page.learning_curves import BOOK_COLUMNS, read_book
from reports.sections.data_section import PartFacts
from storage.checkpoint_records import CheckpointRecord, Stopping, read_checkpoint_record
from storage.datasets import find_dataset, read_dataset
from storage.decoding import decode_json
from storage.records import StoredFile
from storage.runs import read_run, read_run_record, verify_store
from storage.schemas import REVIEW_SCHEMA
from storage.store import DamagedFileError, Store
from storage.word_index import read_word_index
from tasks.train import TrainingIdentity, find_training
from tests.example_runs import FOUR_VARIANTS, a_part, evidence_of
from tests.fuzzing import bounded_memory, examples, mutated
from tests.stores import RUN_ID, TRAINING, publish_example_run

RUN, DATASET = f"runs/{RUN_ID}/run.json", "datasets/pad-84d628a8f59f3e5a/manifest.json"
HOSTILE_VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**63, 10**400, float("nan"), float("inf"), "", "x", "x" * 70_000, "\ud800", "a\nb\x1b[31m",
    "../../etc/passwd", "/etc/passwd", "C:\\x", "raw/\x00", [], [[]], {}, {"": {}}, [1, "x"], {"path": "x"},
]  # fmt: skip
NESTED = b"[" * 200_000
SPLICES = (NESTED, b"{}", b"null", b"1e999", b"NaN", b"-1", b'"\\ud800"', b"9" * 5000, b"\xff\xfe", b'"a":', b"")


def fuzz(strategy: st.SearchStrategy[Any], count: int, read: Any, names: str) -> list[str]:
    """Give hostile input to a reader; return the messages of its errors, each one line that names the file."""
    refused = []

    @examples(count)
    @given(strategy)
    def give(content: Any) -> None:
        try:
            read(content)
        except ValueError as error:
            refused.append(str(error))

    with bounded_memory():
        give()
    assert len(refused) > count // 4
    assert [line for line in refused if names not in line or "\n" in line or len(line) > 1500] == []
    return refused


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """Draw a JSON value with up to three parts replaced, removed or added."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        here = value
        while isinstance(here, (dict, list)) and here:
            key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
            if not isinstance(here[key], (dict, list)) or not here[key] or draw(st.integers(0, 3)) == 0:
                break
            here = here[key]
        kind = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        if kind == "replace" and here:
            # A copy, because a later change may be inside it.
            here[key] = copy.deepcopy(draw(st.sampled_from(HOSTILE_VALUES)))
        elif kind == "remove" and here:
            del here[key]
        elif isinstance(here, dict):
            here[draw(st.sampled_from(("evil", "", "__class__", "self", "run_id")))] = 1
    return value


def seal(content: Any) -> bytes:
    """Return the file that `write_manifest` writes, also for content that it refuses."""
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False)
    sealed = {"content": content, "sha256": hashlib.sha256(text.encode(errors="replace")).hexdigest()}
    return (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode(errors="replace")


@pytest.fixture
def stored(store):
    publish_example_run(store)
    return store


def test_records_of_runs_of_any_shape(stored):
    good = json.loads(stored.read_bytes(RUN))["content"]

    def read(content: Any) -> None:
        stored.write_bytes(RUN, seal(content))
        runs, damaged = read_history(stored)
        assert len(runs) + len(damaged) == 1
        assert verify_store(stored).damaged or not damaged
        read_run(stored, RUN_ID)

    fuzz(changed(good), 40, read, f"{RUN} must be ")


def test_a_run_s_record_may_be_any_json(store):
    values = st.recursive(
        st.sampled_from(HOSTILE_VALUES),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("run_id", "trainings", "x")), inner)
        ),
        max_leaves=8,
    )
    fuzz(values, 80, read_run_record, "run.json must be the record of a run: ")


def test_manifests_of_datasets_of_any_shape(stored):
    manifest = stored.read_bytes(DATASET)
    good = json.loads(manifest)["content"]
    inputs = {"version": 1, "maxlen": 100}

    def read(content: Any) -> None:
        stored.write_bytes(DATASET, seal(content))
        found, damage = find_dataset(stored, "pad", inputs)
        assert found is not None or damage or not stored.exists(DATASET)
        stored.write_bytes(DATASET, seal(content))
        read_dataset(stored, DATASET)

    fuzz(changed(good), 60, read, f"{DATASET} must be ")


LSTM = TrainingIdentity("lstm", "LSTM(units=8)", 42, "0" * 16, {})


def test_records_of_trainings_of_any_shape(stored):
    path = f"{TRAINING}/training.json"
    good = json.loads(stored.read_bytes(RUN))["content"]["trainings"][0]

    def read(content: Any) -> None:
        stored.write_bytes(path, seal(content))
        verify_store(stored)
        _, damage = find_training(stored, TRAINING, LSTM)
        if damage:
            raise ValueError(damage[0])

    fuzz(changed(good), 60, read, "must be ")


def test_manifests_of_checkpoints_of_any_shape(store):
    path = f"{TRAINING}/checkpoints/epoch-0005/manifest.json"
    file = StoredFile(f"{TRAINING}/checkpoints/epoch-0005/state.npz", "a" * 64, 7)
    good = asdict(CheckpointRecord({"seed": 42}, 5, Stopping(0.25, 0, 4), file))

    def read(content: Any) -> None:
        store.write_bytes(path, seal(content))
        verify_store(store)
        read_checkpoint_record(store, path)

    fuzz(changed(good), 60, read, f"{path} must be ")


def test_manifests_of_any_bytes(stored):
    good = stored.read_bytes(RUN)

    def read(content: bytes) -> None:
        stored.write_bytes(RUN, content)
        read_run(stored, RUN_ID)

    fuzz(mutated(good, SPLICES) | st.binary(max_size=200), 60, read, f"{RUN} must be as it was written")


@pytest.mark.parametrize("content", [NESTED, b'{"content": ' + NESTED, b'{"a":' * 100_000, b'{"content": {"a": NaN}}'])
def test_a_manifest_that_is_nested_without_end_is_refused(store, content):
    store.write_bytes("manifest.json", content)
    with pytest.raises(DamagedFileError, match="must be as it was written"):
        store.read_manifest("manifest.json")


def test_word_indices_of_any_bytes():
    good = json.dumps({"the": 1, "film": 2, "혼공": 3}).encode()
    strategy = mutated(good, SPLICES) | changed({"the": 1, "film": 2}).map(lambda value: json.dumps(value).encode())
    fuzz(strategy, 150, lambda content: read_word_index(content, "words.json"), "words.json must ")


def test_a_word_index_is_read():
    assert read_word_index(b'{"the": 1, "film": 88584}', "words.json") == {"the": 1, "film": 88584}


def test_counts_of_the_reviews_of_any_shape():
    good = {"train": json.loads(json.dumps(asdict(a_part())))}
    fuzz(
        changed(good).map(lambda value: json.dumps(value).encode()) | mutated(json.dumps(good).encode(), SPLICES),
        80,
        lambda content: decode_json(dict[str, PartFacts], content, "facts.json must hold counts"),
        "facts.json must hold counts: ",
    )
    assert decode_json(dict[str, PartFacts], json.dumps(good).encode(), "x") == {"train": a_part()}


def test_evidence_of_any_shape():
    written = to_json(evidence_of(FOUR_VARIANTS))
    good = json.loads(written)
    # One of each kind, so that the changes hit the structure and not one of thousands of reviews.
    small = {**good, "curves": good["curves"][:1], "comparison": good["comparison"][:1], "errors": None, "data": None}
    small |= {"pairs": {**good["pairs"], "rows": good["pairs"]["rows"][:1]}, "trainings": good["trainings"][:1]}
    strategy = changed(small).map(lambda value: json.dumps(value).encode()) | mutated(written[:3000], SPLICES)
    fuzz(
        strategy,
        30,
        lambda content: from_json(content, "evidence.json"),
        "evidence.json must hold the evidence of a run",
    )


def test_the_book_s_curves_of_any_bytes():
    good = ",".join(BOOK_COLUMNS).encode() + b"\nlstm,1,0.5,0.6,0.5,0.6\ngru,1,0.5,0.6,0.5,0.6\n"
    assert read_book(good)["gru"]["val_loss"] == [0.6]
    splices = (b'"', b",", b"\n", b"nan", b"inf", b"1e999", b"\x00", b"\xff", b"\r", b"lstm", b"9" * 200_000)
    fuzz(mutated(good, splices), 80, read_book, "book_9_3.csv must have the columns variant, epoch, ")


SMALL_TABLE = pa.table(
    {
        "review_id": ["test-0", "test-1"],
        "words": [[1, 2, 3], [4]],
        "length": [3, 1],
        "cut_words": [0, 0],
        "out_of_vocabulary": [0.5, 0.25],
        "has_negation": [True, None],
        "is_in_training": [False, True],
    }
).cast(REVIEW_SCHEMA)


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **{"compression": "zstd", "write_page_checksum": True, **options})
    return sink.getvalue().to_pybytes()


@pytest.fixture
def read_table(store: Store):
    """Store hostile bytes with their own SHA-256, and read them as a table of `REVIEW_SCHEMA`."""
    numbers = itertools.count()
    Path(store.uri).mkdir()

    def read(content: bytes, rows: int = 2, schema: pa.Schema = REVIEW_SCHEMA) -> pa.Table:
        # Not `write_bytes`, which waits for the disk.
        file = StoredFile(f"evil-{next(numbers)}.parquet", hashlib.sha256(content).hexdigest(), len(content), rows)
        Path(store.locate(file.path)).write_bytes(content)
        try:
            return store.read_table(file, schema).to_pydict()
        finally:
            Path(store.locate(file.path)).unlink()

    return read


@pytest.mark.parametrize(
    "options", [{}, {"compression": "none", "write_page_checksum": False, "use_dictionary": False}]
)
def test_changed_bytes_of_a_table(read_table, options):
    good = parquet(SMALL_TABLE, **options)
    assert read_table(good) == SMALL_TABLE.to_pydict()
    fuzz(mutated(good, (b"PAR1", b"", b"\xff" * 20)), 80, read_table, ".parquet must ")


def test_changed_footers_of_a_table(read_table):
    good = parquet(SMALL_TABLE, store_schema=False)
    start = len(good) - 8 - int.from_bytes(good[-8:-4], "little")

    def with_footer(footer: bytes) -> bytes:
        return good[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"

    fuzz(mutated(good[start:-8]).map(with_footer), 80, read_table, ".parquet must ")


def test_random_bytes_for_a_table(read_table):
    strategy = st.binary(max_size=200)
    framed = strategy.map(lambda footer: b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    fuzz(strategy | framed, 60, read_table, ".parquet must be a Parquet file. Received: ")
