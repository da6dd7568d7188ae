"""Later labels are matched with scored reviews, counted by week, and shown in the next report."""

import json
from dataclasses import replace

import pytest

from flows.cli.command import main
from reports.page.gate_tables import write_decision
from reports.page.language import Language
from storage.champion_log import ChampionLog
from storage.feedback_records import read_newest_feedback
from tests.example_decisions import PROPOSED

pytestmark = pytest.mark.slow

REVIEWS = [
    # The days are of two weeks: Monday the 2nd to Sunday the 8th of November 2026, and the next one.
    ("a", "this film is good", "2026-11-02"),
    ("b", "a dull film", "2026-11-08"),
    ("c", "the film is moving", "2026-11-09"),
    ("d", "", "2026-11-09"),
    ("e", "not labelled", "2026-11-10"),
]


@pytest.fixture
def scored(champion_store, tmp_path, capsys):
    """The rows of five scored reviews, of which one could not be scored; and their file."""
    source, out = tmp_path / "reviews.jsonl", tmp_path / "scored.jsonl"
    rows = [{"review_id": one, "text": text, "created_at": day} for one, text, day in REVIEWS]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["predict", "--file", str(source), "--out", str(out), "--store", champion_store.uri]) == 1
    capsys.readouterr()
    return out, [json.loads(line) for line in out.read_text().splitlines()]


@pytest.fixture
def feedback(champion_store, tmp_path, scored, capsys):
    """Return a function that writes labels and gives them to the command."""

    def run(labels: str, *arguments: str, name: str = "labels.csv"):
        (tmp_path / name).write_text(labels)
        command = ["feedback", str(tmp_path / name), "--scored", str(scored[0]), "--store", champion_store.uri]
        return main([*command, *arguments]), *capsys.readouterr()

    return run


def right(row) -> str:
    return "pos" if row["predicted"] == "positive" else "neg"


def wrong(row) -> str:
    return "neg" if row["predicted"] == "positive" else "pos"


def test_labels_are_counted_by_the_week_in_which_the_reviews_were_written(feedback, scored, champion_store):
    _, (a, b, c, *_) = scored
    code, out, err = feedback(f"review_id,label\na,{right(a)}\nb,{wrong(b)}\nc,{right(c)}\nd,pos\nz,neg\n", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["weeks"] == [
        {"week": "2026-11-02", "labelled": 2, "right": 1},
        {"week": "2026-11-09", "labelled": 1, "right": 1},
    ]
    assert (found["scored"], found["unmatched"]) == (5, 2)
    stored = read_newest_feedback(ChampionLog(champion_store), found["identity"])
    assert [(one.week, one.labelled, one.right) for one in stored.weeks] == [("2026-11-02", 2, 1), ("2026-11-09", 1, 1)]


def test_people_read_the_accuracy_with_its_interval_and_that_labels_are_a_sample(feedback, scored):
    _, (a, b, *_) = scored
    code, out, _ = feedback(f"review_id,label\na,{right(a)}\nb,{wrong(b)}\n")
    assert code == 0
    assert "2 of 5 scored reviews have a label now. Late labels are a selected sample." in out
    assert "week of 2026-11-02: 50.0% right (9.5%–90.5%) of 2" in out


def test_other_labels_need_a_map_and_what_it_leaves_out_is_counted(feedback):
    assert feedback("review_id,label\na,5\nb,1\nc,3\n")[0] == 2
    code, out, _ = feedback("review_id,label\na,5\nb,1\nc,3\n", "--label-map", "1-2=neg,4-5=pos", "--json")
    assert (code, json.loads(out)["left_out"]) == (0, 1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("id,label\na,pos\n", "labels.csv must have the columns review_id, label. Received: none called review_id"),
        ("review_id,label\na,pos\na,neg\n", "labels.csv must have each review_id once. Received: 1 more than once"),
        ("review_id,label\nz,pos\ny,neg\n", "Received: 2 labels, none of which is of one that was scored."),
        ("", "labels.csv must be CSV, JSON lines or Parquet."),
    ],
)
def test_labels_that_do_not_fit_are_one_line(feedback, labels, message):
    code, out, err = feedback(labels)
    assert (code, out, err.count("\n"), message in err) == (2, "", 1, True), err


def test_reviews_that_another_model_scored_are_refused(feedback, scored):
    out, rows = scored
    out.write_text("".join(json.dumps({**row, "model_identity": "e" * 64}) + "\n" for row in rows))
    code, _, err = feedback("review_id,label\na,pos\nb,neg\n")
    assert (code, "must be scored by a model that is or was the champion main" in err) == (2, True)


def test_the_report_shows_it_by_week():
    decision = replace(PROPOSED, feedback=(("2026-11-02", 200, 150), ("unknown", 10, 5)), feedback_scored=5000)
    table = write_decision(decision, (), Language("en")).feedback
    assert "210 of 5,000 scored ones, a selected sample" in table.caption
    assert table.rows[0] == ("November 2, 2026", "200", "75.0% (68.6%–80.5%)")
    assert table.rows[1][0] == "unknown"
