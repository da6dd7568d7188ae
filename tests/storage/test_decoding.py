"""Records are decoded field by field, and an error names the field."""

from dataclasses import asdict

import pytest

from storage.checkpoint_records import CheckpointRecord
from storage.damage import DamagedFileError, NewerFormatError
from storage.decoding import decode_json, decode_record
from storage.records import CodeVersion, FailedTraining, Run, Scores, StoredFile
from storage.runs import read_run_record
from tests.fuzzing import bounded_memory

FILE = {"path": "datasets/x.parquet", "sha256": "0123456789abcdef" * 4, "bytes": 7, "rows": 3}
SCORES = {"loss": 0.5, "accuracy": 0.75, "loss_margin": 0.01, "count": 20}
CHECKPOINT = {
    "format": 1,
    "key": {"seed": 42},
    "epoch": 1,
    "stopping": {"best": 0.25, "wait": 0, "best_epoch": 1},
    "file": FILE,
}
PARAMETERS = {"variants": ["lstm"], "seeds": [42], "maxlen": 100, "num_words": 500, "store": "output", "language": "ko"}
RUN = {
    **asdict(Run("20260102T030405Z-abcdef", "2026-01-02T03:04:05Z", 60.5, "x", False, None, {}, {}, {}, (), ())),
    "parameters": PARAMETERS,
}


def refuse(kind, content):
    with pytest.raises(DamagedFileError) as error:
        decode_record(kind, content, "x.json must be a record")
    return str(error.value).removeprefix("x.json must be a record: ")


@pytest.mark.parametrize(
    "changes", [{}, {"bytes": 0}, {"rows": None}, {"rows": 0}, {"bytes": 2**63 - 1}, {"path": "a" * 255}]
)
def test_a_file_s_record_is_decoded(changes):
    assert decode_record(StoredFile, {**FILE, **changes}, "x") == StoredFile(**{**FILE, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bytes": -1}, "bytes must be greater than or equal to 0. Received: -1."),
        ({"rows": -1}, "rows must be greater than or equal to 0. Received: -1."),
        ({"bytes": 2**63}, "bytes must be less than 9223372036854775808. Received: 9223372036854775808."),
        ({"bytes": -(2**63)}, "bytes must be greater than or equal to 0. Received: -9223372036854775808."),
        ({"bytes": 10**400}, f"bytes must be less than 9223372036854775808. Received: 1{'0' * 59}."),
        ({"bytes": True}, "bytes must be a valid integer. Received: True."),
        ({"bytes": 7.0}, "bytes must be a valid integer. Received: 7.0."),
        ({"bytes": float("inf")}, "bytes must be a valid integer. Received: inf."),
        ({"bytes": None}, "bytes must be a valid integer. Received: None."),
        ({"rows": "3"}, "rows must be a valid integer. Received: '3'."),
        ({"path": ["x"]}, "path must be a valid string. Received: a value of type list."),
        ({"sha256": "ab" * 31 + "a"}, f"sha256 must match pattern '^[0-9a-f]{{64}}$'. Received: '{'ab' * 29}a."),
        ({"sha256": "ab" * 32 + "a"}, f"sha256 must match pattern '^[0-9a-f]{{64}}$'. Received: '{'ab' * 29}a."),
        ({"sha256": "ab" * 32 + "\n"}, f"sha256 must match pattern '^[0-9a-f]{{64}}$'. Received: '{'ab' * 29}a."),
        ({"sha256": "AB" * 32}, f"sha256 must match pattern '^[0-9a-f]{{64}}$'. Received: '{'AB' * 29}A."),
        ({"path": ""}, "path must be the path of a file. Received: ''."),
        ({"path": "../x"}, "path must stay inside the store. Received: '../x'."),
        ({"path": "a\nb\x1b[31m"}, r"path must stay inside the store. Received: 'a\nb\x1b[31m'."),
        ({"path": "\ud800"}, r"""it must hold whole characters only. Received: '{"path": "\ud800'."""),
        ({"evil": 1}, "evil is an unknown field."),
        ({"evil\n\x1b[31m": 1}, "evil [31m is an unknown field."),
        ({"evil" * 70_000: 1}, f"{'evil' * 25} is an unknown field."),
    ],
)
def test_a_file_s_record_with_one_wrong_field_is_refused(changes, message):
    assert refuse(StoredFile, {**FILE, **changes}) == message


