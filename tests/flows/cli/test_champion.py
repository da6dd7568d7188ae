"""`retrain champion`, `retrain clean` and `retrain verify`: what people read, and what is refused in one line."""

import json
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cli.command import main
from storage.champion_log import ChampionLog
from storage.schemas import padded_schema
from tests.champions import MAXLEN, AnsweringProcess, answer, prepare_datasets, publish_champion_run, publish_model

FIRST, SECOND = "20251101T020000Z-aaaaaa", "20251102T020000Z-bbbbbb"


@pytest.fixture(scope="module")
def prepared_store(tmp_path_factory):
    from storage.store import Store

    store = Store(str(tmp_path_factory.mktemp("champions")))
    datasets = prepare_datasets(store)
    table = store.read_table(datasets["pad"].files["test"], padded_schema(MAXLEN))
    labels = table["label"].to_numpy() == 1
    for run_id, weights in ((FIRST, "a"), (SECOND, "b")):
        model = publish_model(store, run_id, datasets, "lstm", 42, answer(labels, 0.8), weights, val_loss=0.43)
        publish_champion_run(store, datasets, run_id, model)
    return store


@pytest.fixture
def retrain(prepared_store, store, capsys, monkeypatch):
    """Return a function that runs a command on a store with two runs of one model each."""
    import shutil

    shutil.copytree(prepared_store.uri, store.uri)
    monkeypatch.setattr("tasks.champion.scoring.predict_cleanly", lambda jobs: AnsweringProcess(jobs).finish())

    def run(*arguments: str) -> tuple[int, str, str]:
        return main([*arguments, "--store", store.uri]), *capsys.readouterr()

    return run


def promote(retrain, run_id=FIRST, *more):
    return retrain("champion", "promote", run_id, "lstm-seed42", "--why", "clearly better", *more)


def test_without_a_champion_the_command_says_how_to_make_one(retrain):
    assert retrain("champion") == (
        0,
        "champion main: none yet; `retrain champion promote RUN_ID TRAINING --why ...` makes one\n",
        "",
    )
    assert retrain("champion", "log") == (0, "champion main: the log is empty\n", "")
    assert retrain("champion", "--json") == (0, "null\n", "")


def test_a_champion_is_promoted_shown_and_left(retrain):
    code, out, _ = promote(retrain)
    assert (code, out.split("  ")[0]) == (0, "1")
    assert f"promoted lstm-seed42 of {FIRST}: clearly better" in out
    assert promote(retrain, SECOND, "--expect", "1")[0] == 0
    code, out, _ = retrain("champion")
    assert out.splitlines()[0] == f"champion main: lstm-seed42 of {SECOND}"
    assert "test accuracy 80.00% on 200 reviews" in out
    code, out, _ = retrain("champion", "rollback", "--why", "complaints")
    assert f"left and blocked lstm-seed42 of {SECOND}; champion: lstm-seed42 of {FIRST}: complaints" in out
    code, out, _ = retrain("champion")
    assert f"blocked       lstm-seed42 of {SECOND} (record 3): complaints" in out
    assert retrain("champion", "unblock", SECOND, "lstm-seed42", "--why", "mended")[0] == 0
    lines = retrain("champion", "log")[1].splitlines()
    assert [line.split("  ")[0] for line in lines] == ["1", "2", "3", "4"]
    records = [json.loads(line) for line in retrain("champion", "log", "--json")[1].splitlines()]
    assert [record["action"] for record in records] == ["promote", "promote", "rollback", "unblock"]
    assert json.loads(retrain("champion", "--json")[1])["number"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("promote",), "`retrain champion promote` needs a RUN_ID and a TRAINING, such as lstm-seed42."),
        (("promote", FIRST, "lstm-seed42"), "`retrain champion promote` needs a reason. Give --why."),
        (("promote", FIRST, "lstm-seed42", "--why", " "), "`retrain champion promote` needs a reason. Give --why."),
        (("rollback",), "`retrain champion rollback` needs a reason. Give --why."),
        (
            ("rollback", FIRST, "--why", "x"),
            f"`retrain champion rollback` takes no RUN_ID and no TRAINING. Received: {FIRST}.",
        ),
        (("show", FIRST), f"`retrain champion show` takes no RUN_ID and no TRAINING. Received: {FIRST}."),
        (("rollback", "--why", "x", "--json"), "--json goes with show and log."),
        (("rollback", "--why", "x"), "There must be a champion main to go back from. There is none."),
        (
            ("promote", "nope", "lstm-seed42", "--why", "x"),
            "`RUN_ID` must be one that `retrain history` lists. Received: nope;",
        ),
        (("--champion", "../x"), "`champion` must be a name of small letters"),
    ],
)
def test_what_does_not_fit_is_one_line_and_changes_nothing(retrain, store, arguments, message):
    code, out, err = retrain("champion", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"retrain champion: {message}")
    assert ChampionLog(store).find_newest() == 0


