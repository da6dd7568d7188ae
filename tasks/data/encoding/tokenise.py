"""Take texts apart into words, characters or morphemes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.text_buffers import read_buffers

TokenKind = Literal["words", "characters", "morphemes"]
# The characters that Keras's Tokenizer replaces by a space. The apostrophe is not among them.
FILTERED = b'!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
# ASCII letters in lower case, as the archive's words were made: other letters keep theirs.
_TABLE = bytes(0x20 if byte in FILTERED else byte for byte in bytes(range(256)).lower())
# White space that separates no words.
OTHER_SPACES = (b"\r", b"\v", b"\f")
KIWI_MISSING = (
    "`tokens` can be morphemes only with the library kiwipiepy, which is not installed. "
    "Install it with: .venv/bin/pip install kiwipiepy"
)

Offsets = npt.NDArray[np.int64]
Splitted = tuple[pa.StringArray, Offsets]


def split_texts(texts: pa.StringArray, kind: TokenKind) -> Splitted:
    """Return the tokens of all texts one after another, and where each text begins.

    Args:
        texts: The texts.
        kind: "words" as in the IMDB archive: in lower case, split at spaces; "characters" without white space; or
            "morphemes" of Korean.

    Returns:
        The tokens, and int64 offsets of shape (texts + 1,).
    """
    if kind == "characters":
        return _split_characters(texts)
    if kind == "morphemes":
        return _split_morphemes(texts)
    return _split_words(texts)


def _split_words(texts: pa.StringArray) -> Splitted:
    content, offsets = read_buffers(texts)
    plain = pa.py_buffer(content.translate(_TABLE))
    lowered = pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(offsets), plain])
    if any(space in content for space in OTHER_SPACES):
        return _drop_empty(pc.split_pattern(lowered, " "))
    # Quicker, and the same if spaces are the only white space; several of them are taken together.
    return _drop_empty(pc.ascii_split_whitespace(lowered))


def _drop_empty(lists: pa.ListArray) -> Splitted:
    words = lists.flatten()
    filled = pc.not_equal(pc.binary_length(words), 0)
    places = np.concatenate([[0], np.cumsum(filled.to_numpy(zero_copy_only=False), dtype=np.int64)])
    offsets = lists.offsets.to_numpy() - lists.offsets[0].as_py()
    return words.filter(filled), places[offsets]


def _split_characters(texts: pa.StringArray) -> Splitted:
    """Return the characters without white space, in lower case; a Korean syllable is one."""
    # Python's own lower case may change the number of characters; the tokens are counted after it.
    lowered = ["".join(text.lower().split()) for text in texts.to_pylist()]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in lowered], dtype=np.int64)])
    return pa.array(list("".join(lowered)), pa.string()), offsets


def _split_morphemes(texts: pa.StringArray) -> Splitted:
    split = [[token.form for token in tokens] for tokens in load_kiwi().tokenize(texts.to_pylist())]
    offsets = np.concatenate([[0], np.cumsum([len(tokens) for tokens in split], dtype=np.int64)])
    return pa.array([token for tokens in split for token in tokens], pa.string()), offsets


def load_kiwi() -> Any:
    """Return the analyser of Korean morphemes.

    Raises:
        ValueError: The library is not installed.
    """
    try:
        from kiwipiepy import Kiwi  # type: ignore[import-not-found]
    except ImportError:
        raise ValueError(KIWI_MISSING) from None
    return Kiwi(num_workers=1)
