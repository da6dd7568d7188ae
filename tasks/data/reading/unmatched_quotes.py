"""Take single records off delimited text in which quotes do not match, so that a broken one costs itself alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.data.reading.delimited_layout import look_of
from tasks.data.reading.readings import Layout
from tasks.data.reading.sample_rows import read_record


class RecordTaker:
    """Takes one record after another off the lines of a block with quotes that do not match."""

    def __init__(self, layout: Layout) -> None:
        self._delimiter, self._width, self._look = layout.delimiter, len(layout.columns), look_of(layout)
        other = re.escape(layout.delimiter)
        field = rf'(?:"(?:[^"]++|"")*+"|[^"{other}\n][^{other}\n]*+|)'
        self._record = re.compile(f"{field}(?:{other}{field})*+")

    def take(self, lines: Sequence[str]) -> tuple[list[str] | None, int]:
        """Return the fields of the record that begins at the first line, and the number of its lines.

        Without a record, the number is 1 if the first line is a broken record by itself, and 0 if more lines might
        help.
        """
        record = ""
        for taken, line in enumerate(lines, 1):
            record = f"{record}\n{line}" if taken > 1 else line
            if taken > 1 and '"' not in line:
                continue
            if self._record.fullmatch(record):
                fields = read_record(record, self._delimiter)
                if taken == 1 or len(fields) == self._width:
                    is_swallowing = taken > 1 and all(map(self._look.fits, record.encode().split(b"\n")))
                    return (None, 1) if is_swallowing else (fields, taken)
        return None, 0
