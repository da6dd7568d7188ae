"""Read source files into shards. Runs in a child process, which frees its memory when it ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.datasets import dataset_folder, find_dataset, publish_dataset, read_json
from storage.records import Dataset, Inputs
from storage.schemas import FACT_SCHEMA, REJECTED_SCHEMA, SAMPLE_SCHEMA, TEXT_SCHEMA
from storage.store import Store
from storage.table_streams import TableWriter, writing_table
from tasks.data.parts.near_duplicates import HASHES, sign_texts
from tasks.data.reading.read_file import read_file
from tasks.data.reading.readings import Reading, ReadingOptions, SourceFile
from tasks.data.reading.rejects import Batch
from tasks.data.reading.source_files import hash_file
from tasks.data.reading.text_keys import normalised_key
from tasks.data.shards.shard import Shard
from tasks.processes.messages import Event, Job, RecordsRead, get_adapter

# Raise it when the same file and options give other tables than before.
VERSION = 2
STEP = "read"
# Reviews of a shard whose texts are kept apart, for comparisons that cannot look at all: those with the lowest keys.
# As keys are hashes, that is a random sample, and the same one on the next night.
SAMPLE_ROWS = 50_000


@dataclass(frozen=True)
class ReadRequest:
    """The request to read source files.

    Attributes:
        files: The files.
        hashes: Of the files whose fingerprint an earlier run saw: SHA-256 by name.
        options: How to read them.
        source: The source they belong to, for people.
        store: URI of the store.
    """

    files: tuple[SourceFile, ...]
    hashes: dict[str, str]
    options: ReadingOptions
    source: str
    store: str


@dataclass(frozen=True)
class ReadAnswer:
    """The shards in the order of the request, and a sentence for each damaged file that was read again."""

    shards: tuple[Shard, ...]
    damage: tuple[str, ...]


_SAMPLED = pa.schema([SAMPLE_SCHEMA.field("key"), SAMPLE_SCHEMA.field("text")])


class _Sample:
    """Keeps the texts with the lowest keys."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._rows = 0
        self._highest: bytes | None = None

    def add(self, table: pa.Table) -> None:
        if self._highest is not None:
            table = table.filter(pc.less(table["key"].cast(pa.binary()), pa.scalar(self._highest, pa.binary())))
        self._tables.append(table)
        self._rows += len(table)
        if self._rows > 2 * SAMPLE_ROWS:
            self._tables = [self.lowest()]
            self._rows = SAMPLE_ROWS
            self._highest = self._tables[0]["key"][-1].as_py()

    def lowest(self) -> pa.Table:
        table = pa.concat_tables([_SAMPLED.empty_table(), *self._tables]).combine_chunks()
        order = pc.sort_indices(table["key"].cast(pa.binary()))
        return table.take(order[:SAMPLE_ROWS])

    def signed(self) -> pa.Table:
        """Return the sample as a table of `SAMPLE_SCHEMA`."""
        table = self.lowest().combine_chunks()
        signatures = sign_texts(table["text"].combine_chunks())
        content = pa.py_buffer(np.ascontiguousarray(signatures).tobytes())
        column = pa.Array.from_buffers(pa.binary(8 * HASHES), len(table), [None, content])
        return table.append_column("signature", column).cast(SAMPLE_SCHEMA)


