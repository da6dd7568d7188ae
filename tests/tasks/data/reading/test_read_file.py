"""Files of many kinds are read right, each record counted; or they are refused with the option to give."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.places import REAL_REVIEWS
from tests.review_files import BAD, GOOD, read, texts_of, write

TWO = [GOOD, BAD]
# By kind: name, content, format, labels.
KINDS = {
    "kaggle": ("a.csv", f'review,sentiment\n"{GOOD}",positive\n"{BAD}",negative\n', "csv", ["positive", "negative"]),
    "tab": ("a.tsv", f"sentence\tlabel\n{GOOD}\t1\n{BAD}\t0\n", "csv", ["1", "0"]),
    "semicolon and BOM": (
        "a.csv",
        b"\xef\xbb\xbf" + f'text;label\r\n"{GOOD}";1\r\n"{BAD}";0\r\n'.encode(),
        "csv",
        ["1", "0"],
    ),
    "UTF-16": ("a.csv", f'text,label\r\n"{GOOD}",1\r\n"{BAD}",0\r\n'.encode("utf-16"), "csv", ["1", "0"]),
    "no header": ("a.txt", f"{GOOD}\t1\n{BAD}\t0\n{GOOD}\t1\n", "csv", ["1", "0", "1"]),
    "Steam": (
        "a.csv",
        f'app_id,app_name,review_text,review_type\n10,Counter,"{GOOD}",Positive\n10,Counter,"{BAD}",Negative\n',
        "csv",
        ["Positive", "Negative"],
    ),
    "NSMC": (
        "a.txt",
        f'id\tdocument\tlabel\n9976970\t{GOOD}\t1\n3819312\t"좋다" 라고\t0\n',
        "csv",
        ["1", "0"],
    ),
    "JSON lines": (
        "a.json",
        f"{json.dumps({'text': GOOD, 'label': 1})}\n\n{json.dumps({'label': 0, 'text': BAD})}\n",
        "json lines",
        ["1", "0"],
    ),
    "JSON array": (
        "a.json",
        json.dumps([{"text": GOOD, "label": True}, {"text": BAD, "label": False}], indent=1),
        "json array",
        ["true", "false"],
    ),
    "fastText": (
        "a.txt",
        f"__label__2 {GOOD}\n__label__1 {BAD}\n",
        "fasttext",
        ["__label__2", "__label__1"],
    ),
    "gzip": ("a.csv.gz", gzip.compress(f"text,label\n{BAD},0\n{BAD},0\n".encode(), mtime=0), "csv", ["0", "0"]),
    "zstd": (
        "a.csv.zst",
        pa.compress(f"text,label\n{BAD},0\n".encode(), codec="zstd", asbytes=True),
        "csv",
        ["0"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind_is_read_record_for_record(tmp_path, kind):
    name, content, kind_of_format, labels = KINDS[kind]
    reading, accepted, rejected = read(write(tmp_path, name, content))
    assert reading.layout.format == kind_of_format
    assert [record["label"] for record in accepted] == labels
    assert rejected == []
    assert reading.records == len(labels)
    assert [record["row"] for record in accepted] == list(range(1, len(labels) + 1))


@pytest.mark.parametrize("kind", ["kaggle", "tab", "semicolon and BOM", "UTF-16", "JSON array", "fastText"])
def test_the_texts_arrive_whole(tmp_path, kind):
    name, content, *_ = KINDS[kind]
    assert texts_of(read(write(tmp_path, name, content))[1]) == TWO


def test_parquet_is_read_with_its_labels_as_text(tmp_path):
    table = pa.table({"text": pa.array(TWO, pa.large_string()), "label": pa.array([1, 0], pa.int8())})
    pq.write_table(table, tmp_path / "a.parquet")
    reading, accepted, _ = read(tmp_path / "a.parquet")
    assert (texts_of(accepted), reading.labels) == (TWO, {"1": 1, "0": 1})


def test_line_ends_quotes_and_commas_inside_quotes_belong_to_the_text(tmp_path):
    text = 'He said ""go"",\nand went.\r\n\r\nTwice.'
    path = write(tmp_path, "a.csv", f'text,label\n"{text}",1\n"{BAD}",0\n')
    reading, accepted, _ = read(path)
    assert texts_of(accepted) == ['He said "go",\nand went.\n\nTwice.', BAD]
    assert reading.records == 2


def test_a_stray_quote_in_a_file_without_quoting_swallows_no_record(tmp_path):
    lines = [f'"{word} is the film of the year\t{number % 2}' for number, word in enumerate(["This"] * 999)]
    reading, accepted, rejected = read(write(tmp_path, "a.tsv", "\n".join(["text\tlabel", *lines]) + "\n"))
    assert (reading.records, len(accepted), rejected) == (999, 999, [])


def test_a_record_whose_quotes_do_not_match_costs_itself_alone(tmp_path):
    lines = [f'"{GOOD}",1'] * 2000 + ['"a stray " quote inside",0'] + [f'"{BAD}\nTwo lines.",0'] * 2000
    reading, accepted, rejected = read(write(tmp_path, "a.csv", "\n".join(["text,label", *lines]) + "\n" * 3))
    assert (reading.records, len(accepted)) == (4001, 4000)
    assert [(one["row"], one["reason"]) for one in rejected] == [(2001, "quotes that do not match")]


def test_a_record_with_too_few_or_too_many_fields_is_rejected_with_its_row(tmp_path):
    lines = [f"{BAD},0"] * 200
    lines[120], lines[121] = "no label here", "one,two,0"
    _, accepted, rejected = read(write(tmp_path, "a.csv", "\n".join(["text,label", *lines])))
    assert len(accepted) == 198
    assert [(one["row"], one["reason"]) for one in rejected] == [
        (121, "1 fields instead of 2"),
        (122, "3 fields instead of 2"),
    ]


def test_what_is_no_review_is_rejected_with_its_reason(tmp_path):
    records = [
        {"text": GOOD, "label": 1},
        {"text": "  ", "label": 1},
        {"text": None, "label": 1},
        {"text": BAD, "label": None},
        {"text": "a\x00b", "label": 0},
        {"text": "x" * 1_000_001, "label": 0},
        {"text": ["nested"], "label": 0},
        {"text": BAD, "label": "very " * 30},
    ]
    content = "\n".join([*map(json.dumps, records), "[1, 2]", "{broken"])
    reading, accepted, rejected = read(write(tmp_path, "a.jsonl", content))
    assert texts_of(accepted) == [GOOD]
    assert [(one["row"], one["reason"]) for one in rejected] == [
        (2, "empty"),
        (3, "empty"),
        (4, "no label"),
        (5, "NUL character"),
        (6, "longer than 1,000,000 characters"),
        (7, "text is no text"),
        (8, "label longer than 100 characters"),
        (9, "not a JSON object"),
        (10, "not a JSON object"),
    ]
    assert reading.records == 10


def test_bytes_that_are_not_utf_8_cost_their_record_alone(tmp_path):
    lines = [f"{BAD},0".encode()] * 300
    lines[250] = b"caf\xe9,1"
    reading, _, rejected = read(write(tmp_path, "a.csv", b"text,label\n" + b"\n".join(lines) + b"\n"))
    assert reading.rejected == {"not decodable as utf-8": 1}
    assert (rejected[0]["row"], rejected[0]["beginning"]) == (251, "caf\ufffd")


def test_ids_times_and_parts_are_read_if_the_file_has_them(tmp_path):
    content = (
        "review_id,text,label,created_at,split\n"
        f'7,"{GOOD}",1,2026-11-25T02:00:00+09:00,train\n'
        f'8,"{BAD}",0,2026-11-26,dev\n'
        f'9,"{BAD}",0,soon,test\n'
        f'10,"{BAD}",0,2026-11-26,other\n'
    )
    reading, accepted, rejected = read(write(tmp_path, "a.csv", content))
    assert reading.layout.optional == ("review_id", "created_at", "split")
    assert [(one["review_id"], one["created_at"].isoformat(), one["split"]) for one in accepted] == [
        ("7", "2026-11-24T17:00:00+00:00", "train"),
        ("8", "2026-11-26T00:00:00+00:00", "validation"),
    ]
    assert [one["reason"] for one in rejected] == [
        "created_at is not a date",
        "split is not train, validation or test",
    ]


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.csv", "text\none\ntwo\n", "CSV"),
        (
            "a.csv",
            "\n".join(
                f"2,A title of six words {n} {'x ' * (n % 4)},{GOOD[:20]} {n} {'y ' * (n % 5)}" for n in range(9)
            ),
            "--text-column",
        ),
        ("a.csv", "grüße,1\n".encode("latin-1") * 9, "--encoding"),
        ("a.csv", "text,label\n".encode("utf-16-le"), "--encoding"),
        ("a.csv", "", "empty"),
        ("a.csv", "\n \n", "empty"),
        ("a.json", '{"text":\n "x", "label": 1}', "one object a line"),
        ("a.json", '[{"text": "x", "label": 1}, {"te', "whole JSON array"),
        ("a.json", "[1, 2]", "objects"),
        ("a.csv", "x," * 1500 + "\n", "at most 1,000 columns"),
        ("a.csv.gz", gzip.compress(b"text,label\n" * 99, mtime=0)[:-9], "end early"),
        ("a.csv.gz", gzip.compress(gzip.compress(b"text,label\n", mtime=0), mtime=0), "compressed twice"),
        (
            "a.csv",
            "text,label\n"
            + "".join(f'"Of {n} ""films"" that",{n % 2}\n' for n in range(40))
            + '"A \\"fine\\",\nfilm",1',
            "as two quotes",
        ),
        ("a.zip", b"PK\x03\x04....", "Unpack it"),
        ("a.parquet", b"PAR1 cut off", "whole Parquet file"),
        ("a.html", "<!DOCTYPE html><p>log in", "login page"),
        ("a.csv.bz2", b"BZh91AY", "bzip2"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line_that_says_what_to_do(tmp_path, name, content, named):
    with pytest.raises(ValueError, match=named) as caught:
        read(write(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_nested_and_binary_columns_are_refused_as_texts_and_passed_over_otherwise(tmp_path):
    table = pa.table({"text": TWO, "label": [1, 0], "raw": [b"\x00", b"\x01"], "tags": [["a"], []]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert len(read(tmp_path / "a.parquet")[1]) == 2
    with pytest.raises(ValueError, match="plain values"):
        read(tmp_path / "a.parquet", text_column="raw")


def test_columns_that_are_given_are_taken_and_wrong_ones_are_refused(tmp_path):
    path = write(tmp_path, "a.csv", f'title,body,stars,liked\nx,"{GOOD}",5,1\ny,"{BAD}",1,0\n')
    reading, accepted, _ = read(path, text_column="body", label_column="liked")
    assert (texts_of(accepted), reading.labels) == (TWO, {"1": 1, "0": 1})
    with pytest.raises(ValueError, match=r"--text-column names. It has: title, body, stars, liked"):
        read(path, text_column="bodi")


def test_an_encoding_that_is_given_is_used(tmp_path):
    path = write(tmp_path, "a.csv", 'text,label\n"좋은 영화",1\n"나쁜 영화",0\n'.encode("cp949"))
    assert texts_of(read(path, encoding="cp949")[1]) == ["좋은 영화", "나쁜 영화"]
    with pytest.raises(ValueError, match="Python knows, such as cp949"):
        read(path, encoding="cp99999")


@pytest.mark.parametrize("written", ["utf-16-le", "utf-16-be"])
def test_the_byte_order_mark_decides_which_utf_16_a_file_has(tmp_path, written):
    content = "\ufefftext,label\n좋은 영화,1\n나쁜 영화,0\n".encode(written)
    for options in ({}, {"encoding": "utf-16"}):
        assert texts_of(read(write(tmp_path, "a.csv", content), **options)[1]) == ["좋은 영화", "나쁜 영화"]


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wb", compresslevel=9) as file:
        file.write(b"text,label\n")
        for _ in range(80):
            file.write(b"a" * (1 << 20))
    with pytest.raises(ValueError, match="when it is decompressed"):
        read(tmp_path / "a.csv.gz")


FIELDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\ufeff\ufdd0"), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FIELDS.filter(str.strip), st.sampled_from("01")), min_size=3, max_size=20))
def test_whatever_is_written_as_csv_is_read_back(tmp_path_factory, rows):
    quoted = ['"{}",{}'.format(text.replace('"', '""'), label) for text, label in rows]
    path = write(tmp_path_factory.mktemp("rows"), "a.csv", "\n".join(["text,label", *quoted]) + "\n")
    reading, accepted, rejected = read(path)
    assert texts_of(accepted) == [text for text, _ in rows]
    assert (reading.records, rejected) == (len(rows), [])


REAL = {
    "kaggle_form.csv": ({}, 30, {"positive": 25, "negative": 5}, {}),
    "polarity_fasttext.txt": ({}, 200, {"__label__2": 109, "__label__1": 91}, {}),
    "amazon_form.json": ({}, 50, {"5.0": 34, "4.0": 13, "3.0": 2, "2.0": 1}, {}),
    "headerless_labelled.txt": ({}, 300, {"1": 165, "0": 135}, {}),
    "imdb_texts.parquet": ({}, 4196, {"0": 2178, "1": 2018}, {}),
    "korean_excel_cp949.csv": (
        {"encoding": "cp949"},
        200,
        {"10": 112, "1": 20, "8": 15, "2": 12, "7": 7, "6": 6, "4": 5, "9": 4, "5": 2},
        {"empty": 17},
    ),
}


@pytest.mark.skipif(not REAL_REVIEWS.exists(), reason="the excerpts of real files are not beside the checkout")
@pytest.mark.parametrize("name", REAL)
def test_the_excerpts_of_real_files_are_read_with_exact_counts(name):
    options, records, labels, rejected = REAL[name]
    reading, accepted, _ = read(REAL_REVIEWS / name, **options)
    assert (reading.records, reading.labels, reading.rejected) == (records, labels, rejected)
    assert len(accepted) == records - sum(rejected.values())
