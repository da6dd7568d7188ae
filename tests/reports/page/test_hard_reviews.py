"""The one list of reviews that the models get wrong or disagree on."""

from __future__ import annotations

import pytest

from reports.page.hard_reviews import describe_review, join_breaks, list_hard_reviews
from reports.sections.errors_section import Errors, ShownReview
from reports.sections.pairs_section import Pairs
from tests.reports.page.evidence_parts import ENGLISH


def a_review(review_id="test-1", is_positive=False, probabilities=(0.93, 0.99), words=("a", "film")):
    names = ("lstm", "gru", "lstm_dropout", "lstm_stacked")
    return ShownReview(review_id, is_positive, dict(zip(names, probabilities, strict=False)), words, (1,), 3)


@pytest.mark.parametrize(
    ("is_positive", "probabilities", "said"),
    [
        (False, (0.93, 0.95, 0.97, 0.99), "Labelled negative; all 4 models say positive (93–99%)"),
        (True, (0.02, 0.02), "Labelled positive; all 2 models say negative (98%)"),
        (True, (0.2, 0.9, 0.4), "Labelled positive; 2 of 3 models say negative (60–80%)"),
        (True, (0.9, 0.8), "Labelled positive; all 2 models say so"),
    ],
)
def test_a_review_is_described_by_its_label_and_what_the_models_say(is_positive, probabilities, said):
    assert describe_review(a_review(is_positive=is_positive, probabilities=probabilities), ENGLISH) == said


def test_a_review_that_is_hard_in_several_ways_is_listed_once_the_hardest_first():
    hard, harder = a_review("test-1", probabilities=(0.8, 0.9)), a_review("test-2", probabilities=(0.98, 0.99))
    errors = Errors(
        (), (), (), {"lstm": (hard,), "gru": (hard, harder)}, (hard,), (harder,), 1, Pairs(0, (), (), 1), {}
    )
    found = list_hard_reviews(errors, ENGLISH)
    assert [(one.review_id, one.is_suspect) for one in found] == [("test-2", True), ("test-1", False)]
    assert [(word.text, word.is_unknown) for word in found[0].words] == [("a", False), ("film", True)]


def test_line_breaks_of_the_archive_become_one_sign():
    joined = join_breaks(("fine", "br", "br", "film", "br"), (0,))
    assert [word.text for word in joined] == ["fine", "¶", "film", "¶"]
    assert [word.is_unknown for word in joined] == [True, False, False, False]
