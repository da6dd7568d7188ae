"""Promote, go back, block and unblock: what is recorded, and what is refused with nothing changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from storage.champion_log import ChampionChangedError, ChampionLog
from storage.champion_records import Author
from storage.records import FailedTraining
from storage.schemas import padded_schema
from storage.verify_champions import verify_logs
from tasks.champion.clean_process import CleanProcessError
from tasks.champion.promotion import block, name_author, promote, roll_back, unblock
from tests.champions import MAXLEN, answer, because, publish_champion_run, publish_model

FIRST, SECOND, THIRD = "20261101T020000Z-aaaaaa", "20261102T020000Z-bbbbbb", "20261103T020000Z-cccccc"


@pytest.fixture
def log(store, datasets, answering):
    """The log of a store with three runs of one model each; the third run's second training failed."""
    table = store.read_table(datasets["pad"].files["test"], padded_schema(MAXLEN))
    labels = table["label"].to_numpy() == 1
    for run_id, weights in ((FIRST, "a"), (SECOND, "b"), (THIRD, "c")):
        model = publish_model(store, run_id, datasets, "lstm", 42, answer(labels, 0.8), weights, val_loss=0.43)
        failures = [FailedTraining("gru", 42, "killed")] if run_id == THIRD else []
        publish_champion_run(store, datasets, run_id, model, failures=failures)
    return ChampionLog(store)


def champion_of(log) -> str | None:
    newest = log.read_newest()
    return newest.record.champion.run_id if newest and newest.record.champion else None


def test_a_promotion_says_what_who_when_and_why(log):
    record = promote(log, FIRST, "lstm-seed42", because("clearly better", commit="d" * 40)).record
    assert (record.number, record.action, record.why, record.author.user) == (1, "promote", "clearly better", "ada")
    assert (record.run_id, record.training, record.commit) == (FIRST, "lstm-seed42", "d" * 40)
    model = record.champion
    assert {"model.keras", "history.parquet", "run"} < set(model.files)
    assert (model.encoder.kind, model.encoder.num_words, model.encoder.maxlen) == ("imdb", 500, 40)
    assert (len(model.references.tokens), len(model.references.probabilities)) == (50, 50)
    assert log.read_current_file().model == model.files["model.keras"]
    assert list(verify_logs(log.store)) == []


def test_the_identity_is_that_of_weights_layers_and_encoder_not_of_the_file(log):
    identities = {promote(log, run_id, "lstm-seed42", because()).record.identity for run_id in (FIRST, SECOND, THIRD)}
    assert len(identities) == 3


def test_going_back_restores_the_champion_before_and_blocks_the_one_that_is_left(log):
    for run_id in (FIRST, SECOND, THIRD):
        promote(log, run_id, "lstm-seed42", because())
    record = roll_back(log, because("complaints")).record
    assert (record.action, record.champion.run_id, record.run_id) == ("rollback", SECOND, THIRD)
    assert [(one.run_id, one.number, one.why) for one in record.blocked] == [(THIRD, 4, "complaints")]
    assert roll_back(log, because()).record.champion.run_id == FIRST
    with pytest.raises(ValueError, match=f"There must be a champion main before lstm-seed42 of {FIRST}"):
        roll_back(log, because())
    with pytest.raises(ValueError, match=r"is blocked\. `retrain champion unblock` lifts that"):
        promote(log, THIRD, "lstm-seed42", because())
    assert unblock(log, THIRD, "lstm-seed42", because()).record.champion.run_id == FIRST
    assert promote(log, THIRD, "lstm-seed42", because()).record.champion.run_id == THIRD
    # The second one is still blocked, so the one before the third is the first.
    assert roll_back(log, because()).record.champion.run_id == FIRST


