"""Delimited text of every shape is read record for record: never a wrong count, and what is unclear is refused."""

from __future__ import annotations

import csv
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.reading import layout, text_decoding
from tasks.data.reading.quoting import find_quoted_fields
from tasks.data.reading.readings import DELIMITERS
from tests.review_files import BAD, GOOD, read, texts_of, write


def test_stray_quotes_at_starts_and_ends_of_texts_swallow_no_record(tmp_path):
    lines = []
    for number in range(100):
        lines += [f'"Begins with a quote {number}\t1', f'Ends with a quote {number}"\t0', f"Has none {number}\t1"]
    reading, accepted, rejected = read(write(tmp_path, "a.tsv", "\n".join(["text\tlabel", *lines]) + "\n"))
    assert (reading.records, reading.labels, rejected) == (300, {"1": 200, "0": 100}, [])
    assert texts_of(accepted)[:2] == ['"Begins with a quote 0', 'Ends with a quote 0"']


@pytest.mark.parametrize("header", ["text\tlabel\n", ""])
def test_a_single_pair_of_stray_quotes_swallows_no_record(tmp_path, header):
    lines = [f"A film of {number} minutes that I liked\t{number % 2}" for number in range(400)]
    lines[50], lines[350] = '"A film to see\t1', 'As she said: "see it"\t0'
    reading, _, rejected = read(write(tmp_path, "a.tsv", header + "\n".join(lines)))
    assert (reading.records, rejected) == (400, [])


