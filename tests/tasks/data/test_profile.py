"""The profile of the reviews, compared with archives whose words are known."""

from __future__ import annotations

import gc
import json
from dataclasses import asdict

import numpy as np
import pytest

from storage.archive import read_reviews
from storage.schemas import REVIEW_SCHEMA, padded_schema
from tasks.data.pad import pad_table
from tasks.data.profile import (
    ProfileRequest,
    count_per_review,
    count_repeats,
    find_negations,
    main,
    make_word_keys,
    mark_seen,
    profile_part,
    tabulate_pairs,
    tabulate_reviews,
)
from tasks.data.split import draw_orders, draw_validation
from tasks.evaluation.review_facts import decode_words
from tests.archives import as_column, make_npz, make_sample, reviews_of
from tests.places import REAL_WORD_INDEX
from tests.splits import split_archive
from tests.trainings import ignore

# Ranks up to 6 are in the vocabulary, and higher ones are not.


def describe(reviews, positions, maxlen=3):
    return profile_part(reviews, np.array(positions), make_word_keys(reviews), num_words=10, maxlen=maxlen)


def tabulate(reviews, training=(), negations=(5,)):
    ranks = None if negations is None else np.array(negations, np.uint32)
    positions = np.arange(len(reviews.labels)) + 7
    return tabulate_reviews(reviews, positions, set(training), ranks, num_words=10, maxlen=3).to_pydict()


def test_the_models_see_the_last_words_of_a_long_review_and_all_of_a_short_one():
    offsets = reviews_of([1], [1, 2, 3, 4, 5], [1, 2, 3]).offsets
    assert mark_seen(offsets, maxlen=3).tolist() == [True, False, False, True, True, True, True, True, True]


def test_a_review_without_words_has_none_that_are_seen():
    assert mark_seen(reviews_of([], [1, 2], []).offsets, maxlen=1).tolist() == [False, True]


def test_marks_are_counted_review_by_review():
    offsets = np.array([0, 2, 2, 5])
    marks = np.array([True, False, True, True, False])
    assert count_per_review(marks, offsets).tolist() == [1, 0, 2]


def test_two_reviews_are_the_same_only_where_all_words_are_in_order():
    keys = make_word_keys(reviews_of([1, 2], [2, 1], [1, 2], [1, 2, 0], [], []))
    assert [keys.index(key) for key in keys] == [0, 1, 0, 3, 4, 4]
    assert count_repeats(keys) == 2


def test_ranks_that_share_bytes_are_not_the_same_words():
    first, second = make_word_keys(reviews_of([258], [2, 1]))
    assert first != second


def test_nothing_repeats_nothing():
    assert count_repeats([]) == 0


def test_words_that_negate_are_the_listed_ones_and_those_that_end_in_nt():
    word_index = {"not": 21, "don't": 89, "knot": 500, "want": 178, "never": 112, "nevertheless": 3000, "cannot": 567}
    assert find_negations(word_index).tolist() == [21, 89, 112, 567]


def test_a_word_index_without_negations_has_none():
    assert find_negations({"good": 1}).tolist() == []


def test_a_part_is_described_by_its_own_reviews_before_and_after_the_cut():
    # The first review is not part of it. In the others, ranks from 7 are outside the vocabulary.
    reviews = reviews_of([1, 1], [9, 1, 2, 7], [1], [9, 1, 2, 7], labels=[1, 1, 0, 1])
    assert asdict(describe(reviews, [3, 1, 2])) == {
        "reviews": 3,
        "positive": 2,
        "words": 9,
        "length_mean": 3.0,
        "length_quantiles": pytest.approx((1.3, 2.5, 4.0, 4.0, 4.0)),
        "length_maximum": 4,
        "length_counts": (3, *[0] * 19),
        "out_of_vocabulary": 4,
        "seen_words": 7,
        "seen_out_of_vocabulary": 2,
        "cut_reviews": 2,
        "repeats": 1,
    }


def test_a_repeat_of_a_review_in_another_part_is_none_of_this_part():
    assert describe(reviews_of([1, 2], [1, 2], [3]), [0, 2]).repeats == 0


def test_the_last_bin_of_lengths_has_no_end():
    reviews = reviews_of(*([1] * length for length in (49, 50, 949, 950, 1000, 5000)))
    counts = describe(reviews, range(6)).length_counts
    assert {place: count for place, count in enumerate(counts) if count} == {0: 1, 1: 1, 18: 1, 19: 3}
    assert len(counts) == 20


def test_a_review_of_just_the_models_length_is_not_cut():
    described = describe(reviews_of([1, 2, 3], [1, 2, 3, 4]), [0, 1])
    assert (described.cut_reviews, described.words, described.seen_words) == (1, 7, 6)