def test_a_champion_that_is_damaged_can_be_left_and_one_that_is_damaged_is_not_restored(log):
    for run_id in (FIRST, SECOND, THIRD):
        promote(log, run_id, "lstm-seed42", because())
    Path(log.store.locate(f"runs/{THIRD}/lstm-seed42/model.keras")).unlink()
    assert roll_back(log, because()).record.champion.run_id == SECOND
    Path(log.store.locate(f"runs/{FIRST}/lstm-seed42/model.keras")).write_bytes(b"torn")
    with pytest.raises(CleanProcessError, match=r"The champion before cannot be restored: .* must have SHA-256"):
        roll_back(log, because())
    assert champion_of(log) == SECOND


def test_blocking_keeps_the_champion(log):
    promote(log, FIRST, "lstm-seed42", because())
    record = block(log, SECOND, "lstm-seed42", because("wrong labels")).record
    assert (record.champion.run_id, [one.run_id for one in record.blocked]) == (FIRST, [SECOND])
    assert record.is_blocked(record.identity)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda log: promote(log, "20261109T020000Z-ffffff", "lstm-seed42", because()), "`RUN_ID` must be one that"),
        (lambda log: promote(log, "../x", "lstm-seed42", because()), "`RUN_ID` must be one that"),
        (lambda log: promote(log, SECOND, "gru-seed42", because()), "`TRAINING` must be one of .*: lstm-seed42"),
        (
            lambda log: promote(log, THIRD, "gru-seed42", because()),
            "`TRAINING` must have a model. gru-seed42 .* failed",
        ),
        (lambda log: promote(log, FIRST, "lstm-seed42", because()), "is the champion main already"),
        (lambda log: promote(log, SECOND, "lstm-seed42", because(" ")), "`why` must say why"),
        (lambda log: promote(log, SECOND, "lstm-seed42", because("two\nlines")), "`why` must say why"),
        (lambda log: promote(log, SECOND, "lstm-seed42", because("x" * 501)), "`why` must say why"),
        (lambda log: promote(log, SECOND, "lstm-seed42", because(expect=7)), "must end with record 7, as you expected"),
        (lambda log: block(log, FIRST, "lstm-seed42", because()), "is the champion. `retrain champion rollback`"),
        (lambda log: unblock(log, SECOND, "lstm-seed42", because()), "must be blocked to be unblocked"),
        (lambda log: roll_back(log, because()), "There must be a champion main before"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(log, act, message):
    promote(log, FIRST, "lstm-seed42", because())
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        act(log)
    assert "\n" not in str(caught.value)
    assert (log.find_newest(), champion_of(log)) == (1, FIRST)


def test_a_damaged_model_is_not_promoted(log):
    Path(log.store.locate(f"runs/{FIRST}/lstm-seed42/model.keras")).write_bytes(b"torn")
    with pytest.raises(ValueError, match="must have SHA-256"):
        promote(log, FIRST, "lstm-seed42", because())
    assert log.find_newest() == 0


def test_a_model_of_the_sample_corpus_is_never_promoted(log, store, datasets):
    from storage.runs import publish_run, read_run

    publish_run(store, replace(read_run(store, FIRST), is_sample=True))
    with pytest.raises(ValueError, match="trained on the sample corpus, which never becomes a champion"):
        promote(log, FIRST, "lstm-seed42", because())


def test_whoever_expected_the_current_record_acts(log):
    promote(log, FIRST, "lstm-seed42", because(expect=0))
    assert promote(log, SECOND, "lstm-seed42", because(expect=1)).record.number == 2
    with pytest.raises(ChampionChangedError):
        promote(log, THIRD, "lstm-seed42", because(expect=1))


def test_a_flow_run_that_is_retried_promotes_once(log):
    reason = replace(because(), author=Author("gate", "worker", "host", "flow-1"))
    first = promote(log, FIRST, "lstm-seed42", reason)
    assert promote(log, FIRST, "lstm-seed42", reason) == first
    # Also after somebody else has acted.
    promote(log, SECOND, "lstm-seed42", because())
    assert promote(log, FIRST, "lstm-seed42", reason) == first
    assert log.find_newest() == 2


def test_an_account_without_a_name_is_unknown(monkeypatch):
    def refuse():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", refuse)
    assert name_author().user == "unknown"
