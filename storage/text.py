"""Make any text fit one line of a log or a terminal."""

from __future__ import annotations

LONGEST = 300


def on_one_line(text: object) -> str:
    r"""Return a text or an error's message as one line of printable characters, at most `LONGEST` of them.

    Example:
        >>> on_one_line("two\nlines and\x1b[31m red")
        'two lines and [31m red'
    """
    visible = "".join(character if character.isprintable() else " " for character in str(text)[: 4 * LONGEST])
    line = " ".join(visible.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