def test_the_counts_can_be_written_as_json():
    json.dumps(asdict(describe(reviews_of([1, 2], [3]), [0, 1])))


def test_each_test_review_has_its_words_its_cut_and_what_is_in_what_the_models_see():
    table = tabulate(reviews_of([5, 9, 1, 7], [5, 1], [9], [1, 1, 1]), training=make_word_keys(reviews_of([9])))
    assert table == {
        "review_id": ["test-7", "test-8", "test-9", "test-10"],
        "words": [[5, 9, 1, 7], [5, 1], [9], [1, 1, 1]],
        "length": [4, 2, 1, 3],
        "cut_words": [1, 0, 0, 0],
        "out_of_vocabulary": pytest.approx([2 / 3, 0.0, 1.0, 0.0]),
        # The negation of the first review is cut off.
        "has_negation": [False, True, False, False],
        "is_in_training": [False, False, True, False],
    }


def test_a_review_without_words_is_tabulated_too():
    table = tabulate(reviews_of([], [1]))
    assert (table["words"], table["length"], table["out_of_vocabulary"]) == ([[], [1]], [0, 1], [0.0, 0.0])


def test_without_a_word_index_negations_are_not_known():
    assert tabulate(reviews_of([5], [1]), negations=None)["has_negation"] == [None, None]


def test_the_pairs_that_the_vocabulary_can_say_are_padded_first_sentence_first():
    words = ["this", "movie", "is", "not", "bad", "at", "all"]
    table = tabulate_pairs({word: rank for rank, word in enumerate(words, start=1)}, num_words=500, maxlen=8)
    assert table.schema.equals(padded_schema(8))
    assert table.to_pydict() == {
        "review_id": ["negation-13/first", "negation-13/second"],
        "tokens": [[1, 4, 5, 6, 7, 8, 9, 10], [0, 0, 0, 1, 4, 5, 6, 8]],
        "label": [0, 0],
    }


def test_a_vocabulary_that_can_say_none_of_the_pairs_has_no_table():
    assert tabulate_pairs({"movie": 1}, num_words=500, maxlen=8) is None


@pytest.fixture(scope="module")
def sample():
    """Return a small archive and its word index."""
    return make_sample(200)


@pytest.fixture
def profile_archive(store):
    """Split and profile an archive as the steps do; return the request, the answer and the tables of the split."""

    def run(content, word_index=None, maxlen=100):
        tables = split_archive(content)
        split = {part: store.write_table(f"datasets/split-x/{part}.parquet", table) for part, table in tables.items()}
        request = ProfileRequest(
            archive=store.write_bytes("raw/x.npz", content),
            word_index=store.write_bytes("raw/words.json", word_index) if word_index else None,
            source="x.npz",
            split=split,
            num_words=500,
            maxlen=maxlen,
            store=store.locate(""),
            folder="datasets/profile-x",
        )
        return main(request, ignore), tables

    yield run
    # The step turns garbage collection off for its process. This process still needs it.
    gc.enable()


def test_the_description_of_an_archive_is_what_its_split_and_padding_show(store, profile_archive, sample):
    content, written_index = sample
    files, tables = profile_archive(content, written_index)
    word_index = json.loads(written_index)
    facts = json.loads(store.read_verified(files["facts"]))
    reviews = store.read_table(files["reviews"], REVIEW_SCHEMA).to_pydict()

    assert {part: one["reviews"] for part, one in facts.items()} == {"train": 80, "validation": 20, "test": 100}
    for part, table in tables.items():
        # The start token is not one of the review's words.
        lengths = [len(tokens) - 1 for tokens in table["tokens"].to_pylist()]
        unknown = sum(tokens.count(2) for tokens in table["tokens"].to_pylist())
        seen = pad_table(table, 100)["tokens"].to_pylist()
        assert facts[part]["words"] == sum(lengths)
        assert facts[part]["length_maximum"] == max(lengths)
        assert facts[part]["positive"] == sum(table["label"].to_pylist())
        assert facts[part]["out_of_vocabulary"] == unknown
        assert facts[part]["seen_out_of_vocabulary"] == sum(tokens.count(2) for tokens in seen)
        assert facts[part]["seen_words"] == sum(token > 1 for tokens in seen for token in tokens)
        assert facts[part]["cut_reviews"] == sum(length > 100 for length in lengths)

    assert reviews["review_id"] == tables["test"]["review_id"].to_pylist()
    by_rank = {rank: word for word, rank in word_index.items()}
    for place, tokens in enumerate(pad_table(tables["test"], 100)["tokens"].to_pylist()):
        shown, unknown = decode_words(reviews["words"][place][reviews["cut_words"][place] :], by_rank, 500)
        seen = [token for token in tokens if token > 1]
        assert [2 if at in unknown else word_index[word] + 3 for at, word in enumerate(shown)] == seen
        assert reviews["out_of_vocabulary"][place] == pytest.approx(len(unknown) / len(shown))
        assert reviews["has_negation"][place] is bool({"not", "never", "no"} & set(shown))


