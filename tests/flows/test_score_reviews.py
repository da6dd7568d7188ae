"""The flow that asks the champion about daily prefixes of new reviews."""

from __future__ import annotations

import json
from datetime import date

import pyarrow.parquet as pq
import pytest

from flows.score_reviews import plan_prefixes, score_reviews
from tasks.prediction import load_champion

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.slow]


@pytest.fixture
def days(tmp_path):
    """Three days of reviews, the second one a folder; the third one has a record without a text."""
    source = tmp_path / "reviews"
    (source / "2026-11-25").mkdir(parents=True)
    for name, texts in {
        "2026-11-24.jsonl": ["this film is good"],
        "2026-11-25/a.jsonl": ["a dull film", "a film"],
        "2026-11-26.jsonl": ["the film is moving", ""],
    }.items():
        rows = [{"review_id": f"{name}-{place}", "text": text} for place, text in enumerate(texts)]
        (source / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "scored").mkdir()
    return source, tmp_path / "scored"


def run(champion_store, source, out, **parameters):
    return score_reviews(str(source), str(out), store=champion_store.uri, **parameters, return_state=True)


def test_each_day_is_scored_once_by_the_champion_of_the_beginning(champion_store, days):
    source, out = days
    state = run(champion_store, source, out)
    assert state.is_completed()
    assert state.message == "5 reviews by record 1 of main, 1 not scored, 0 left alone"
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(f"2026-11-{day}.parquet{end}" for day in (24, 25, 26) for end in ("", ".json"))
    champion = load_champion(champion_store.uri)
    rows = pq.read_table(out / "2026-11-25.parquet").to_pylist()
    assert [row["probability"] for row in rows] == pytest.approx(champion.predict(["a dull film", "a film"]).tolist())
    assert {row["model_identity"] for row in rows} == {champion.identity}
    before = (out / "2026-11-24.parquet").stat().st_mtime_ns
    # Again: one day has changed, and one output is damaged.
    (source / "2026-11-26.jsonl").write_text('{"review_id": "x", "text": "a film"}\n')
    (out / "2026-11-25.parquet").write_bytes(b"torn")
    again = run(champion_store, source, out)
    assert again.message == "4 reviews by record 1 of main, 0 not scored, 1 left alone"
    assert [one.is_cached for one in again.result()] == [True, False, False]
    assert (out / "2026-11-24.parquet").stat().st_mtime_ns == before
    assert len(pq.read_table(out / "2026-11-25.parquet")) == 2


def test_days_before_since_are_left_out(days):
    source, out = days
    planned = plan_prefixes(str(source), str(out), date(2026, 11, 25))
    assert planned == [
        (f"{source}/2026-11-25", f"{out}/2026-11-25.parquet"),
        (f"{source}/2026-11-26.jsonl", f"{out}/2026-11-26.parquet"),
    ]
    with pytest.raises(ValueError, match=r"`since` must leave a day\. The last one of .* is 2026-11-26"):
        plan_prefixes(str(source), str(out), date(2026, 12, 1))


def test_a_file_is_one_source_and_has_no_days(days):
    source, out = days
    file = source / "2026-11-25" / "a.jsonl"
    assert plan_prefixes(str(file), str(out / "x.csv"), None) == [(str(file), str(out / "x.csv"))]
    with pytest.raises(ValueError, match="`since` needs daily prefixes"):
        plan_prefixes(str(file), str(out / "x.csv"), date(2026, 11, 1))


def test_without_a_champion_the_flow_says_so(tmp_path, days):
    (tmp_path / "empty").mkdir()
    state = score_reviews(str(days[0]), str(days[1]), store=str(tmp_path / "empty"), return_state=True)
    assert state.is_failed()
    assert "There must be a champion main" in state.message
