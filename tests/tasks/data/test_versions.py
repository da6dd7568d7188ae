"""A step whose result changes must have a new version number, because otherwise older datasets are used."""

import gc
import hashlib
import json

import pyarrow.parquet as pq
import pytest

from storage.archive import read_reviews
from tasks.data import minimal_pairs, pad, profile, sample, split
from tasks.data.pad import PadRequest
from tasks.data.profile import ProfileRequest
from tasks.data.sample import SampleRequest
from tasks.data.split import SplitRequest
from tests.splits import RECIPE
from tests.trainings import ignore


def read_content(path):
    """Return the content of a file, which does not depend on the version of the library that wrote it."""
    if path.suffix == ".parquet":
        return pq.ParquetFile(path).read().to_pydict()
    if path.suffix == ".npz":
        parts = [read_reviews(path.read_bytes(), part, "sample") for part in ("train", "test")]
        return [[one.tokens.tolist(), one.offsets.tolist(), one.labels.tolist()] for one in parts]
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The results of each step for 40 sample reviews, as JSON."""
    folder = tmp_path_factory.mktemp("store")
    root = str(folder)
    made = sample.main(SampleRequest(40, root, "sample"), ignore)
    archive, index = made["archive"], made["word_index"]
    whole = {}
    for part in ("train", "test"):
        whole |= split.main(SplitRequest(part, archive, "sample", RECIPE, root, "split"), ignore)
    padded = pad.main(PadRequest(whole, 20, root, "pad"), ignore)
    profiled = profile.main(ProfileRequest(archive, index, "sample", whole, 500, 20, root, "profile"), ignore)
    gc.enable()
    steps = {"sample": made, "split": whole, "pad": padded, "profile": profiled}
    return {
        step: json.dumps({part: read_content(folder / file.path) for part, file in files.items()}, sort_keys=True)
        for step, files in steps.items()
    }


@pytest.mark.parametrize(
    ("step", "version", "sha"),
    [
        ("sample", sample.VERSION, "1-ede3143f4c5ec6d6"),
        ("split", split.VERSION, "1-4a508a229a736161"),
        ("pad", pad.VERSION, "1-54365509eec11d8a"),
        ("profile", profile.VERSION, "1-c007d5f250043ee7"),
    ],
)
def test_a_step_whose_output_changes_has_another_number(outputs, step, version, sha):
    found = hashlib.sha256(outputs[step].encode()).hexdigest()[:16]
    assert f"{version}-{found}" == sha, f"tasks/data/{step}.py gives other files: raise its VERSION, and set this line"


def test_minimal_pairs_that_change_have_another_number():
    found = hashlib.sha256(repr((minimal_pairs.EXPECTATIONS, minimal_pairs.PAIRS)).encode()).hexdigest()[:16]
    assert f"{minimal_pairs.VERSION}-{found}" == "1-41125ab8f828c3e3"