def test_the_same_archive_gives_the_same_files_twice(profile_archive, sample):
    assert profile_archive(*sample)[0] == profile_archive(*sample)[0]


def test_a_review_that_stands_in_either_part_of_the_training_reviews_is_found(store, profile_archive):
    content = make_npz(
        x_train=as_column([[number, number + 1, number + 2] for number in range(1, 21)]),
        y_train=np.arange(20) % 2,
        x_test=as_column([[1, 2], [20, 21, 22], [7, 8, 9]]),
        y_test=np.array([0, 1, 1]),
    )
    files, _ = profile_archive(content)
    reviews = store.read_table(files["reviews"], REVIEW_SCHEMA).to_pydict()
    found = dict(zip(reviews["review_id"], reviews["is_in_training"], strict=True))
    assert found == {"test-0": False, "test-1": True, "test-2": True}


def test_without_a_word_index_there_are_no_pairs_and_no_negations(store, profile_archive, sample):
    files, _ = profile_archive(sample[0])
    assert sorted(files) == ["facts", "reviews"]
    assert store.read_table(files["reviews"], REVIEW_SCHEMA)["has_negation"].null_count == 100


def test_a_word_index_that_can_say_some_pairs_gives_them_padded_as_the_reviews_are(store, profile_archive, sample):
    words = {"this": 11, "movie": 17, "is": 6, "not": 21, "bad": 75, "at": 30, "all": 29}
    files, _ = profile_archive(sample[0], json.dumps(words).encode(), maxlen=50)
    pairs = store.read_table(files["minimal_pairs"], padded_schema(50))
    assert pairs["review_id"].to_pylist() == ["negation-13/first", "negation-13/second"]
    assert pairs["tokens"][1].as_py() == [0] * 45 + [1, 14, 20, 9, 78]


@pytest.fixture(scope="module")
def imdb(imdb_archive):
    """Both parts of the real archive, in its order."""
    content = imdb_archive.read_bytes()
    return {part: read_reviews(content, part, "imdb.npz") for part in ("train", "test")}


@pytest.mark.slow
def test_imdb_s_repeats_are_those_that_are_known(imdb):
    training, test = make_word_keys(imdb["train"]), make_word_keys(imdb["test"])
    assert (count_repeats(training), count_repeats(test)) == (98, 199)
    known = set(training)
    assert sum(key in known for key in test) == 123


@pytest.mark.slow
def test_imdb_s_parts_are_described_by_the_figures_that_are_known(imdb):
    # All 25,000 training reviews have 98 repeats. For 34 of them, the first is in the other part of the split.
    train_order, test_order = draw_orders(25_000, 25_000)
    drawn = draw_validation(25_000, 0.2, 42)
    keys = make_word_keys(imdb["train"])
    train, validation = (profile_part(imdb["train"], train_order[places], keys, 500, 100) for places in drawn)
    test = profile_part(imdb["test"], test_order, make_word_keys(imdb["test"]), 500, 100)
    described = (train, validation, test)
    assert [one.reviews for one in described] == [20_000, 5000, 25_000]
    assert [one.positive for one in described] == [9937, 2563, 12_500]
    assert [one.repeats for one in described] == [61, 3, 199]
    assert [one.cut_reviews for one in described] == [17_700, 4426, 21_920]
    assert test.length_mean == pytest.approx(229.77544)
    assert test.length_maximum == 2314
    assert sum(test.length_counts) == 25_000


@pytest.mark.slow
def test_imdb_s_first_review_is_the_one_that_everybody_knows(imdb):
    if not REAL_WORD_INDEX.is_file():
        pytest.skip("IMDB's word index is not beside the archive")
    words = {rank: word for word, rank in json.loads(REAL_WORD_INDEX.read_text()).items()}
    # In Keras's order; its tokens are the archive's ranks plus 3.
    place = draw_orders(25_000, 25_000)[0][0]
    ranks = imdb["train"].tokens[imdb["train"].offsets[place] :][:10].tolist()
    shown, unknown = decode_words(ranks, words, num_words=500)
    assert " ".join(shown) == "this film was just brilliant casting location scenery story direction"
    # After the start token, as in many tutorials.
    assert [rank + 3 for rank in ranks] == [14, 22, 16, 43, 530, 973, 1622, 1385, 65, 458]
    assert unknown == (4, 5, 6, 7)