def test_the_first_line_end_in_quotes_may_come_late(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SAMPLE_BYTES", 4000)
    monkeypatch.setattr(text_decoding, "BLOCK_BYTES", 7000)
    plain = [f"A film of {number} minutes that I liked,{number % 2}" for number in range(500)]
    late = [f'"Two lines,\nand more of {number}",{number % 2}' for number in range(50)]
    reading, accepted, rejected = read(write(tmp_path, "a.csv", "\n".join(["text,label", *plain, *late]) + "\n"))
    assert (reading.records, rejected) == (550, [])
    assert texts_of(accepted)[-1] == "Two lines,\nand more of 49"


def test_the_first_stray_quotes_may_come_late(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SAMPLE_BYTES", 4000)
    monkeypatch.setattr(text_decoding, "BLOCK_BYTES", 7000)
    lines = [f"A film of {number} minutes that I liked\t{number % 2}" for number in range(500)]
    lines += ['"A quote opens here\t1', "Nothing here\t0", 'And one ends here"\t1']
    reading, accepted, rejected = read(write(tmp_path, "a.tsv", "\n".join(["text\tlabel", *lines]) + "\n"))
    assert (reading.records, rejected) == (503, [])
    assert texts_of(accepted)[-3:] == ['"A quote opens here', "Nothing here", 'And one ends here"']


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_header_that_stands_again_is_no_review(tmp_path, mark):
    part = f'{mark}"text","label"\n{BAD},0\n' + f'"{GOOD}",1\n' * 100
    reading, accepted, rejected = read(write(tmp_path, "a.csv", part * 2))
    assert len(accepted) == 202
    assert [(one["row"], one["reason"]) for one in rejected] == [(102, "repeats the header")]
    assert reading.records == 203


ROWS = [f'"A film, of {number} minutes",{number % 2}' for number in range(30)]
# By kind: the beginning, what each record has behind it, the columns.
HEADERS = {
    "row names of R": ('"text","label"\n', lambda n, row: f'"{n + 1}",{row}', ("column 1", "text", "label")),
    "a separator at the end of each record": ("text,label\n", lambda n, row: f"{row},", ("text", "label", "column 3")),
    "a separator at the end of the header": ("text,label,\n", lambda n, row: row, ("text", "label")),
    "a title": ("Reviews of 2026\ntext,label\n", lambda n, row: row, ("text", "label")),
    "two lines before it": ("Reviews\n\nof 2026\ntext,label\n", lambda n, row: row, ("text", "label")),
    "unknown names": ("what,verdict\n", lambda n, row: row, ("what", "verdict")),
    "none": ("", lambda n, row: row, ("column 1", "column 2")),
    "unnamed index": (",text,label\n", lambda n, row: f"{n},{row}", ("column 1", "text", "label")),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_of_any_kind_is_told_from_the_records(tmp_path, kind):
    beginning, extend, columns = HEADERS[kind]
    lines = [extend(number, row) for number, row in enumerate(ROWS)]
    reading, accepted, rejected = read(write(tmp_path, "a.csv", beginning + "\n".join(lines) + "\n"))
    assert (reading.layout.columns, reading.records, rejected) == (columns, 30, [])
    assert texts_of(accepted)[:2] == ["A film, of 0 minutes", "A film, of 1 minutes"]


def test_the_line_in_which_excel_names_the_separator_is_no_record(tmp_path):
    rows = "\r\n".join(f"Ein Film, {number} Minuten, gut;{number % 2}" for number in range(9))
    for header in ("text;label\r\n", ""):
        reading, _, rejected = read(write(tmp_path, "a.csv", f"sep=;\r\n{header}{rows}"))
        assert (reading.layout.delimiter, reading.records, rejected) == (";", 9, [])


def test_a_first_review_of_one_word_is_no_header(tmp_path):
    lines = ["Review\t1", *(f"A film of {number} minutes\t{number % 2}" for number in range(20))]
    reading, accepted, _ = read(write(tmp_path, "a.tsv", "\n".join(lines)))
    assert (reading.records, accepted[0]["text"]) == (21, "Review")


@pytest.mark.parametrize("content", [b"Good\rfilm\t1\nBad film\t0\n", b"Good\rfilm\t1\r\nBad film\t0\r\n"])
def test_a_carriage_return_alone_ends_no_record_beside_line_feeds(tmp_path, content):
    reading, accepted, rejected = read(write(tmp_path, "a.tsv", b"text\tlabel\n" + content))
    assert (reading.records, texts_of(accepted), rejected) == (2, ["Good film", "Bad film"], [])


def test_carriage_returns_end_the_lines_of_an_old_mac(tmp_path):
    _, accepted, _ = read(write(tmp_path, "a.tsv", b"text\tlabel\rGood film\t1\rBad film\t0\r"))
    assert texts_of(accepted) == ["Good film", "Bad film"]


def test_quotes_within_unquoted_fields_are_text(tmp_path):
    lines = [f'A 5" disk and a 3" one {number},{number % 2}' for number in range(20)] + [f'"{GOOD}\nYes.",1'] * 20
    reading, accepted, rejected = read(write(tmp_path, "a.csv", "\n".join(["text,label", *lines])))
    assert (reading.records, rejected) == (40, [])
    assert (accepted[0]["text"], accepted[-1]["text"]) == ('A 5" disk and a 3" one 0', f"{GOOD}\nYes.")


def test_a_quote_that_is_not_closed_costs_its_record_alone(tmp_path):
    lines = [f'"A film, of {number} minutes",{number % 2}' for number in range(300)]
    lines[150] = '"A film that lacks its second quote,1'
    reading, accepted, rejected = read(write(tmp_path, "a.csv", "\n".join(["text,label", *lines])))
    assert (reading.records, len(accepted)) == (300, 299)
    assert [(one["row"], one["reason"]) for one in rejected] == [(151, "quotes that do not match")]


def test_what_speaks_for_both_is_refused_until_the_user_says_what_quotes_mean(tmp_path):
    lines = ['"Said ""yes"" of it\t1', 'no"\t0'] + [
        f'"He said ""{number}"" twice"\t{number % 2}' for number in range(3)
    ]
    path = write(tmp_path, "a.tsv", "\n".join(["text\tlabel", *lines]) + "\n")
    with pytest.raises(ValueError, match=r"Give --quoting csv, or --quoting none") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert read(path, quoting="none")[0].records == 5
    assert read(path, quoting="csv")[1][-1]["text"] == 'He said "2" twice'


def test_what_separates_the_columns_can_be_given(tmp_path):
    lines = [f"{number % 2};A film, {number} minutes" for number in range(20)]
    path = write(tmp_path, "a.txt", "\n".join(lines))
    assert read(path, delimiter="semicolon")[0].labels == {"0": 10, "1": 10}


def test_a_vote_beside_a_rating_is_not_taken_for_the_label(tmp_path):
    lines = [
        f'10,Half-Life,"Film of {"x " * (number % 5)}{number}",{number % 3 // 2 * 2 - 1},{number % 2}'
        for number in range(40)
    ]
    path = write(tmp_path, "a.csv", "\n".join(["app_id,app_name,review_text,review_score,review_votes", *lines]))
    reading, *_ = read(path)
    assert (reading.layout.label_column, set(reading.labels)) == ("review_score", {"-1", "1"})


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "title_text,verified,verdict",
            lambda n: f"A film of {n} minutes{' x' * (n % 4)},{n % 2 == 0},{'good' if n % 3 else 'bad'}",
        ),
        ("text,label,sentiment", lambda n: f"A film of {n} minutes,{n % 5},{'pos' if n % 2 else 'neg'}"),
        ("text,text,label", lambda n: f"A film of {n},Another of {n} minutes,{n % 2}"),
        ("text,label,extra,more", lambda n: f"A film of {n} minutes,{n % 2}"),
    ],
)
def test_columns_that_could_be_meant_as_well_are_refused(tmp_path, header, row):
    with pytest.raises(ValueError, match=r"cannot be told|different names|must have as many fields"):
        read(write(tmp_path, "a.csv", "\n".join([header, *map(row, range(60))])))


