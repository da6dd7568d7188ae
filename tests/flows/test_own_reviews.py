"""Runs on a team's own reviews: alone, beside an archive, night after night, and stopped by a check."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import numpy as np
import pytest

from flows.cli.past_runs import read_evidence, render_stored_run
from flows.cli.store_commands import verify_files
from flows.nightly import nightly_retraining
from storage.runs import verify_store
from storage.schemas import ASSIGNMENT_SCHEMA, REJECTED_SCHEMA, padded_schema
from storage.store import Store
from tasks.champion.contest import read_test_predictions
from tasks.champion.model_record import describe_encoder
from tasks.champion.test_reviews import encode_test_reviews, read_learned, read_test_reviews
from tasks.data.encoding.encoder import read_encoder_record
from tests.places import REAL_REVIEWS
from tests.review_files import write

pytestmark = pytest.mark.usefixtures("prefect_server", "stub_trainings")

QUICK = {"epochs": 1, "maxlen": 20, "variants": ("lstm",), "baselines": False, "jobs": 1}
GOOD = ["fine", "great", "lovely", "moving", "bright", "warm", "film", "story", "scene", "cast"]
BAD = ["dull", "poor", "weak", "empty", "slow", "cold", "film", "story", "scene", "cast"]


def make_csv(count, seed, words=(BAD, GOOD)):
    """Return reviews of 12 words as CSV; every second one is positive."""
    rng = random.Random(seed)
    lines = [f'"{" ".join(rng.choices(words[n % 2], k=12))} {1000 * seed + n}",{n % 2}' for n in range(count)]
    return "\n".join(["text,label", *lines]) + "\n"


def run_on(store, **parameters):
    return nightly_retraining(**QUICK, **parameters, store=str(store), return_state=True)


@pytest.fixture(scope="module")
def nights(prefect_server, stub_trainings, tmp_path_factory):
    """Four nights on a folder: a file; a second one; the first deleted; and one with reviews of other things."""
    folder, store = tmp_path_factory.mktemp("reviews"), tmp_path_factory.mktemp("nights")
    write(folder, "day1.csv", make_csv(400, seed=1))
    states = [run_on(store, source=str(folder))]
    write(folder, "day2.csv", make_csv(150, seed=2))
    states.append(run_on(store, source=str(folder)))
    (folder / "day1.csv").unlink()
    states.append(run_on(store, source=str(folder), check_fewer=(0.9, 0.95)))
    parcels = ["parcel", "battery", "cable", "refund", "seller", "broken", "late", "charger"]
    write(folder, "day3.csv", make_csv(200, seed=3, words=(parcels, parcels)))
    states.append(run_on(store, source=str(folder)))
    return Store(str(store)), [state.result(raise_on_failure=False) for state in states], states


def assignment_of(store, run):
    table = store.read_table(run.datasets["assign"].files["assignment"], ASSIGNMENT_SCHEMA)
    return dict(zip(table["review_id"].to_pylist(), table["part"].to_pylist(), strict=True))


def test_own_reviews_alone_are_read_split_encoded_and_trained_on(nights):
    store, (run, *_), _ = nights
    assert (run.test_set, len(run.trainings), run.stopped) == ("own", 1, ())
    counts = {
        part: store.read_table(run.datasets["join"].files[part], padded_schema(20)).num_rows
        for part in ("train", "validation", "test")
    }
    assert sum(counts.values()) == 400
    assert run.trainings[0].test.count == counts["test"]
    own = read_evidence(store, run).own_reviews
    assert (own.records, own.parts, own.rejected) == (400, counts, {})
    assert own.meaning == {"0": "negative", "1": "positive"}
    assert verify_store(store).damaged == ()
    assert "lovely" in render_stored_run(store, run, "en").decode()


def test_a_new_file_moves_no_review_and_is_the_only_one_that_is_read(nights):
    store, (first, second, *_), _ = nights
    before, after = assignment_of(store, first), assignment_of(store, second)
    assert len(after) == 550
    assert before.items() <= after.items()
    read = [path for path in store.list_files("datasets") if "/read-" in path and path.endswith("manifest.json")]
    # One for each of the three files, whatever number of nights.
    assert len(read) == 3


def test_a_built_vocabulary_stays_frozen_until_it_is_rebuilt(nights):
    store, runs, _ = nights
    encoders = [read_encoder_record(store, run.datasets["encoder"]) for run in runs]
    assert all(one == encoders[0] for one in encoders)
    assert (encoders[0].kind, encoders[0].normalisation, encoders[0].tokens) == ("built", "web", "words")


def test_the_second_night_compares_the_new_reviews_with_the_old_ones(nights):
    store, (_, second, *_), _ = nights
    checks = {check.name: check for check in read_evidence(store, second).own_reviews.checks}
    assert checks["fewer"].level == "ok"
    assert checks["lengths"].level == "ok"
    assert (checks["lengths"].now, checks["new against old"].level) == (150, "ok")


def test_a_deleted_file_is_named_and_its_reviews_are_missing(nights):
    store, (_, _, third, _), _ = nights
    assert third.gone_files == ("day1.csv",)
    assert len(assignment_of(store, third)) == 150
    assert "day1.csv" in render_stored_run(store, third, "en").decode()


def test_runs_are_compared_on_the_test_reviews_that_both_have(nights):
    store, (first, second, third, _), _ = nights
    tests = [{name for name, part in assignment_of(store, run).items() if part == 2} for run in (first, second, third)]
    assert read_evidence(store, second).history.common == len(tests[0] & tests[1]) == len(tests[0])
    assert read_evidence(store, third).history.common == len(tests[1] & tests[2])
    assert read_evidence(store, third).history.test_set_uses == 3


def test_reviews_of_another_kind_stop_the_night_and_the_page_says_why(nights):
    store, (*_, stopped), (*_, state) = nights
    assert state.is_failed()
    assert state.message.startswith("Stopped before training.")
    assert stopped.trainings == ()
    assert any("parcel" in sentence for sentence in stopped.stopped)
    page = render_stored_run(store, stopped, "en").decode()
    assert "Stopped before training, because of your reviews" in page
    assert "parcel" in page


def test_too_many_rejected_records_stop_the_run(tmp_path):
    path = write(tmp_path, "a.csv", make_csv(300, 1) + '"",1\n' * 20)
    run = run_on(tmp_path / "store", source=str(path)).result(raise_on_failure=False)
    assert [sentence.partition(":")[0] for sentence in run.stopped] == ["Rejected records"]
    assert "6.2% of 320 records were rejected" in run.stopped[0]


def test_rejected_records_are_kept_with_file_row_and_reason_and_texts_stay_out_of_the_page(tmp_path):
    lines = make_csv(300, 1).splitlines()
    content = "\n".join(
        ["review_id," + lines[0], *(f"{n % 299},{line}" for n, line in enumerate(lines[1:])), '300,"",1']
    )
    run = run_on(tmp_path / "store", source=str(write(tmp_path, "a.csv", content)), texts=False).result()
    store = Store(str(tmp_path / "store"))
    rejected = store.read_table(run.datasets["assign"].files["rejected"], REJECTED_SCHEMA).to_pylist()
    assert [(one["file"], one["row"], one["reason"]) for one in rejected] == [
        ("a.csv", 301, "empty"),
        ("a.csv", 300, "review_id repeats an earlier one"),
    ]
    assert sum(read_evidence(store, run).own_reviews.parts.values()) == 299
    assert "lovely" not in render_stored_run(store, run, "en").decode()


@pytest.fixture(scope="module")
def beside_an_archive(prefect_server, stub_trainings, tmp_path_factory):
    """Two nights beside a sample archive: with too few own test reviews for the verdict, and with enough."""
    folder, store = tmp_path_factory.mktemp("beside"), tmp_path_factory.mktemp("nights")
    write(folder, "day1.csv", make_csv(400, seed=1))
    runs = [run_on(store, source="sample", sample_reviews=400, reviews=str(folder)).result()]
    write(folder, "day2.csv", make_csv(6000, seed=3))
    runs.append(run_on(store, source="sample", sample_reviews=400, reviews=str(folder), check_drift=(9, 9)).result())
    return Store(str(store)), runs


def test_own_reviews_beside_an_archive_have_figures_of_their_own(beside_an_archive):
    store, (_, run) = beside_an_archive
    evidence = read_evidence(store, run)
    assert (evidence.test_set, evidence.other.test_set) == ("own", "sample")
    assert evidence.pairs.reviews == evidence.own_reviews.parts["test"] >= 1000
    assert evidence.other.pairs.reviews == 200
    assert run.trainings[0].test.count == evidence.own_reviews.parts["test"]
    page = render_stored_run(store, run, "en").decode()
    assert "The verdict rests on your own" in page
    assert "The same on" in page


def test_each_test_set_has_a_history_of_its_own(beside_an_archive):
    store, (first, second) = beside_an_archive
    assert (first.test_set, second.test_set) == ("sample", "own")
    before, now = read_evidence(store, first), read_evidence(store, second)
    assert [one.run_id for one in now.other.history.runs] == [first.run_id, second.run_id]
    assert (now.other.history.common, now.other.history.last) == (None, first.run_id)
    # The first run's verdict rested on the other set, so its scores here are computed from its predictions.
    assert now.history.runs[0].figures["lstm"] == before.other.history.runs[-1].figures["lstm"]
    assert now.history.common == before.own_reviews.parts["test"]
    assert now.history.runs[0].figures != now.other.history.runs[0].figures


def test_labels_that_need_a_map_stop_the_command(tmp_path):
    path = write(tmp_path, "a.csv", make_csv(400, seed=1).replace(",0\n", ",2\n"))
    with pytest.raises(ValueError, match='Give --label-map, such as "1=neg,2=pos"'):
        run_on(tmp_path / "store", source=str(path)).result()


def test_so_few_reviews_that_a_part_is_empty_are_refused(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\nfine film,1\ndull film,0\n")
    with pytest.raises(ValueError, match="must fill the three parts"):
        run_on(tmp_path / "store", source=str(path)).result()


@pytest.mark.skipif(not REAL_REVIEWS.exists(), reason="the excerpts of real files are not beside the checkout")
def test_a_run_on_the_korean_excerpt_has_exact_counts(tmp_path):
    state = run_on(
        tmp_path / "store",
        source=str(REAL_REVIEWS / "korean_excel_cp949.csv"),
        encoding="cp949",
        label_map="1-4=neg,7-10=pos",
        max_rejected=0.1,
        tokens="characters",
    )
    own = read_evidence(Store(str(tmp_path / "store")), state.result()).own_reviews
    assert (own.records, own.rejected, own.tokens) == (200, {"empty": 17}, "characters")
    counts = {
        side: sum(own.labels[one] for one, is_ in own.meaning.items() if is_ == side)
        for side in set(own.meaning.values())
    }
    assert counts == {"negative": 37, "positive": 138, "left out": 8}
    assert sum(own.parts.values()) + own.moved_out == 175


def test_verify_hashes_the_source_files_that_a_run_takes_for_unchanged(tmp_path, capsys):
    path = write(tmp_path, "a.csv", make_csv(300, seed=1))
    run_on(tmp_path / "store", source=str(path)).result()
    assert verify_files(str(tmp_path / "store")) == 0
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_text(path.read_text().replace("dull", "grim"))
    os.utime(path, ns=times)
    capsys.readouterr()
    assert verify_files(str(tmp_path / "store")) == 2
    assert "a.csv has other content than when its reviews were read" in capsys.readouterr().err


def test_a_model_with_another_encoder_reads_the_texts_of_a_night_anew(nights):
    store, (run, *_), _ = nights
    training, encoder = run.trainings[0], describe_encoder(run, store)
    ids = np.array(read_test_predictions(run, training, store)["review_id"].to_pylist(), str)
    same = encode_test_reviews(run, ids, encoder, store)
    smaller = encode_test_reviews(run, ids, replace(encoder, num_words=8), store)
    assert (smaller == np.where(same >= 8, 2, same)).all()
    known = read_learned(run, store).knows(read_test_reviews(run, ids, store))
    # A text is in one part alone.
    assert not known.any()
