"""Records are decoded field by field, and what is refused is named by its place."""

from dataclasses import asdict

import pytest

from storage.damage import DamagedFileError
from storage.decoding import decode_json, decode_record
from storage.records import CheckpointRecord, CodeVersion, FailedTraining, Run, Scores, StoredFile

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
        ({"bytes": -1}, "it must be of no negative size. Received: 'datasets/x.parquet'."),
        ({"rows": -1}, "it must be of no negative size. Received: 'datasets/x.parquet'."),
        ({"bytes": 2**63}, "it.bytes must be an integer. Received: a value of type int."),
        ({"bytes": -(2**63)}, "it.bytes must be an integer. Received: a value of type int."),
        ({"bytes": True}, "it.bytes must be an integer. Received: a value of type bool."),
        ({"bytes": 7.0}, "it.bytes must be an integer. Received: 7.0."),
        ({"bytes": None}, "it.bytes must be an integer. Received: a value of type NoneType."),
        ({"rows": "3"}, "it.rows must be an integer. Received: '3'."),
        ({"path": ["x"]}, "it.path must be of type str. Received: a value of type list."),
        ({"sha256": "ab" * 31 + "a"}, f"it.sha256 must be 64 hexadecimal digits. Received: '{'ab' * 29}a."),
        ({"sha256": "ab" * 32 + "a"}, f"it.sha256 must be 64 hexadecimal digits. Received: '{'ab' * 29}a."),
        ({"sha256": "AB" * 32}, f"it.sha256 must be 64 hexadecimal digits. Received: '{'AB' * 29}A."),
        ({"path": ""}, "it must be a file inside the store. Received: ''."),
        ({"evil": 1}, "it has a field evil, of which this version knows nothing."),
        ({"evil": 1, "abnormal": 1}, "it has a field abnormal, of which this version knows nothing."),
    ],
)
def test_a_file_s_record_with_one_wrong_field_is_refused(changes, message):
    assert refuse(StoredFile, {**FILE, **changes}) == message


def test_a_field_without_a_default_must_be_there_and_one_with_a_default_need_not():
    assert refuse(StoredFile, {"path": "x", "bytes": 1}) == "it must have a field sha256. It has none."
    assert refuse(StoredFile, {}) == "it must have a field bytes. It has none."
    assert decode_record(StoredFile, {**FILE, "rows": None}, "x").rows is None
    assert decode_record(CodeVersion, {}, "x") == CodeVersion(None, None)


@pytest.mark.parametrize("content", [[], "text", None, 1, {1: 2}])
def test_what_is_no_mapping_of_names_is_no_record(content):
    assert refuse(FailedTraining, content).startswith("it must be a mapping. Received: ")


@pytest.mark.parametrize(
    "changes", [{"accuracy": 0}, {"accuracy": 1}, {"count": 1}, {"loss": 3}, {"loss": -1e18}, {"loss_margin": None}]
)
def test_scores_from_end_to_end_of_their_ranges_are_decoded(changes):
    assert decode_record(Scores, {**SCORES, **changes}, "x") == Scores(**{**SCORES, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accuracy": 1.001}, "it.accuracy must be from 0 to 1. Received: 1.001."),
        ({"accuracy": -0.001}, "it.accuracy must be from 0 to 1. Received: -0.001."),
        ({"count": 0}, "it.count must be at least 1. Received: 0.0."),
        ({"loss": float("inf")}, "it.loss must be a finite number. Received: inf."),
        ({"loss": float("nan")}, "it.loss must be a finite number. Received: nan."),
        ({"loss": 2.0**63}, "it.loss must be a finite number. Received: 9.223372036854776e+18."),
        ({"loss": -(2.0**63)}, "it.loss must be a finite number. Received: -9.223372036854776e+18."),
        ({"loss": True}, "it.loss must be a finite number. Received: a value of type bool."),
        ({"loss": "0.5"}, "it.loss must be a finite number. Received: '0.5'."),
        ({"loss_margin": []}, "it.loss_margin must be a finite number. Received: a value of type list."),
    ],
)
def test_scores_out_of_their_ranges_are_refused(changes, message):
    assert refuse(Scores, {**SCORES, **changes}) == message


def test_a_checkpoint_is_decoded_with_its_file():
    assert decode_record(CheckpointRecord, CHECKPOINT, "x").file == StoredFile(**FILE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 0}, "it must be of early stopping after at least one epoch. Received: a value of type dict."),
        ({"stopping": {"best": 0.25}}, "it must be of early stopping after at least one epoch."),
        ({"stopping": {**CHECKPOINT["stopping"], "worst": 1.0}}, "it must be of early stopping after"),
        ({"stopping": {**CHECKPOINT["stopping"], "best": "low"}}, "it.stopping.best must be a finite number."),
        ({"file": {**FILE, "bytes": -1}}, "it.file must be of no negative size."),
    ],
)
def test_a_checkpoint_with_one_wrong_field_is_refused(changes, message):
    assert refuse(CheckpointRecord, {**CHECKPOINT, **changes}).startswith(message)


def test_a_run_s_parameters_are_kept_as_they_are():
    assert decode_record(Run, RUN, "x").parameters == PARAMETERS
    few = {"variants": ["lstm"], "seeds": [42]}
    assert decode_record(Run, {**RUN, "parameters": few}, "x").parameters == few


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": None}, "it.parameters.variants must be a list. Received: a value of type NoneType."),
        ({"variants": [1]}, "it.parameters.variants.0 must be of type str. Received: a value of type int."),
        ({"seeds": [42, "43"]}, "it.parameters.seeds.1 must be an integer. Received: '43'."),
        ({"maxlen": "100"}, "it.parameters.maxlen must be an integer. Received: '100'."),
        ({"num_words": 0.5}, "it.parameters.num_words must be an integer. Received: 0.5."),
        ({"store": 7}, "it.parameters.store must be of type str. Received: a value of type int."),
        ({"language": "de"}, "it.parameters.language must be one of en, ko. Received: 'de'."),
    ],
)
def test_a_parameter_that_readers_ask_for_has_its_type(changes, message):
    assert refuse(Run, {**RUN, "parameters": {**PARAMETERS, **changes}}) == message


def test_a_list_becomes_a_tuple_and_the_place_in_it_is_named():
    failure = {"variant": "gru", "seed": 42, "error": "no"}
    run = decode_record(Run, {**RUN, "failures": [failure, failure]}, "x")
    assert run.failures == (FailedTraining("gru", 42, "no"), FailedTraining("gru", 42, "no"))
    broken = {**RUN, "failures": [failure, {**failure, "seed": None}]}
    assert refuse(Run, broken) == "it.failures.1.seed must be an integer. Received: a value of type NoneType."
    assert refuse(Run, {**RUN, "failures": "gru"}) == "it.failures must be a list. Received: 'gru'."


def test_json_is_decoded_as_the_type_that_is_asked_for():
    assert decode_json(dict[str, int], b'{"one": 1}', "x.json must hold counts") == {"one": 1}
    with pytest.raises(
        DamagedFileError, match=r"^x\.json must hold counts: it\.one must be an integer\. Rec.*: 1\.5\.$"
    ):
        decode_json(dict[str, int], b'{"one": 1.5}', "x.json must hold counts")


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(content):
    with pytest.raises(DamagedFileError, match=r"^x\.json must hold counts: ."):
        decode_json(dict[str, int], content, "x.json must hold counts")