def test_a_field_without_a_default_must_be_there_and_one_with_a_default_need_not():
    assert refuse(StoredFile, {"path": "x", "bytes": 1}) == "sha256 must be there and is missing."
    assert refuse(StoredFile, {}) == "path must be there and is missing."
    assert decode_record(StoredFile, {**FILE, "rows": None}, "x").rows is None
    assert decode_record(CodeVersion, {}, "x") == CodeVersion(None, None)


@pytest.mark.parametrize("content", [[], "text", None, 1])
def test_what_is_no_mapping_is_no_record(content):
    assert refuse(FailedTraining, content).startswith("it must be an object. Received: ")


@pytest.mark.parametrize(
    "changes", [{"accuracy": 0}, {"accuracy": 1}, {"count": 1}, {"loss": 3}, {"loss": -1e18}, {"loss_margin": None}]
)
def test_scores_from_end_to_end_of_their_ranges_are_decoded(changes):
    assert decode_record(Scores, {**SCORES, **changes}, "x") == Scores(**{**SCORES, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accuracy": 1.001}, "accuracy must be less than or equal to 1. Received: 1.001."),
        ({"accuracy": -0.001}, "accuracy must be greater than or equal to 0. Received: -0.001."),
        ({"accuracy": float("nan")}, "accuracy must be a finite number. Received: nan."),
        ({"count": 0}, "count must be greater than or equal to 1. Received: 0."),
        ({"loss": float("inf")}, "loss must be a finite number. Received: inf."),
        ({"loss": float("nan")}, "loss must be a finite number. Received: nan."),
        ({"loss": 10**400}, f"loss must be a finite number. Received: 1{'0' * 59}."),
        ({"loss": 2.0**63}, "loss must be less than 9223372036854776000. Received: 9.223372036854776e+18."),
        ({"loss": -(2.0**63)}, "loss must be greater than -9223372036854776000. Received: -9.223372036854776e+18."),
        ({"loss": True}, "loss must be a valid number. Received: True."),
        ({"loss": "0.5"}, "loss must be a valid number. Received: '0.5'."),
        ({"loss_margin": []}, "loss_margin must be a valid number. Received: a value of type list."),
    ],
)
def test_scores_out_of_their_ranges_are_refused(changes, message):
    assert refuse(Scores, {**SCORES, **changes}) == message


def test_a_checkpoint_is_decoded_with_its_file():
    assert decode_record(CheckpointRecord, CHECKPOINT, "x").file == StoredFile(**FILE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 0}, "epoch must be greater than or equal to 1. Received: 0."),
        ({"stopping": {"best": 0.25}}, "stopping.wait must be there and is missing."),
        ({"stopping": {**CHECKPOINT["stopping"], "worst": 1.0}}, "stopping.worst is an unknown field."),
        ({"stopping": {**CHECKPOINT["stopping"], "best": "low"}}, "stopping.best must be a valid number."),
        ({"file": {**FILE, "bytes": -1}}, "file.bytes must be greater than or equal to 0. Received: -1."),
    ],
)
def test_a_checkpoint_with_one_wrong_field_is_refused(changes, message):
    assert refuse(CheckpointRecord, {**CHECKPOINT, **changes}).startswith(message)


