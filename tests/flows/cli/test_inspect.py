"""`retrain inspect` shows what would be read; `retrain clean --forget` removes what was stored of a file."""

from __future__ import annotations

import json

import pytest

from flows.cli.command import main
from storage.datasets import publish_dataset
from storage.store import Store
from tests.places import REAL_REVIEWS
from tests.review_files import BAD, GOOD, write

STARS = "\n".join(["review,stars", *(f"{BAD} {n},{1 + n % 5}" for n in range(20)), ",3"]) + "\n"


def test_it_shows_layout_columns_labels_lengths_examples_and_rejects(tmp_path, capsys):
    path = write(tmp_path, "a.csv", f'text,label\n"{GOOD}",1\n"{BAD}",0\n"{BAD}",0\n"",1\n')
    assert main(["inspect", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:7] == [
        "layout      csv, utf-8, comma, quoted, with a header",
        "columns     text, label",
        "text        text",
        "label       label",
        "records     4: 3 reviews, 1 rejected",
        "              empty: 1",
    ]
    assert "              0: 2  negative" in lines
    assert "repeated    1 reviews have the text of an earlier one" in lines
    assert f"  a.csv 1  1  {GOOD}" in lines
    assert "  a.csv 4  empty  " in lines


def test_without_a_map_it_shows_the_counts_and_the_option(tmp_path, capsys):
    assert main(["inspect", str(write(tmp_path, "a.csv", STARS))]) == 0
    shown = capsys.readouterr().out
    assert "1: 4" in shown
    assert 'Give --label-map, such as "1-2=neg,4-5=pos".' in shown
    assert main(["inspect", str(tmp_path / "a.csv"), "--label-map", "1-2=neg,4-5=pos"]) == 0
    assert "3: 4  left out" in capsys.readouterr().out


def test_as_json_it_is_one_object(tmp_path, capsys):
    assert main(["inspect", str(write(tmp_path, "a.csv", STARS)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["records"], found["accepted"], found["rejected"]) == (21, 20, {"empty": 1})
    assert found["suggestion"] == "1-2=neg,4-5=pos"
    assert found["layout"]["text_column"] == "review"


def test_what_cannot_be_read_is_one_line_and_a_bad_code(tmp_path, capsys):
    assert main(["inspect", str(write(tmp_path, "a.csv", "grün,1\n".encode("latin-1") * 5))]) == 2
    assert capsys.readouterr().err.startswith("retrain inspect: a.csv must be UTF-8")
    assert main(["inspect", str(tmp_path / "none.csv")]) == 2


def test_control_characters_of_a_file_never_reach_the_terminal(tmp_path, capsys):
    path = write(tmp_path, "a.csv", f"text,label\n\x1b[2J{BAD},0\n\x1b]0;x\x07{BAD},1\n")
    assert main(["inspect", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.skipif(not REAL_REVIEWS.exists(), reason="the excerpts of real files are not beside the checkout")
def test_the_korean_excerpt_is_shown_with_exact_counts(capsys):
    path = str(REAL_REVIEWS / "korean_excel_cp949.csv")
    assert main(["inspect", path, "--encoding", "cp949", "--label-map", "1-4=neg,7-10=pos", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["records"], found["accepted"], found["rejected"]) == (200, 183, {"empty": 17})
    sides = {
        side: sum(found["labels"][one] for one, is_ in found["meaning"].items() if is_ == side)
        for side in set(found["meaning"].values())
    }
    assert sides == {"negative": 37, "positive": 138, "left out": 8}


def test_forgetting_a_file_removes_its_texts_and_what_was_joined_of_them(tmp_path, capsys):
    store = Store(str(tmp_path / "store"))
    texts = store.write_bytes("datasets/read-x/texts.parquet", b"texts")
    inputs = {"name": "a.csv", "sha256": "0"}
    folder = publish_dataset(store, "read", inputs, {}, str(tmp_path)).key
    read = publish_dataset(store, "read", inputs, {"texts": texts}, str(tmp_path))
    publish_dataset(store, "join", {"assign": "1"}, {"texts-0": texts}, str(tmp_path))
    publish_dataset(store, "read", {"name": "b.csv"}, {}, str(tmp_path))
    write(tmp_path, "a.csv", "still here")
    assert main(["clean", "--forget", "a.csv", "--store", store.uri]) == 2
    assert "It is there" in capsys.readouterr().err
    (tmp_path / "a.csv").unlink()
    assert main(["clean", "--forget", "a.csv", "--store", store.uri]) == 0
    assert "removed 2 datasets with reviews of a.csv" in capsys.readouterr().out
    left = [path for path in store.list_files("datasets") if path.endswith("manifest.json")]
    assert len(left) == 1
    assert not store.exists(f"datasets/read-{read.key}/manifest.json")
    assert folder == read.key
    assert main(["clean", "--forget", "a.csv", "--store", store.uri]) == 2
