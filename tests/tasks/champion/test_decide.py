"""The gate's outcome and its reason in each situation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reports.analysis.statistics import Interval
from reports.decision import decision_from_json, decision_to_json
from reports.sections.comparison_section import BaselineCheck
from reports.sections.gate_policy import parse_policy
from storage.champion_log import ChampionLog
from storage.looks import list_looks
from storage.records import FailedTraining
from storage.schemas import padded_schema
from tasks.champion.decide import decide
from tasks.champion.gate_request import GateSetup
from tasks.champion.promotion import block, promote
from tests.champions import MAXLEN, answer, because, publish_champion_run, publish_model
from tests.example_runs import evidence_of

OLD, NEW = "20261101T020000Z-aaaaaa", "20261102T020000Z-bbbbbb"


@pytest.fixture
def labels(store, datasets):
    table = store.read_table(datasets["pad"].files["test"], padded_schema(MAXLEN))
    return table["label"].to_numpy() == 1


@pytest.fixture
def publish(store, datasets, labels):
    """Return a function that publishes a run of one model, right on a share of the 200 test reviews."""

    def run(run_id, accuracy=0.8, sureness=None, shift=0, weights="a", failures=(), seed=42):
        # Calibrated, unless a test wants another sureness.
        said = answer(labels, accuracy, sureness or accuracy, shift)
        model = publish_model(store, run_id, datasets, "lstm", seed, said, weights, val_loss=0.43)
        return publish_champion_run(store, datasets, run_id, model, failures=failures)

    return run


@pytest.fixture
def gate(store, answering):
    """Return a function that decides about a run."""

    def run(one, policy="mode=propose", flow_run="flow-1", of=None, **changes):
        evidence = replace(evidence_of(of or one), **changes)
        return decide(one, evidence, store, GateSetup(parse_policy(policy), "main", flow_run))

    return run


@pytest.fixture
def champion(store, publish, answering):
    """A champion that is right on 80% of the reviews, and its log."""
    publish(OLD)
    log = ChampionLog(store)
    promote(log, OLD, "lstm-seed42", because())
    return log


def reason_of(decision) -> tuple[str, str]:
    return decision.outcome, decision.reasons[0]


def test_the_first_champion_is_proposed(publish, gate, store):
    decision = gate(publish(NEW))
    assert reason_of(decision) == ("propose", "first")
    assert (decision.number, decision.champion, decision.challenger.training) == (0, None, "lstm-seed42")
    assert list_looks(ChampionLog(store)) == []


def test_a_first_model_that_is_clearly_worse_than_words_is_kept_out(publish, gate):
    worse = BaselineCheck("bag_of_words", Interval(0.9, 0.88, 0.92), Interval(-0.1, -0.12, -0.08), 0.001)
    assert reason_of(gate(publish(NEW), baseline_checks=(worse,))) == ("keep", "not_first")


def test_a_first_model_below_the_floors_is_kept_out(publish, gate):
    decision = gate(publish(NEW, accuracy=0.55), policy="mode=automatic,least_accuracy=0.56,most_loss=5")
    assert decision.outcome == "keep"
    assert "least_accuracy" in [check.name for check in decision.failed]


@pytest.mark.parametrize(
    ("mode", "outcome"), [("report_only", "propose"), ("propose", "propose"), ("automatic", "promote")]
)
def test_a_clearly_better_model_is_proposed_or_promoted(champion, publish, gate, mode, outcome):
    decision = gate(publish(NEW, accuracy=0.95, weights="b"), policy=f"mode={mode}")
    assert reason_of(decision) == (outcome, "better")
    assert (decision.number, decision.champion.run_id, decision.champion.number) == (1, OLD, 1)
    assert (decision.gained, decision.lost, decision.reviews) == (30, 0, 200 - decision.repeated - decision.left_out)
    assert (decision.is_look, decision.looks) == (True, 1)
    (look,) = list_looks(champion)
    assert (look.flow_run, look.run_id, look.outcome, look.number) == ("flow-1", NEW, outcome, 1)


def test_a_model_that_is_a_little_better_is_not_proposed(champion, publish, gate):
    decision = gate(publish(NEW, accuracy=0.82, weights="b"))
    assert reason_of(decision) == ("keep", "not_better")
    assert decision.least_gain == pytest.approx(None) or decision.least_gain > 0.02


def test_a_worse_model_is_not_proposed(champion, publish, gate):
    decision = gate(publish(NEW, accuracy=0.6, weights="b"))
    assert reason_of(decision) == ("keep", "not_better")
    assert decision.gain.high < 0


def test_the_champion_s_own_weights_are_the_same_model(champion, publish, gate):
    decision = gate(publish(NEW))
    assert reason_of(decision) == ("same", "is_champion")
    assert list_looks(champion) == []


def test_other_weights_with_the_same_answers_are_the_same_model(champion, publish, gate):
    assert reason_of(gate(publish(NEW, sureness=0.80005, weights="b"))) == ("same", "is_champion")


def test_a_model_that_was_judged_before_repeats_its_outcome_and_spends_nothing(champion, publish, gate):
    assert gate(publish(NEW, accuracy=0.95, weights="b"), flow_run="flow-1").outcome == "propose"
    decision = gate(publish("20261103T020000Z-cccccc", accuracy=0.95, weights="b"), flow_run="flow-2")
    assert reason_of(decision) == ("same", "judged_before")
    assert (decision.earlier, decision.earlier_outcome, decision.is_look, decision.looks) == (NEW, "propose", False, 1)
    assert len(list_looks(champion)) == 1


def test_a_promotion_that_was_lost_is_decided_again_without_another_look(champion, publish, gate):
    assert gate(publish(NEW, accuracy=0.95, weights="b"), policy="mode=automatic").outcome == "promote"
    run = publish("20261103T020000Z-cccccc", accuracy=0.95, weights="b")
    decision = gate(run, policy="mode=automatic", flow_run="flow-2")
    assert (decision.outcome, decision.earlier, decision.is_look) == ("promote", NEW, False)
    assert len(list_looks(champion)) == 1


def test_a_flow_run_that_is_retried_takes_its_own_look_again(champion, publish, gate):
    run = publish(NEW, accuracy=0.95, weights="b")
    first = gate(run, flow_run="flow-1")
    assert gate(run, flow_run="flow-1") == first
    assert len(list_looks(champion)) == 1


def test_a_blocked_model_is_kept_out(champion, publish, gate):
    run = publish(NEW, accuracy=0.95, weights="b")
    block(champion, NEW, "lstm-seed42", because())
    assert reason_of(gate(run)) == ("keep", "blocked")


def test_a_year_s_looks_can_be_used_up(champion, publish, gate):
    assert gate(publish(NEW, accuracy=0.82, weights="b"), policy="mode=propose,looks_per_year=1").looks == 1
    run = publish("20261103T020000Z-cccccc", accuracy=0.95, weights="c")
    decision = gate(run, policy="mode=propose,looks_per_year=1", flow_run="flow-2")
    assert reason_of(decision) == ("keep", "looks_spent")
    assert len(list_looks(champion)) == 1


def test_a_better_model_that_is_far_too_unsure_fails_its_guards(champion, publish, gate):
    decision = gate(publish(NEW, accuracy=0.95, sureness=0.55, weights="b"))
    assert reason_of(decision) == ("keep", "guards")
    assert {check.name for check in decision.failed} == {"log_loss", "calibration"}
    assert decision.is_look


def test_refresh_replaces_by_a_model_that_is_not_worse_only_if_it_knows_newer_reviews(champion, publish, gate):
    decision = gate(
        publish(NEW, accuracy=0.8, sureness=0.81, weights="b"), policy="mode=propose,policy=refresh,margin=1"
    )
    assert reason_of(decision) == ("keep", "not_refresh")
    assert [check.name for check in decision.failed] == ["newer"]
    assert (decision.new_reviews, decision.is_look) == (0, False)


@pytest.mark.parametrize(
    ("break_it", "reason", "words"),
    [
        ("failed variant", "failed_variant", "gru"),
        ("champion missing", "champion_unusable", "must be there and is missing"),
        ("champion torn", "champion_unusable", "must have SHA-256"),
        ("champion drifts", "champion_drifted", "must give its reference outputs within 0.0001"),
        ("challenger broken", "challenger_unusable", "must load and predict in a process without this project"),
        ("record edited", "failed", "must be as it was written"),
        ("gap", "failed", "000001.json must be there, because later records are"),
        ("champion's run gone", "failed", "run.json"),
        ("metric missing", "missing_metric", "minimal pairs"),
        ("not a number", "not_finite", ""),
    ],
)
def test_whatever_cannot_be_seen_for_sure_is_refused(break_it, reason, words, store, champion, publish, gate):
    failures = [FailedTraining("gru", 42, "killed")] if break_it == "failed variant" else []
    run = publish(NEW, accuracy=0.95, weights="b", failures=failures)
    whole, model = run, Path(store.locate(f"runs/{OLD}/lstm-seed42/model.keras"))
    if break_it == "champion missing":
        model.unlink()
    elif break_it == "champion torn":
        model.write_bytes(model.read_bytes()[:-1])
    elif break_it == "champion drifts":
        drift_references(store, champion)
    elif break_it == "challenger broken":
        run = replace_model(store, run, b"not a model")
    elif break_it == "record edited":
        path = Path(store.locate(champion.path_of(1)))
        path.write_text(path.read_text().replace("a good reason", "another reason"))
    elif break_it == "gap":
        block(champion, NEW, "lstm-seed42", because())
        Path(store.locate(champion.path_of(1))).unlink()
    elif break_it == "champion's run gone":
        Path(store.locate(f"runs/{OLD}/run.json")).unlink()
    elif break_it == "metric missing":
        training = run.trainings[0]
        files = {name: file for name, file in training.files.items() if "pairs" not in name}
        run = replace(run, trainings=(replace(training, files=files),))
    elif break_it == "not a number":
        training = run.trainings[0]
        run = replace(run, trainings=(replace(training, test=replace(training.test, loss=float("nan"))),))
    decision = gate(run, of=whole)
    assert reason_of(decision) == ("refused", reason)
    assert words in decision.error
    assert list_looks(champion) == []


def replace_model(store, run, content: bytes):
    training = run.trainings[0]
    file = store.write_bytes(training.files["model.keras"].path, content)
    return replace(run, trainings=(replace(training, files={**training.files, "model.keras": file}),))


def drift_references(store, log) -> None:
    """Write the first record again, with reference outputs that its model does not give."""
    from dataclasses import asdict

    record = log.read(1).record
    references = record.champion.references
    other = replace(references, probabilities=tuple(0.5 for _ in references.probabilities))
    store.write_manifest(log.path_of(1), asdict(replace(record, champion=replace(record.champion, references=other))))
    log.write_current_file(log.read(1))


def test_a_decision_is_read_back_as_it_was_written(champion, publish, gate):
    decision = gate(publish(NEW, accuracy=0.95, weights="b"))
    assert decision_from_json(decision_to_json(decision)) == decision


def test_each_text_counts_once_and_none_that_the_champion_was_trained_on(champion, publish, gate, store, datasets):
    decision = gate(publish(NEW, accuracy=0.95, weights="b"))
    table = store.read_table(datasets["pad"].files["test"], padded_schema(MAXLEN))
    assert decision.reviews + decision.repeated + decision.left_out == len(table) == 200


def test_negative_flips_are_shown_as_readable_reviews(champion, publish, gate, labels):
    decision = gate(publish(NEW, accuracy=0.8, shift=20, weights="b"))
    assert (decision.gained, decision.lost) == (20, 20) or decision.lost > 0
    assert 1 <= len(decision.flips) <= 5
    for flip in decision.flips:
        assert set(flip.probabilities) == {"champion", "challenger"}
        assert (flip.probabilities["champion"] > 0.5) == flip.is_positive
        assert (flip.probabilities["challenger"] > 0.5) != flip.is_positive
        assert len(flip.words) > 0


def test_a_run_that_kept_the_texts_out_shows_no_flips(champion, publish, gate):
    run = publish(NEW, accuracy=0.8, shift=20, weights="b")
    assert gate(replace(run, parameters={**run.parameters, "texts": False})).flips == ()


def test_seeds_of_the_champion_s_recipe_say_how_many_flips_are_usual(champion, store, datasets, labels, gate):
    one = publish_model(store, NEW, datasets, "lstm", 42, answer(labels, 0.8, shift=10), "b", val_loss=0.42)
    two = publish_model(store, NEW, datasets, "lstm", 43, answer(labels, 0.8, shift=14), "c", val_loss=0.43)
    decision = gate(publish_champion_run(store, datasets, NEW, one, two))
    (flips,) = [check for check in decision.checks if check.name == "flips"]
    assert flips.limit == pytest.approx(1.5 * 8 / 200 / 2)


def test_probabilities_that_are_not_numbers_are_refused(champion, store, datasets, labels, gate):
    said = answer(labels, 0.9)
    said[3] = np.nan
    model = publish_model(store, NEW, datasets, "lstm", 42, said, "b", val_loss=0.42)
    decision = gate(publish_champion_run(store, datasets, NEW, model))
    assert reason_of(decision) == ("refused", "failed")
    assert "must predict probabilities. Received: NaN" in decision.error
