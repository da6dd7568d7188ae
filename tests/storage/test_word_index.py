"""A word index holds words and their ranks, and nothing else."""

import pytest

from storage.word_index import read_word_index


def test_ranks_from_the_lowest_to_the_highest_are_read():
    content = b'{"the": 0, "film": 1, "last": 4294967295}'
    assert read_word_index(content, "words.json") == {"the": 0, "film": 1, "last": 4294967295}


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b'{"the": 1, "film": -1}', "a value of type int for 'film'"),
        (b'{"the": 4294967296}', "a value of type int for 'the'"),
        (b'{"the": true}', "a value of type bool for 'the'"),
        (b'{"the": 1.5}', "1.5 for 'the'"),
        (b'{"the": NaN}', "nan for 'the'"),
        (b'{"the": "1"}', "a value of type str for 'the'"),
        (b'{"the": null}', "a value of type NoneType for 'the'"),
        (b'{"%s": null}' % (b"w" * 101), f"a value of type NoneType for '{'w' * 100}'"),
    ],
)
def test_what_is_no_rank_is_refused_with_its_word(content, received):
    with pytest.raises(ValueError, match="must hold ranks") as error:
        read_word_index(content, "words.json")
    assert str(error.value) == f"words.json must hold ranks, integers from 0 to 4294967295. Received: {received}."


@pytest.mark.parametrize(
    ("content", "kind"), [(b"[]", "list"), (b'"the"', "str"), (b"null", "NoneType"), (b"1", "int")]
)
def test_what_is_no_mapping_is_refused(content, kind):
    with pytest.raises(ValueError, match=f"^words.json must hold each word's rank. Received: a value of type {kind}.$"):
        read_word_index(content, "words.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(content):
    with pytest.raises(ValueError, match=r"^words\.json must be JSON\. Received: ."):
        read_word_index(content, "words.json")