def test_two_columns_that_say_the_same_are_no_question(tmp_path):
    lines = [f"A film of {n} minutes,{n % 2},{'pos' if n % 2 else 'neg'}" for n in range(20)]
    reading, *_ = read(write(tmp_path, "a.csv", "\n".join(["text,label,sentiment", *lines])))
    assert reading.layout.label_column == "label"


def test_sorted_labels_do_not_hide_the_second_one(tmp_path):
    lines = [f"A film of {number} minutes{' x' * (number % 4)}\t{number // 2000}" for number in range(4000)]
    assert read(write(tmp_path, "a.tsv", "\n".join(lines)))[0].labels == {"0": 2000, "1": 2000}


TEXTS = st.text(st.sampled_from('ab "",;\t\n'), min_size=1, max_size=25).map(str.strip).filter(bool)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXTS, st.sampled_from("01")), min_size=30, max_size=60),
    delimiter=st.sampled_from(["tab", "semicolon", "comma"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    block=st.integers(50, 500),
)
def test_whatever_the_csv_module_writes_is_read_back(tmp_path_factory, rows, delimiter, quoting, block):
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=DELIMITERS[delimiter], quoting=quoting, lineterminator="\n")
    writer.writerows([("text", "label"), *rows])
    path = write(tmp_path_factory.mktemp("rows"), "a.csv", file.getvalue())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_decoding, "BLOCK_BYTES", block)
        reading, accepted, rejected = read(path, delimiter=delimiter, quoting="csv")
    assert [(one["text"], one["label"]) for one in accepted] == rows
    assert (reading.records, rejected) == (len(rows), [])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(TEXTS.map(lambda text: text.replace("\t", " ").replace("\n", " ")), min_size=30, max_size=60),
    st.integers(50, 500),
)
def test_without_quoting_every_line_is_a_record(tmp_path_factory, texts, block):
    content = "\n".join(["text\tlabel", *(f"{text}\t{number % 2}" for number, text in enumerate(texts))])
    path = write(tmp_path_factory.mktemp("rows"), "a.tsv", content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_decoding, "BLOCK_BYTES", block)
        _, accepted, rejected = read(path, quoting="none")
    assert (texts_of(accepted), rejected) == (texts, [])


def find_one_by_one(text: str) -> list[tuple[int, int]]:
    """Return where fields in quotes open and close, character by character."""
    found, place, at_start = [], 0, True
    while place < len(text):
        if at_start and text[place] == '"':
            opens, closes, place = place, len(text), place + 1
            while place < len(text):
                run = len(text[place:]) - len(text[place:].lstrip('"'))
                place += max(run, 1)
                if run % 2 and text[place : place + 1] in ("", ",", "\n"):
                    closes = place - 1
                    break
            found.append((opens, closes))
            at_start = False
        else:
            at_start = text[place] in ",\n"
            place += 1
    return found


def test_fields_in_quotes_are_found_as_if_character_by_character():
    shuffled = random.Random(7)
    for _ in range(5_000):
        text = "".join(shuffled.choice('"",\nab') for _ in range(shuffled.randint(1, 16)))
        fields = find_quoted_fields(text.encode(), ",")
        assert list(zip(fields.opens.tolist(), fields.closes.tolist(), strict=True)) == find_one_by_one(text), text
