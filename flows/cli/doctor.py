"""`retrain doctor`: what the project sees of this machine, and whether a run would work."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from flows.capacity import available_bytes, count_cpus, count_jobs
from flows.cli.exit_codes import ALL_WELL, BAD_INPUT
from flows.provenance import LIBRARIES, read_code_version
from storage.proxies import CERTIFICATE_VARIABLES, PROXY_VARIABLES, find_certificates, find_proxy, hide_password
from storage.store_address import choose_store
from tasks.processes.child_process import PROJECT_ROOT

OK, WARNING, WRONG = "ok", "warning", "wrong"
GLYPHS = {OK: "✔", WARNING: "▲", WRONG: "✖"}
# All probes run side by side; one that has not answered by then is a warning.
PROBE_SECONDS = 4.0
LOCK = "requirements.lock"


@dataclass(frozen=True)
class Finding:
    """What one probe found.

    Attributes:
        name: What was looked at.
        state: "ok", "warning" (a run works) or "wrong" (it would not).
        value: What was found. It never holds a secret.
        advice: What to do; "" if there is nothing.
    """

    name: str
    state: str
    value: str
    advice: str = ""


def examine(store: str | None, *, as_json: bool) -> int:
    """Print one line for each probe.

    Args:
        store: The store's address; the default one if None.
        as_json: Whether to print one JSON object, for programs.

    Returns:
        The exit code: 2 if a run would not work.
    """
    findings = find_all(store)
    if as_json:
        print(json.dumps({"findings": [asdict(one) for one in findings]}, indent=1))
    else:
        width = max(len(one.name) for one in findings)
        for one in findings:
            print(f"{GLYPHS[one.state]} {one.state:<7}  {one.name:<{width}}  {one.value}")
            if one.advice:
                print(f"{'':<{width + 13}}{one.advice}")
    return BAD_INPUT if any(one.state == WRONG for one in findings) else ALL_WELL


def find_all(store: str | None) -> list[Finding]:
    """Return the finding of each probe, in the order in which they are shown."""
    probes: dict[str, Callable[[], Finding]] = {
        "Python": _see_python,
        "packages": _see_packages,
        "CPUs and memory": _see_capacity,
        "store": lambda: _see_store(choose_store(store)),
        "Prefect": _see_prefect,
        "proxies": _see_proxies,
        "certificates": _see_certificates,
        "compiled loops": _see_compiled_loops,
        "temporary folder": _see_temporary_folder,
        "time zone": _see_clock,
        "git": _see_git,
        "terminal": _see_terminal,
        "reports": _see_reports_address,
    }
    findings = {name: Finding(name, WARNING, f"no answer within {PROBE_SECONDS:g} s") for name in probes}

    def look(name: str) -> None:
        try:
            findings[name] = probes[name]()
        # A probe that fails is a finding, too.
        except Exception as error:
            findings[name] = Finding(name, WRONG, " ".join(hide_password(str(error)).split()))

    # Daemons, so that the command ends even if one of them hangs.
    threads = [threading.Thread(target=look, args=(name,), daemon=True) for name in probes]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(findings.values())


def _see_python() -> Finding:
    found = f"{platform.python_version()} in {sys.prefix}"
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("Python", WRONG, found, "Use Python 3.11, 3.12 or 3.13, and set the project up again.")
    if Path(sys.prefix).resolve().parent != PROJECT_ROOT:
        return Finding("Python", WARNING, found, f"This is not the environment of {PROJECT_ROOT}.")
    return Finding("Python", OK, found)


def _see_packages() -> Finding:
    locked, different = _read_lock(), []
    for name in LIBRARIES:
        try:
            found = version(name)
        except PackageNotFoundError:
            return Finding("packages", WRONG, f"{name} is missing", "Set the project up again: make run.")
        if name in locked and found not in locked[name]:
            different.append(f"{name} {found} instead of {' or '.join(locked[name])}")
    if different:
        return Finding(
            "packages", WARNING, ", ".join(different), "Set the project up again to get the locked versions."
        )
    return Finding("packages", OK, f"{len(LIBRARIES)} looked at, all as in {LOCK}")


def _read_lock() -> dict[str, list[str]]:
    """Return by package the locked versions; some packages have one for each version of Python."""
    locked: dict[str, list[str]] = {}
    for line in (PROJECT_ROOT / LOCK).read_text(encoding="utf-8").splitlines():
        name, is_pinned, rest = line.partition("==")
        if is_pinned and not name.startswith(("#", " ")):
            locked.setdefault(name, []).append(rest.split()[0])
    return locked


def _see_capacity() -> Finding:
    room = available_bytes()
    memory = "unknown memory" if room is None else f"{room / 1e9:.1f} GB free"
    found = f"{count_cpus()} CPUs, {memory}: {count_jobs()} trainings at once"
    if room is not None and room < 1_500_000_000:
        return Finding("CPUs and memory", WARNING, found, "A training and the report need about 1.5 GB.")
    return Finding("CPUs and memory", OK, found)


def _see_store(address: str) -> Finding:
    # Imported late: Arrow takes a third of a second.
    from storage.store import Store

    store = Store(address)
    place = store.locate("")
    if "://" in place:
        store.check_writable()
        return Finding("store", OK, f"{place}, can be written")
    if Path(place).exists():
        store.check_writable()
    # A folder that a run would make is not made here.
    existing = next(folder for folder in (Path(place), *Path(place).parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding("store", WRONG, f"{existing} cannot be written", "Choose another folder with --store.")
    free = shutil.disk_usage(existing).free
    found = f"{place}, can be written, {free / 1e9:.1f} GB free"
    return Finding("store", OK, found) if free > 1 << 30 else Finding("store", WARNING, found, "Make room.")


def _see_prefect() -> Finding:
    from prefect.settings import PREFECT_API_URL

    from flows.cli.prefect_server import check_server

    url = PREFECT_API_URL.value()
    if not url:
        return Finding("Prefect", OK, f"{version('prefect')}, a temporary server for each run")
    found, ours = check_server(url), version("prefect")
    shown = f"{hide_password(url)} has {found}, the project {ours}"
    if found != ours:
        return Finding("Prefect", WARNING, shown, "Use the same version on both sides.")
    return Finding("Prefect", OK, shown)


def _see_proxies() -> Finding:
    names = [*PROXY_VARIABLES, *map(str.upper, PROXY_VARIABLES), "no_proxy", "NO_PROXY"]
    found = [f"{name}={hide_password(os.environ[name])}" for name in names if os.environ.get(name)]
    for address in ("http://reviews.example", "https://reviews.example"):
        try:
            find_proxy(address)
        except ValueError as error:
            return Finding("proxies", WARNING, str(error), "Runs that fetch nothing work all the same.")
    return Finding("proxies", OK, ", ".join(found) or "none")


def _see_certificates() -> Finding:
    found = [f"{name}={os.environ[name]}" for name in CERTIFICATE_VARIABLES if os.environ.get(name)]
    try:
        find_certificates()
    except ValueError as error:
        return Finding("certificates", WARNING, str(error), "Runs that fetch nothing work all the same.")
    return Finding("certificates", OK, ", ".join(found) or "those of certifi")


def _see_compiled_loops() -> Finding:
    from tasks.kernels.compiled_code import is_compiled

    sources = PROJECT_ROOT / "tasks" / "kernels"
    if is_compiled(sources):
        return Finding("compiled loops", OK, "made at set-up")
    return Finding("compiled loops", WARNING, "not there", "Each training compiles them, which takes ten seconds.")


def _see_temporary_folder() -> Finding:
    from flows.cli.surroundings import choose_temporary_folder

    wanted = os.environ.get("TMPDIR")
    folder = choose_temporary_folder(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if wanted and wanted != folder:
        return Finding("temporary folder", WARNING, f"{folder} is used, because TMPDIR={wanted} cannot be")
    return Finding("temporary folder", OK, f"{folder}, {free / 1e9:.1f} GB free")


def _see_clock() -> Finding:
    now = time.localtime()
    return Finding("time zone", OK, f"{time.strftime('%Y-%m-%d %H:%M:%S %Z (%z)', now)}; the schedule is in Asia/Seoul")


def _see_git() -> Finding:
    code = read_code_version()
    if code.commit is None:
        return Finding("git", WARNING, "no commit is known", "Reports will not say which code ran.")
    return Finding("git", OK, f"{code.commit[:12]}, {'with changes' if code.is_dirty else 'clean'}")


def _see_terminal() -> Finding:
    size = shutil.get_terminal_size((0, 0))
    kind = f"{size.columns} columns" if sys.stdout.isatty() else "no terminal"
    return Finding("terminal", OK, f"{getattr(sys.stdout, 'encoding', None) or 'unknown encoding'}, {kind}")


def _see_reports_address() -> Finding:
    address = os.environ.get("RETRAIN_REPORTS_URL", "").strip()
    return Finding("reports", OK, hide_password(address) or "shown by their paths; RETRAIN_REPORTS_URL is not set")
