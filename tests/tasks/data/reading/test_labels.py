"""Only labels that mean one thing are understood; for all others the user gives a map."""

from __future__ import annotations

import pytest

from tasks.data.reading.labels import choose_labels, parse_label_map, suggest_map


@pytest.mark.parametrize(
    ("negative", "positive"),
    [
        ("0", "1"),
        ("neg", "pos"),
        ("Negative", "POSITIVE"),
        ("False", "true"),
        ("0.0", "1.0"),
        ("__label__1", "__label__2"),
    ],
)
def test_usual_labels_are_understood(negative, positive):
    assert choose_labels({negative: 3, positive: 4}, None) == {negative: 0, positive: 1}


def test_a_file_with_one_of_two_usual_labels_is_understood():
    assert choose_labels({"1": 9}, None) == {"1": 1}


@pytest.mark.parametrize(
    "labels", [["1", "2"], ["0", "4"], ["1", "2", "3", "4", "5"], ["good", "bad"], ["0", "1", "2"]]
)
def test_what_may_mean_something_else_is_refused_with_counts_and_the_option(labels):
    with pytest.raises(ValueError, match=r"They are: .* \(7\).*Give --label-map"):
        choose_labels(dict.fromkeys(labels, 7), None)


def test_a_map_with_ranges_leaves_out_what_it_does_not_name():
    counts = {"1": 1, "4.0": 1, "5": 1, "7": 1, "10.0": 1, "none": 1}
    assert choose_labels(counts, "1-4=neg,7-10=pos") == {
        "1": 0,
        "4.0": 0,
        "5": None,
        "7": 1,
        "10.0": 1,
        "none": None,
    }


def test_a_map_names_words_in_any_case():
    assert choose_labels({"Bad": 1, "GOOD": 2}, "bad=neg, good = pos") == {"Bad": 0, "GOOD": 1}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("1=neg", "with both neg and pos"),
        ("1=neg,2=neg", "with both neg and pos"),
        ("1=negatve,2=pos", "must be like"),
        ("nonsense", "must be like"),
        ("4-1=neg,5=pos", "smallest number to its largest"),
        ("8=neg,9=pos", "must name labels that the files have"),
        ("1-3=neg,2-5=pos", "must say one thing of 2"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        choose_labels({"1": 1, "2": 1}, given)


@pytest.mark.parametrize(
    ("labels", "suggested"),
    [
        (["5.0", "1.0", "3.0"], '"1-2=neg,4-5=pos"'),
        (["1", "2"], '"1=neg,2=pos"'),
        (["10", "0", "4"], '"1-4=neg,7-10=pos"'),
    ],
)
def test_the_suggested_map_can_be_read_and_fits(labels, suggested):
    assert suggest_map(dict.fromkeys(labels, 1)) == suggested
    assert parse_label_map(suggested.strip('"'))
