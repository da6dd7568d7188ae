"""Nights with real trainings: a first champion, a better model, the same again, an approval in Prefect, a worse one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from flows import nightly
from flows.cli.past_runs import render_stored_run
from flows.cli.store_commands import verify_files
from flows.nightly import nightly_retraining
from flows.promote_champion import promote_champion
from reports.sections.gate_policy import parse_policy
from storage.champion_log import ChampionLog
from storage.looks import list_looks
from storage.store import Store
from tasks.evaluation.stored_evidence import read_evidence
from tests.archives import make_sample
from tests.example_runs import FOUR_VARIANTS

pytestmark = pytest.mark.usefixtures("prefect_server")

QUICK = {"maxlen": 40, "batch_size": 32, "variants": ("gru",), "baselines": False, "jobs": 1}
# Right on about 64% and 86% of the test reviews.
WEAK, STRONG = {"epochs": 2, "learning_rate": 1e-2}, {"epochs": 8, "learning_rate": 5e-3}


@pytest.fixture(scope="module")
def told():
    """The events about champions, in their order."""
    return []


@pytest.fixture(scope="module")
def nights(prefect_server, tmp_path_factory, told):
    """The store, and the states of four nights and of an approval, by what they were for."""
    folder = tmp_path_factory.mktemp("nights")
    archive, index = make_sample(3000)
    (folder / "reviews.npz").write_bytes(archive)
    (folder / "imdb_word_index.json").write_bytes(index)
    store = Store(str(folder / "store"))
    states = {}

    def run(name, gate, **parameters):
        states[name] = nightly_retraining(
            source=str(folder / "reviews.npz"), gate=gate, store=store.uri, **QUICK, **parameters, return_state=True
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.gate.emit_event", lambda event, **content: told.append((event, content)))
        run("first", "mode=automatic", **WEAK)
        run("better", "mode=propose", **STRONG)
        run("again", "mode=propose", **STRONG)
        better = states["better"].result()
        states["approved"] = promote_champion(
            better.run_id, "gru-seed42", why="clearly better", expect=1, store=store.uri, return_state=True
        )
        run("worse", "mode=propose", **WEAK)
    return store, states


def decision_of(nights, name):
    store, states = nights
    return read_evidence(store, states[name].result()).decision


def test_the_first_model_becomes_the_champion_by_itself_in_automatic_mode(nights):
    store, states = nights
    decision = decision_of(nights, "first")
    assert (decision.outcome, decision.reasons) == ("promote", ("first",)), decision
    record = ChampionLog(store).read(1).record
    run = states["first"].result()
    assert (record.action, record.author.by, record.run_id) == ("promote", "gate", run.run_id)
    assert record.author.flow_run == str(states["first"].state_details.flow_run_id)
    assert record.report == run.report.sha256
    assert record.evidence["outcome"] == "promote"
    assert "Decision: promote" in store.read_bytes(run.report.path).decode()


def test_a_clearly_better_model_is_proposed_with_the_command(nights):
    store, states = nights
    decision = decision_of(nights, "better")
    assert (decision.outcome, decision.reasons) == ("propose", ("better",)), decision
    assert decision.gain.low > 0
    run = states["better"].result()
    command = f"retrain champion promote {run.run_id} gru-seed42 --expect 1"
    assert command in store.read_bytes(run.report.path).decode()
    assert command in states["better"].message


def test_the_same_weights_on_the_next_night_spend_nothing(nights):
    store, states = nights
    decision = decision_of(nights, "again")
    assert (decision.outcome, decision.reasons) == ("same", ("judged_before",))
    assert decision.earlier == states["better"].result().run_id
    files = [states[name].result().trainings[0].files["model.keras"].sha256 for name in ("better", "again")]
    assert files[0] != files[1]
    assert [look.outcome for look in list_looks(ChampionLog(store))] == ["propose", "keep"]


def test_an_approval_in_prefect_makes_the_same_record_as_the_terminal(nights):
    store, states = nights
    assert states["approved"].is_completed()
    record = ChampionLog(store).read(2).record
    assert (record.action, record.why, record.author.by) == ("promote", "clearly better", "person")
    assert record.author.flow_run == str(states["approved"].state_details.flow_run_id)
    run = states["better"].result()
    assert (record.champion.run_id, record.report) == (run.run_id, run.report.sha256)
    assert (record.evidence["outcome"], record.evidence["gained"] > 0) == ("propose", True)


def test_a_worse_model_is_kept_out(nights):
    decision = decision_of(nights, "worse")
    assert (decision.outcome, decision.reasons) == ("keep", ("not_better",))
    assert decision.gain.high < 0
    assert decision.number == 2


@pytest.mark.parametrize(
    ("mode", "changes"), [("off", {}), ("propose", {"is_sample": True}), ("propose", {"stopped": ("x",)})]
)
def test_without_a_gate_on_made_up_reviews_and_in_a_stopped_run_nothing_is_decided(mode, changes, monkeypatch, store):
    asked = []
    monkeypatch.setattr(
        nightly, "compute_evidence", lambda run, *_where, is_decided_about: asked.append(is_decided_about) or run
    )
    monkeypatch.setattr(nightly, "write_report", lambda run, *_where: run)
    run = replace(FOUR_VARIANTS, **changes)
    published, decision = nightly.publish_with_decision(run, parse_policy(f"mode={mode}"), "main", store, None)
    assert (published, decision, asked) == (run, None, [False])


def test_people_are_told_once_of_what_concerns_them(nights, told):
    assert [event for event, _ in told] == [
        "retraining.champion.promoted",
        "retraining.champion.proposed",
        "retraining.champion.promoted",
    ]
    (proposal,) = [content for event, content in told if event == "retraining.champion.proposed"]
    assert proposal["resource"]["prefect.resource.id"] == "retraining.champion.main"
    assert proposal["payload"]["approve"].startswith("prefect deployment run promote-champion/promote -p run_id=")
    assert proposal["payload"]["expect"] == 1
    json.dumps(proposal)


def test_a_page_with_a_decision_is_rendered_again_byte_for_byte(nights):
    store, states = nights
    run = states["better"].result()
    assert render_stored_run(store, run, "en") == store.read_verified(run.report)


def test_the_store_is_sound_at_the_end(nights, capsys):
    assert verify_files(nights[0].uri) == 0, capsys.readouterr().err