def test_an_unknown_action_is_refused_by_the_parser(retrain, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["champion", "demote"])
    assert ended.value.code == 2
    assert "invalid choice: 'demote'" in capsys.readouterr().err


def test_showing_the_champion_writes_the_lagging_file_again(retrain, store):
    promote(retrain)
    store.delete_file(ChampionLog(store).current_path)
    code, _, err = retrain("verify")
    assert (code, "current.json must name record 1 and is missing" in err) == (2, True)
    retrain("champion")
    code, out, err = retrain("verify")
    assert (code, err) == (0, "")
    assert "champions: the logs of main are sound. A log that was cut at its end" in out


def test_verify_finds_an_edited_record_and_a_damaged_champion(retrain, store):
    promote(retrain)
    model = Path(store.locate(f"runs/{FIRST}/lstm-seed42/model.keras"))
    whole = model.read_bytes()
    model.write_bytes(whole[:-1])
    code, _, err = retrain("verify")
    assert (code, "The champion main (record 1) is damaged" in err) == (2, True)
    model.write_bytes(whole)
    record = Path(store.locate(ChampionLog(store).path_of(1)))
    record.write_text(record.read_text().replace("clearly better", "clearly worse"))
    code, out, err = retrain("verify")
    assert (code, "000001.json must be as it was written" in err) == (2, True)
    assert "the logs of main have faults" in out


def test_verify_finds_a_damaged_look(retrain, store):
    promote(retrain)
    store.write_manifest("champion/main/looks/flow-1.json", {"flow_run": "flow-1"})
    code, _, err = retrain("verify")
    assert (code, "looks/flow-1.json must be a look of the gate" in err) == (2, True)


def test_history_shows_promotions(retrain):
    promote(retrain)
    header, first, second = retrain("history")[1].splitlines()
    assert "decision" in header
    assert "promoted lstm-seed42" in first
    assert "promoted" not in second
    rows = [json.loads(line) for line in retrain("history", "--json")[1].splitlines()]
    assert [row["promoted"] for row in rows] == [["lstm-seed42"], []]


def test_cleaning_keeps_the_champion_s_run_and_says_what_goes(retrain, store):
    promote(retrain)
    before = store.list_files("")
    code, out, _ = retrain("clean", "--keep-runs", "1", "--dry-run")
    assert code == 0
    assert "would remove 0 runs and 0 datasets: 0 files" in out
    assert f"old runs that stay because a champion needs them: {FIRST}" in out
    promote(retrain, SECOND)
    assert store.list_files("runs") == [path for path in before if path.startswith("runs/")]


def test_an_old_run_that_nobody_needs_goes_with_its_files(retrain, store):
    code, out, _ = retrain("clean", "--keep-runs", "1", "--dry-run")
    assert "would remove 1 runs and 0 datasets: 6 files" in out
    assert f"  run {FIRST}" in out
    assert any(FIRST in path for path in store.list_files("runs"))
    code, out, _ = retrain("clean", "--keep-runs", "1")
    assert (code, "removed 1 runs and 0 datasets: 6 files" in out) == (0, True)
    assert not any(FIRST in path for path in store.list_files(""))
    assert any(SECOND in path for path in store.list_files("runs"))
    assert retrain("verify")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give --keep-runs N or --keep-days D (or --forget FILE), so that not everything goes."),
        (("--keep-runs", "0"), "--keep-runs must be at least 1, and --keep-days above 0."),
        (("--keep-days", "0"), "--keep-runs must be at least 1, and --keep-days above 0."),
        (("--keep-days", "nan"), "--keep-runs must be at least 1, and --keep-days above 0."),
        (("--forget", "x.csv", "--keep-runs", "1"), "--forget goes alone"),
    ],
)
def test_options_of_clean_that_do_not_fit_are_refused(retrain, store, arguments, message):
    before = store.list_files("")
    code, _, err = retrain("clean", *arguments)
    assert (code, err.startswith(f"retrain clean: {message}")) == (2, True)
    assert store.list_files("") == before


def test_prefect_s_server_is_told_of_a_change_if_the_settings_name_one(retrain, monkeypatch):
    told = []
    monkeypatch.setattr("flows.cli.champion_events.check_server", lambda _url: None)
    monkeypatch.setattr("tasks.gate.emit_event", lambda event, **content: told.append((event, content)))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        promote(retrain)
        promote(retrain, SECOND)
        retrain("champion", "rollback", "--why", "complaints")
        retrain("champion", "unblock", SECOND, "lstm-seed42", "--why", "mended")
    assert [event.removeprefix("retraining.champion.") for event, _ in told] == ["promoted", "promoted", "rolled-back"]
    assert told[2][1]["payload"]["champion_run_id"] == FIRST
    assert told[2][1]["resource"]["prefect.resource.id"] == "retraining.champion.main"


def test_a_server_that_is_away_changes_nothing_and_is_one_line(retrain):
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        code, out, err = promote(retrain)
    assert (code, out.startswith("1  "), err.count("\n")) == (0, True, 1)
    assert err.startswith("retrain champion: Prefect's server could not be told: PREFECT_API_URL")
