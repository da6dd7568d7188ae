"""Any text becomes one short line of printable characters."""

from storage.text import on_one_line


def test_line_ends_and_what_cannot_be_seen_become_single_spaces():
    assert on_one_line("  two\r\n\t lines\x00and\u2028\x1b[31m red ") == "two lines and [31m red"


def test_an_error_is_told_by_its_message():
    assert on_one_line(ValueError("no\nsuch file")) == "no such file"


def test_a_line_of_300_characters_is_whole_and_a_longer_one_is_cut_to_300():
    assert on_one_line("a" * 300) == "a" * 300
    assert on_one_line("a" * 301) == "a" * 297 + "..."
    assert on_one_line("a" * 299 + "b" * 5000) == "a" * 297 + "..."


def test_only_the_first_1200_characters_are_looked_at():
    assert on_one_line("\n" * 1199 + "ab") == "a"
    assert on_one_line("\n" * 1200 + "ab") == ""
