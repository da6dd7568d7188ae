"""Write RESULTS.md of the campaign, one section for each part."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from tests.benchmarks.run import describe_machine

RESULTS = Path(__file__).parents[1] / "e2e" / "RESULTS.md"
HEADING = "# What the faults did\n\nWritten by `make chaos`, each part when it last ran.\n"


def write_section(title: str, how: str, rows: list[tuple[str, str]], path: Path = RESULTS) -> None:
    """Write a part's figures into its section, and leave the other sections as they are.

    Args:
        title: The section's title.
        how: The command that does the part again.
        rows: What was measured, and the figure.
        path: The file.
    """
    table = "".join(f"| {what} | {figure} |\n" for what, figure in rows)
    when = time.strftime("%Y-%m-%d")
    # It shows how busy the machine was with other work.
    load = f"load average {os.getloadavg()[2]:.1f} at the end"
    section = f"## {title}\n\n{when}, `{how}`; {describe_machine()}; {load}.\n\n| what | figure |\n|---|---|\n{table}"
    text = path.read_text() if path.exists() else HEADING
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found:
        before, after = text[: found.start()], text[found.end() :]
        text = f"{before}{section}{chr(10) if after else ''}{after}"
    else:
        text = f"{text.rstrip()}\n\n{section}"
    path.write_text(text)
