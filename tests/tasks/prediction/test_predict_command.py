"""`retrain predict` at the terminal, from standard input and on files."""

import io
import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from flows.cli.command import main
from storage.champion_log import ChampionLog
from tasks.prediction import load_champion
from tests.networks import RUN_ID
from tests.places import PROJECT_ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def predict(champion_store, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        return main(["predict", *arguments, "--store", champion_store.uri]), *capsys.readouterr()

    return run


@pytest.fixture
def ask(predict, monkeypatch):
    """Return a function that gives lines to standard input."""

    def run(lines: bytes, *arguments: str):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
        return predict("-", *arguments)

    return run


def test_texts_get_a_label_a_probability_and_who_says_so(predict):
    code, out, err = predict("This film is good", "zyxx qwrt")
    first, second, who = out.splitlines()
    assert (code, err) == (0, "")
    assert first.split("  ")[0] in ("positive", "negative")
    assert "%  (0% unknown)  This film is good" in first
    assert "(100% unknown, all of its words)" in second
    assert who.startswith(f"champion main, record 1: lstm-seed42 of {RUN_ID}, identity ")


def test_json_has_everything_for_programs(predict, champion_store):
    _, out, _ = predict("This film is good", "--json")
    answer = json.loads(out)
    assert answer["probability"] == pytest.approx(
        float(load_champion(champion_store.uri).predict(["This film is good"])[0])
    )
    assert (answer["unknown_words"], answer["is_cut"], answer["error"]) == (0.0, False, None)
    assert (answer["champion"], answer["champion_number"], answer["training"]) == ("main", 1, "lstm-seed42")
    assert "text" not in answer
    assert json.loads(predict("This film", "--json", "--with-text")[1])["text"] == "This film"


def test_an_argument_is_a_text_even_if_it_is_a_path(predict, tmp_path):
    (tmp_path / "reviews.csv").write_text("text\na film\n")
    code, out, _ = predict(str(tmp_path / "reviews.csv"), "--json")
    assert (code, len(out.splitlines())) == (0, 1)


def test_standard_input_is_one_review_a_line_with_one_row_each(ask):
    code, out, _ = ask(b"this film is good\n\n\xff\xfe\na dull film\n", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [row["error"] for row in rows] == [None, "empty", "not decodable as utf-8", None]


def test_objects_keep_their_other_values(ask):
    code, out, _ = ask(b'{"id": 7, "text": "this film"}\n{"id": 8}\nnothing\n', "--jsonl", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, rows[0]["id"], rows[0]["error"]) == (1, 7, None)
    assert [row["error"] for row in rows[1:]] == ["not a JSON object with a text"] * 2


def test_explaining_puts_the_words_that_moved_most_in_brackets(predict):
    _, out, _ = predict("this film is good", "--explain")
    line = out.splitlines()[1]
    assert line.count("[") in (1, 2, 3, 4)
    assert "\x1b" not in line


def test_explaining_for_programs_has_each_word_and_its_move(predict):
    answer = json.loads(predict("this film is good", "--explain", "--json")[1])
    assert [word for word, _ in answer["words"]] == ["this", "film", "is", "good"]


def test_whoever_writes_one_line_and_waits_gets_its_answer(champion_store):
    command = [sys.executable, "-m", "flows", "predict", "-", "--json", "--store", champion_store.uri]
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        for text in ("a film", "a dull film"):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["error"] is None
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_run_s_model_can_be_asked_instead(predict):
    code, out, _ = predict("this film", "--run", RUN_ID, "--training", "lstm-seed42")
    assert (code, out.splitlines()[1].startswith(f"lstm-seed42 of {RUN_ID}")) == (0, True)


ROWS = 'id,review,label,stars\n1,"this film, good",pos,5\n2,,neg,1\n3,a dull film,neg,1\n'


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text(ROWS)
    return path


def read_rows(path: Path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(strings_can_be_null=True)).to_pylist()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_each_record_has_a_row_in_order_with_its_other_columns(predict, reviews, champion_store, suffix):
    out = reviews.with_name(f"scored{suffix}")
    code, printed, _ = predict("--file", str(reviews), "--out", str(out))
    assert (code, "3 reviews, " in printed, "1 not scored" in printed) == (1, True, True)
    rows = read_rows(out)
    assert [(int(row["id"]), row["label"], int(row["stars"])) for row in rows] == [
        (1, "pos", 5),
        (2, "neg", 1),
        (3, "neg", 1),
    ]
    assert [row["error"] for row in rows] == [None, "empty", None]
    champion = load_champion(champion_store.uri)
    said = champion.predict(["this film, good", "a dull film"])
    assert [row["probability"] for row in rows] == pytest.approx([float(said[0]), None, float(said[1])])
    assert {(row["champion"], row["champion_number"], row["model_identity"]) for row in rows} == {
        ("main", 1, champion.identity)
    }
    assert "review" not in rows[0]
    assert sorted(path.name for path in reviews.parent.iterdir()) == ["reviews.csv", out.name]


def test_texts_are_repeated_only_if_that_is_wanted(predict, reviews):
    out = reviews.with_name("scored.jsonl")
    predict("--file", str(reviews), "--out", str(out), "--with-text")
    assert [row["text"] for row in read_rows(out)] == ["this film, good", None, "a dull film"]


def test_a_folder_of_files_names_the_file_of_each_row(predict, tmp_path):
    folder = tmp_path / "days"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text(ROWS)
    predict("--file", str(folder), "--out", str(tmp_path / "scored.jsonl"))
    rows = read_rows(tmp_path / "scored.jsonl")
    assert [row["file"] for row in rows] == ["a.csv"] * 3 + ["b.csv"] * 3


def test_files_without_labels_and_without_a_header_are_read(predict, tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"text": "this film"}\n{"text": "a dull film"}\n')
    assert predict("--file", str(path), "--out", str(tmp_path / "scored.csv"))[0] == 0
    assert len(read_rows(tmp_path / "scored.csv")) == 2


def test_an_object_store_is_read_and_written(predict, object_store):
    object_store.write_bytes("in/reviews.csv", ROWS.encode())
    out = f"{object_store.uri}/out/scored.jsonl"
    code, _, err = predict("--file", f"{object_store.uri}/in/reviews.csv", "--out", out)
    assert (code, err) == (1, "")
    assert len(object_store.read_bytes("out/scored.jsonl").splitlines()) == 3
    code, _, err = predict("--file", f"{object_store.uri}/in/reviews.csv", "--out", out)
    assert (code, "--out must not exist yet, or give --overwrite" in err) == (2, True)


def test_parquet_of_several_types_is_kept_as_text(predict, tmp_path):
    table = pa.table({"text": ["this film", "a film"], "when": pa.array([1, 2], pa.timestamp("s")), "n": [1.5, None]})
    pq.write_table(table, tmp_path / "in.parquet")
    predict("--file", str(tmp_path / "in.parquet"), "--out", str(tmp_path / "scored.jsonl"))
    assert [row["n"] for row in read_rows(tmp_path / "scored.jsonl")] == ["1.5", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give texts, - for standard input, or --file with --out."),
        (("x", "--file", "{in}", "--out", "{dir}/o.csv"), "Give texts, - for standard input, or --file with --out."),
        (("--file", "{in}"), "--file and --out go together."),
        (("x", "--run", "y"), "--run and --training go together."),
        (("-", "x"), "- stands for all texts"),
        (("x", "--jsonl"), "--jsonl goes with -"),
        (("--file", "{in}", "--out", "{dir}/o.txt"), "--out must end in .csv, .jsonl or .parquet."),
        (("--file", "{in}", "--out", "{in}"), "--out must be another file than the one that is read."),
        (("--file", "{in}", "--out", "{dir}/no/o.csv"), "--out must be in a folder that can be written."),
        (("--file", "{dir}/none.csv", "--out", "{dir}/o.csv"), "`reviews` must"),
        (("x", "--champion", "nobody"), "There must be a champion nobody in"),
        (("x", "--run", "nope", "--training", "y"), "`RUN_ID` must be one that `retrain history` lists."),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(predict, reviews, arguments, message):
    given = [one.replace("{in}", str(reviews)).replace("{dir}", str(reviews.parent)) for one in arguments]
    code, out, err = predict(*given)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"retrain predict: {message}")
    assert [path.name for path in reviews.parent.iterdir()] == ["reviews.csv"]


def test_an_output_that_exists_is_kept_unless_it_may_be_overwritten(predict, reviews):
    out = reviews.with_name("scored.csv")
    out.write_text("mine")
    code, _, err = predict("--file", str(reviews), "--out", str(out))
    assert (code, "--out must not exist yet, or give --overwrite" in err, out.read_text()) == (2, True, "mine")
    assert predict("--file", str(reviews), "--out", str(out), "--overwrite")[0] == 1
    assert len(read_rows(out)) == 3


def test_a_column_that_is_called_as_ours_is_refused(predict, tmp_path):
    (tmp_path / "in.csv").write_text("text,probability,label\na film,0.5,pos\nfilm,0.1,neg\n")
    code, _, err = predict("--file", str(tmp_path / "in.csv"), "--out", str(tmp_path / "o.csv"))
    assert (code, "Received: probability. Rename it." in err) == (2, True)


def test_another_encoding_is_named(predict, tmp_path):
    (tmp_path / "in.csv").write_bytes("text,label\n좋은 영화,pos\n나쁜 영화,neg\n".encode("cp949"))
    code, _, err = predict("--file", str(tmp_path / "in.csv"), "--out", str(tmp_path / "o.jsonl"))
    assert (code, "Give --encoding" in err) == (2, True)
    code, *_ = predict("--file", str(tmp_path / "in.csv"), "--out", str(tmp_path / "o.jsonl"), "--encoding", "cp949")
    assert code == 0


def test_a_text_of_ten_megabytes_is_an_error_in_its_row(predict, tmp_path):
    lines = [json.dumps({"text": text}) for text in ("a film", "x" * 10_000_000, "a dull film")]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    predict("--file", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "o.jsonl"))
    assert [row["error"] for row in read_rows(tmp_path / "o.jsonl")] == [None, "longer than 1,000,000 characters", None]


@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_whoever_is_ended_leaves_no_output(champion_store, tmp_path, end, code):
    source, out = tmp_path / "in.jsonl", tmp_path / "out"
    out.mkdir()
    source.write_text("".join(json.dumps({"text": "a dull film " * 100}) + "\n" for _ in range(60_000)))
    command = [sys.executable, "-m", "flows", "predict", "--file", str(source), "--out", str(out / "o.jsonl")]
    process = subprocess.Popen(
        [*command, "--store", champion_store.uri], cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: any(path.stat().st_size for path in out.iterdir()), 30, "the first rows")
    process.send_signal(end)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert not (out / "o.jsonl").exists()
    if end == signal.SIGINT:
        assert "retrain predict: interrupted after " in err
        assert list(out.iterdir()) == []


def test_predictions_during_a_promotion_each_name_one_champion_and_agree_with_it(champion_store, store):
    """Twenty threads ask a hundred times, while going back to another model and forth changes the champion."""
    shutil.copytree(champion_store.uri, store.uri)
    log, text = ChampionLog(store), ["this film is good"]
    known = {1: load_champion(store.uri)}
    other = replace(log.read(1).record.champion, training="other-seed42", identity="f" * 64)

    def ask(place: int):
        if place == 50:
            before = log.read_newest()
            changed = replace(
                before.record, number=2, unique="2", champion=other, identity=other.identity, previous=before.sha256
            )
            log.append(changed)
        champion = load_champion(store.uri)
        return champion.number, champion.identity, champion.training, float(champion.predict(text)[0])

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(ask, range(100)))
    said = float(known[1].predict(text)[0])
    assert answers == {(1, known[1].identity, "lstm-seed42", said), (2, "f" * 64, "other-seed42", said)}
