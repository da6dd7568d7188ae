"""The IMDB encoder gives the archive's own tokens; a built one knows the words of the training part."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from storage.archive import read_reviews
from storage.word_index import read_word_index
from tasks.data.encoding import vocabulary
from tasks.data.encoding.encoder import Encoder, encode_texts, list_words, make_web_encoder
from tasks.data.encoding.tokenise import split_texts
from tasks.data.encoding.vocabulary import Vocabulary, choose_vocabulary, count_words
from tests.places import REAL_ARCHIVE, REAL_REVIEWS, REAL_WORD_INDEX

IMDB = Encoder("imdb", "none", "words", 10, "0" * 64)
INDEX = Vocabulary({"the": 1, "film": 2, "don't": 3, "br": 7, "rare": 20, "Ä": 4})


def tokens_of(text, encoder=IMDB, vocabulary=INDEX):
    encoded = encode_texts(pa.array([text]), encoder, vocabulary)
    assert encoded.offsets.tolist() == [0, len(encoded.tokens)]
    return encoded.tokens.tolist()


def test_words_become_rank_plus_three_rare_ones_two_and_unknown_ones_are_dropped():
    assert tokens_of("The (film), the rare unheard-of FILM.") == [1, 4, 5, 4, 2, 5]


def test_mark_up_is_the_word_br_and_the_apostrophe_stays():
    assert tokens_of("don't<br />film") == [1, 6, 2, 5]


def test_lower_casing_is_ascii_only():
    assert tokens_of("Ä ä") == [1, 7]


def test_words_are_split_at_the_space_tabs_and_line_feeds_alone():
    assert tokens_of("the\u00a0film\r") == [1]
    assert tokens_of("the\tfilm\nthe") == [1, 4, 5, 4]


def test_web_texts_are_normalised_first():
    web = make_web_encoder("0" * 64, "words", 10, is_built=False)
    assert tokens_of("don’t<br />the\u00a0film\r", web) == [1, 6, 4, 5]


def test_a_built_vocabulary_keeps_unknown_words_as_two():
    built = make_web_encoder("0" * 64, "words", 10, is_built=True)
    assert tokens_of("the unheard film", built) == [1, 4, 2, 5]


def test_counts_say_how_many_words_there_were_and_how_many_are_unknown():
    encoded = encode_texts(pa.array(["the rare unheard film", "", "film"]), IMDB, INDEX)
    assert encoded.words.tolist() == [4, 0, 1]
    assert encoded.unknown.tolist() == [2, 0, 0]
    assert encoded.offsets.tolist() == [0, 4, 5, 7]
    assert encoded.ranks.tolist() == [1, 20, 2, 2]
    assert encoded.rank_offsets.tolist() == [0, 3, 3, 4]


def test_a_slice_of_texts_is_encoded_as_the_same_texts_alone():
    texts = pa.array(["film", "the film", "the", "rare"])
    assert encode_texts(texts.slice(1, 2), IMDB, INDEX).tokens.tolist() == [1, 4, 5, 1, 4]


def test_the_words_of_a_review_are_listed_with_the_unknown_ones():
    assert list_words("The rare, unheard film", IMDB, INDEX) == (("the", "rare", "film"), (1,))


def test_characters_are_syllables_without_spaces():
    tokens, offsets = split_texts(pa.array(["좋은 영화", "", "OK"]), "characters")
    assert (tokens.to_pylist(), offsets.tolist()) == (["좋", "은", "영", "화", "o", "k"], [0, 4, 4, 6])


def test_morphemes_without_the_library_are_refused_with_the_command_that_installs_it():
    try:
        import kiwipiepy  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="pip install kiwipiepy"):
            split_texts(pa.array(["좋은 영화"]), "morphemes")


def test_a_vocabulary_has_the_most_frequent_words_first_and_equal_ones_by_the_word():
    batches = [pa.array(["b a b", "c’s a"]), pa.array(["d"]), pa.array([], pa.string())]
    counts = count_words(batches, "words", threads=2)
    assert sorted(counts.to_pylist(), key=lambda one: one["word"]) == [
        {"word": "a", "count": 2},
        {"word": "b", "count": 2},
        {"word": "c's", "count": 1},
        {"word": "d", "count": 1},
    ]
    assert choose_vocabulary(counts, 3) == ["a", "b", "c's"]


def test_rare_words_are_dropped_while_too_many_are_counted(monkeypatch):
    monkeypatch.setattr(vocabulary, "MOST_COUNTED", 3)
    monkeypatch.setattr(vocabulary, "MOST_WAITING", 3)
    counts = count_words([pa.array(["a b c d a b"]), pa.array(["a e"])], "words")
    assert {one["word"]: one["count"] for one in counts.to_pylist()} == {"a": 3, "b": 2, "e": 1}


@pytest.mark.skipif(not REAL_REVIEWS.exists(), reason="the original texts are not beside the checkout")
@pytest.mark.parametrize("part", ["train", "test"])
def test_the_original_texts_become_the_archive_s_tokens_exactly(part):
    texts = pq.read_table(REAL_REVIEWS / "imdb_texts.parquet")
    texts = texts.filter(pc.equal(texts["part"], part))
    reviews = read_reviews(REAL_ARCHIVE.read_bytes(), part, "imdb.npz")
    known = Vocabulary(read_word_index(REAL_WORD_INDEX.read_bytes(), "imdb_word_index.json"))
    encoded = encode_texts(texts["text"].combine_chunks(), Encoder("imdb", "none", "words", 500, "0" * 64), known)
    wrong = []
    for place, row in enumerate(texts["row"].to_pylist()):
        ranks = reviews.tokens[reviews.offsets[row] : reviews.offsets[row + 1]]
        expected = [1, *np.where(ranks < 497, ranks + 3, 2).tolist()]
        if encoded.tokens[encoded.offsets[place] : encoded.offsets[place + 1]].tolist() != expected:
            wrong.append(row)
    assert wrong == []
    assert len(texts) == {"train": 2101, "test": 2095}[part]