def test_a_run_s_parameters_are_kept_as_they_are():
    for parameters in (PARAMETERS, {"variants": ["lstm"], "seeds": [42]}, {**PARAMETERS, "of_tomorrow": [1]}):
        assert read_run_record({**RUN, "parameters": parameters}).parameters == parameters


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": None}, "variants must be a valid array. Received: None."),
        ({"variants": [1]}, "variants.0 must be a valid string. Received: 1."),
        ({"seeds": [42, "43"]}, "seeds.1 must be a valid integer. Received: '43'."),
        ({"maxlen": "100"}, "maxlen must be a valid integer. Received: '100'."),
        ({"num_words": 0.5}, "num_words must be a valid integer. Received: 0.5."),
        ({"store": 7}, "store must be a valid string. Received: 7."),
        ({"language": "de"}, "language must be 'en' or 'ko'. Received: 'de'."),
        ({"language": None}, "language must be 'en' or 'ko'. Received: None."),
    ],
)
def test_a_parameter_that_readers_ask_for_has_its_type(changes, message):
    with pytest.raises(DamagedFileError) as error:
        read_run_record({**RUN, "parameters": {**PARAMETERS, **changes}}, "x.json")
    assert str(error.value) == f"x.json must be the record of a run: parameters: {message}"


def test_a_list_becomes_a_tuple_and_the_place_in_it_is_named():
    failure = {"variant": "gru", "seed": 42, "error": "no"}
    run = decode_record(Run, {**RUN, "failures": [failure, failure]}, "x")
    assert run.failures == (FailedTraining("gru", 42, "no"), FailedTraining("gru", 42, "no"))
    broken = {**RUN, "failures": [failure, {**failure, "seed": None}]}
    assert refuse(Run, broken) == "failures.1.seed must be a valid integer. Received: None."
    assert refuse(Run, {**RUN, "failures": "gru"}) == "failures must be a valid array. Received: 'gru'."


def test_json_is_decoded_as_the_type_that_is_asked_for():
    assert decode_json(dict[str, int], b'{"one": 1}', "x.json must hold counts") == {"one": 1}
    with pytest.raises(
        DamagedFileError, match=r"^x\.json must hold counts: one must be a valid integer\. Received: 1\.5\.$"
    ):
        decode_json(dict[str, int], b'{"one": 1.5}', "x.json must hold counts")


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(content):
    with pytest.raises(DamagedFileError, match=r"^x\.json must hold counts: ."):
        decode_json(dict[str, int], content, "x.json must hold counts")


def test_of_a_name_that_stands_there_twice_the_last_value_counts():
    assert decode_json(dict[str, int], b'{"one": 1, "one": 2}', "x") == {"one": 2}


@pytest.mark.parametrize("depth", [300, 100_000])
def test_a_value_in_lists_without_end_is_refused(depth):
    nested = []
    for _ in range(depth):
        nested = [nested]
    assert "recursion" in refuse(Run, {**RUN, "parameters": {"x": nested}})


def test_more_values_than_any_record_has_are_refused_before_pydantic_keeps_an_error_of_each():
    message = "it must hold at most 500000 values. Received: about 600026."
    assert refuse(Run, {**RUN, "trainings": [None] * 600_000}) == message
    with bounded_memory():
        assert refuse(Run, {**RUN, "trainings": [None] * 300_000}).startswith("trainings.0 must be an object.")


@pytest.mark.parametrize(("kind", "good", "newer"), [(Run, RUN, 3), (CheckpointRecord, CHECKPOINT, 2)])
def test_a_record_of_a_newer_version_is_told_from_a_damaged_one(kind, good, newer):
    with pytest.raises(NewerFormatError) as error:
        decode_record(kind, {**good, "format": newer}, "x.json must be a record")
    assert str(error.value) == (
        f"x.json must be a record: it was written by a newer version of this project (format {newer}; this version "
        f"reads formats up to {newer - 1}). Use that version."
    )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (0, "format must be greater than or equal to 1. Received: 0."),
        (True, "format must be a valid integer. Received: True."),
        ("3", "format must be a valid integer. Received: '3'."),
    ],
)
def test_a_format_is_a_whole_number_from_one(written, message):
    assert refuse(CheckpointRecord, {**CHECKPOINT, "format": written}) == message