class _ShardWriter:
    """Writes the tables of one shard."""

    def __init__(self, store: Store, folder: str, stack: ExitStack, progress: Callable[[int], None]) -> None:
        def open_table(name: str, schema: pa.Schema) -> TableWriter:
            return stack.enter_context(writing_table(store, f"{folder}/{name}-{{sha}}.parquet", schema))

        self.tables = {
            "facts": open_table("facts", FACT_SCHEMA),
            "texts": open_table("texts", TEXT_SCHEMA),
            "rejected": open_table("rejected", REJECTED_SCHEMA),
        }
        self.sample, self._progress = _Sample(), progress
        # Parquet is written without Python's lock, so that the next batch can be read meanwhile.
        self._pool = stack.enter_context(ThreadPoolExecutor(1))
        self._writing: Future[None] | None = None

    def write(self, batch: Batch) -> None:
        texts = batch.accepted["text"].combine_chunks()
        accepted = batch.accepted.append_column("key", normalised_key(texts))
        self.finish()
        self._writing = self._pool.submit(self._write, accepted, batch.rejected)
        self.sample.add(accepted.select(_SAMPLED.names))
        self._progress(len(accepted) + len(batch.rejected))

    def _write(self, accepted: pa.Table, rejected: pa.Table) -> None:
        self.tables["facts"].write(accepted.select(FACT_SCHEMA.names))
        self.tables["texts"].write(accepted.select(TEXT_SCHEMA.names))
        self.tables["rejected"].write(rejected)

    def finish(self) -> None:
        """Wait until the last batch is written.

        Raises:
            OSError: It could not be.
        """
        if self._writing is not None:
            self._writing.result()
            self._writing = None


def read_shard(request: ReadRequest, file: SourceFile, tell: Callable[[Event], None]) -> tuple[Shard, list[str]]:
    """Read one source file into a shard, unless the store has it.

    Args:
        request: The request that the file is part of.
        file: The file.
        tell: Told of every piece that was read.

    Returns:
        The shard, and a sentence for each damaged file that was read again.

    Raises:
        ValueError: The file cannot be read without the user's help.
        OSError: The file cannot be reached.
    """
    store, sha256 = Store(request.store), request.hashes.get(file.name) or hash_file(file)
    inputs: Inputs = {
        "version": VERSION,
        "name": file.name,
        "sha256": sha256,
        "label": file.label,
        "split": file.split,
        **asdict(request.options),
    }
    dataset, damage = find_shard(store, inputs)
    if dataset is not None:
        return Shard(file.name, file.fingerprint, read_reading(store, dataset), dataset, is_cached=True), damage
    folder, done = dataset_folder(STEP, inputs), 0

    def progress(records: int) -> None:
        nonlocal done
        done += records
        tell(RecordsRead(file.name, done))

    with ExitStack() as stack:
        writer = _ShardWriter(store, folder, stack, progress)
        reading = read_file(file, request.options, writer.write, sha256)
        writer.finish()
    files = {name: table.published for name, table in writer.tables.items()}
    files["sample"] = store.write_table(f"{folder}/sample-{{sha}}.parquet", writer.sample.signed())
    written: bytes = get_adapter(Reading).dump_json(reading)
    files["reading"] = store.write_bytes_by_hash(f"{folder}/reading-{{sha}}.json", written)
    dataset = publish_dataset(store, STEP, inputs, files, request.source)
    return Shard(file.name, file.fingerprint, reading, dataset, is_cached=False), damage


def find_shard(store: Store, inputs: Inputs) -> tuple[Dataset | None, list[str]]:
    """Return the stored shard, or None; and a sentence for each damaged file. Texts are verified when they are used.

    Hashing all texts takes a second per gigabyte, and most nights need none of them.
    """
    return find_dataset(store, STEP, inputs, is_used=lambda name: name != "texts")


def read_reading(store: Store, dataset: Dataset) -> Reading:
    """Return what was found in the source file of a shard."""
    reading: Reading = read_json(store, dataset.files["reading"], Reading, "a reading")
    return reading


def main(request: ReadRequest, tell: Callable[[Event], None]) -> ReadAnswer:
    """Read the files one after another."""
    shards, damage = [], []
    for file in request.files:
        shard, sentences = read_shard(request, file, tell)
        shards.append(shard)
        damage.extend(sentences)
    return ReadAnswer(tuple(shards), tuple(damage))


JOB = Job(__name__, ReadRequest, ReadAnswer)
