"""Standard output and error, whatever happens to them."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import streams
from flows.cli.command import main
from flows.cli.streams import TolerantStream, is_animated, tolerant_streams

RETRAIN = str(Path(sys.executable).with_name("retrain"))


class Broken(io.StringIO):
    """A stream on which every write fails."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, _text):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_a_stream_notes_its_first_error_and_drops_the_rest(number):
    stream = TolerantStream(Broken(number))
    assert stream.write("one") == 3
    assert stream.write("two") == 3
    stream.flush()
    assert stream.error.errno == number
    assert stream.lost_reader == (number == errno.EPIPE)


def test_a_closed_stream_is_written_to_without_an_error():
    closed = io.StringIO()
    closed.close()
    stream = TolerantStream(closed)
    stream.write("text")
    stream.finish()
    assert isinstance(stream.error, ValueError)


def test_a_log_whose_reader_stands_still_loses_lines_and_says_so(monkeypatch):
    monkeypatch.setattr(streams, "STALL_SECONDS", 0.1)
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        log = TolerantStream(stream, is_log=True)
        for number in range(30):
            log.write(f"line {number}: {'x' * 4000}\n")
        taken = os.read(reader, 1 << 20).decode()
        log.write("read again\n")
        assert os.read(reader, 1 << 20).decode().splitlines()[-2:] == [
            "... (nobody read this log for a while; lines are missing here)",
            "read again",
        ]
    os.close(reader)
    assert taken.startswith("line 0: ")
    assert "line 29" not in taken
    assert log.error is None


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b'80.1%-80.9% -> "?" ? x'),
        ("latin-1", b'80.1%-80.9% -> "?" \xe9 x'),
        ("utf-8", "80.1%–80.9% → “한” é ×".encode()),
    ],
)
def test_characters_that_a_stream_lacks_are_replaced(monkeypatch, encoding, shown):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    with tolerant_streams():
        sys.stdout.write("80.1%–80.9% → “한” é ×")
    if encoding == "latin-1":
        shown = shown.replace(b" x", b" \xd7")
    assert raw.getvalue() == shown


def test_streams_are_as_before_after_the_block():
    before = sys.stdout, sys.stderr
    with tolerant_streams():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("term", ["dumb", "unknown", "DUMB"])
def test_a_terminal_that_cannot_draw_again_is_not_animated(monkeypatch, term):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert is_animated(Terminal())
    monkeypatch.setenv("TERM", term)
    assert not is_animated(Terminal())


def test_forced_colours_animate_no_file(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not is_animated(io.StringIO())


@pytest.mark.parametrize(
    "shell", ["{} --help >&-", "{} --help <&- >&- 2>&-", "{} --help | true; exit ${{PIPESTATUS[0]}}"]
)
def test_help_without_a_reader_ends_well_and_silently(shell):
    done = subprocess.run(["bash", "-c", shell.format(RETRAIN)], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_on_a_full_disk_is_said_in_one_line(tmp_path):
    (tmp_path / "runs").mkdir()
    command = f"{RETRAIN} history --store {tmp_path} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == (
        "retrain history: standard output could not be written: [Errno 28] No space left on device\n"
    )


def test_an_unknown_command_is_refused_in_one_line(capsys):
    with pytest.raises(SystemExit):
        main(["retrian"])
    assert len(capsys.readouterr().err.splitlines()) == 1
