"""Change the code in small ways at random, and write to RESULTS.md which changes its own tests do not notice.

    make mutants                                # 400 mutants, seed 1
    make mutants ARGS="--seed 2 --count 600"
    make mutants ARGS="--seed 2 --count 600 --again"   # after new tests: the survivors alone

Each mutant is one change (a `<` that becomes `<=`, a 1 that becomes 2) in a copy of the project, and each runs against
the test files that `TESTS` gives its module: the project's other tests would kill more. Slow tests are left out. A
survivor changes nothing that can be seen, or wants a test; `survivors.toml` says of each known one why it may stay.
Exit code 1: some survivors are not in that file.

Every mutant starts as a fork of this process, which has imported the large libraries already.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("RESULTS.md")
REASONS = Path(__file__).with_name("survivors.toml")
MUTATOR = ROOT / ".venv-mutation" / "bin" / "python"
# Of earlier runs, for `--again`.
OUTCOMES = ROOT / ".venv-mutation" / "outcomes.json"
OUR_FOLDERS = ("flows", "reports", "storage", "tasks", "tests")
LIBRARIES = (
    *("hypothesis", "moto.server", "numpy", "pandas", "psutil", "pyarrow.fs", "pyarrow.parquet", "pytest"),
    *("scipy.stats", "sklearn.metrics", "statsmodels.stats.contingency_tables", "statsmodels.stats.multitest"),
    "statsmodels.stats.weightstats",
)
# By the clock much more than of the processor: other work may slow it down or stop it for a while.
PROCESSOR_SECONDS, TIMEOUT_SECONDS = 60, 600
# A mutant without a limit must not take the machine with it.
MOST_BYTES = 8 << 30

TESTS = {
    "reports/analysis/pass_rates.py": "test_minimal_pairs",
    "reports/analysis/comparison.py": "test_comparison",
    "reports/analysis/errors.py": "test_errors",
    "reports/analysis/measurements.py": "test_comparison test_errors",
    "reports/analysis/history.py": "test_history",
    "reports/analysis/probabilities.py": "test_probabilities",
    "reports/analysis/seed_statistics.py": "test_statistics",
    "reports/analysis/statistics.py": "test_statistics",
    "storage/archive.py": "test_archive test_fuzz_archive",
    "storage/bounds.py": "test_decoding test_fuzz_store",
    "storage/containment.py": "test_containment",
    "storage/datasets.py": "test_datasets",
    "storage/decoding.py": "test_decoding test_runs test_fuzz_store",
    "storage/location.py": "test_store test_object_store",
    "storage/memory.py": "test_memory",
    "storage/pages.py": "test_runs test_republishing",
    "storage/pickles.py": "test_pickles test_archive test_fuzz_archive",
    "storage/publishing.py": "test_store test_object_store",
    "storage/records.py": "test_records test_runs test_fuzz_store",
    "storage/runs.py": "test_runs test_republishing",
    "storage/schemas.py": "test_pad test_split",
    "storage/store.py": "test_store test_object_store",
    "storage/parquet.py": "test_store",
    "storage/text.py": "test_text test_archive",
    "storage/upgrades.py": "test_older_stores",
    "storage/word_index.py": "test_word_index test_fuzz_store",
}


def forget_our_modules(project: Path) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in OUR_FOLDERS]:
        del sys.modules[name]
    sys.path[:] = [str(project), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ["PYTHONPATH"] = str(project)
    os.chdir(project)


def run_in_child(project: Path, module: str, log: Path) -> int:
    """Run the tests of a module in this process, which is a fork and then ends."""
    import resource

    import pytest

    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, resource.RLIM_INFINITY))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    forget_our_modules(project)
    files = [str(*(ROOT / "tests").rglob(f"{name}.py")) for name in TESTS[module].split()]
    plain = ["-x", "-q", "-m", "not slow", "-o", "addopts=", "-p", "no:xdist", "-p", "no:cacheprovider"]
    return int(pytest.main([*plain, *files]))


def run_tests(project: Path, module: str, log: Path) -> str:
    """Return "killed", "survived" or "timeout"."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = run_in_child(project, module, log)
        finally:
            os._exit(code)
    statuses = wait_for_status(child)
    # The process group has the processes that the tests started, too.
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not statuses:
        os.waitpid(child, 0)
        return "timeout"
    if os.WTERMSIG(statuses[0]) == signal.SIGXCPU:
        return "timeout"
    return "killed" if statuses[0] else "survived"


def wait_for_status(child: int) -> list[int]:
    """Return the exit status of a child process as the only item; an empty list if it does not end in time."""

    def poll_status() -> list[int]:
        ended, status = os.waitpid(child, os.WNOHANG)
        return [status] if ended else []

    try:
        return wait_until(poll_status, TIMEOUT_SECONDS, "the end of the tests", every=0.05)
    except AssertionError:
        return []


def try_mutant(project: Path, mutant: dict, log: Path) -> str:
    path = project / mutant["module"]
    times, original = path.stat(), path.read_text()
    path.write_text(mutant["source"])
    try:
        return run_tests(project, mutant["module"], log)
    finally:
        path.write_text(original)
        os.utime(path, (times.st_atime, times.st_mtime))


def draw_mutants(options: argparse.Namespace) -> tuple[int, list[dict]]:
    """Return how many mutants there are, and those of the sample."""
    command = [MUTATOR, "tests/mutation/mutants.py", str(options.seed), str(options.count), *options.module]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return int(lines[0]), [json.loads(line) for line in lines[1:]]


def read_reasons() -> dict[tuple[str, str, str], str]:
    """Return why known survivors may stay, by module, line before and line after."""
    known = tomllib.loads(REASONS.read_text())["survivor"] if REASONS.exists() else []
    return {(one["module"], one["before"], one["after"]): one["why"] for one in known}


def write_results(options: argparse.Namespace, total: int, mutants: list[dict], seconds: float) -> int:
    """Add a line on this run to RESULTS.md and list its survivors; return how many of them have no reason."""
    counts, reasons = Counter(mutant["outcome"] for mutant in mutants), read_reasons()
    survivors = [mutant for mutant in mutants if mutant["outcome"] == "survived"]
    why = [reasons.get((one["module"], one["before"], one["after"]), "") for one in survivors]
    noticed, allowed = counts["killed"] + counts["timeout"], len([reason for reason in why if reason])
    changing = noticed + len(survivors) - len([reason for reason in why if reason.startswith("Equivalent")])
    command = f'make mutants ARGS="{options.how}"' if options.how else "make mutants"
    run = (
        f"| {time.strftime('%Y-%m-%d')} | `{command}` | {options.seed} | {len(mutants)} of {total} "
        f"| {counts['killed']} | {counts['timeout']} | {len(survivors)} | {noticed / len(mutants):.1%} "
        f"| {noticed / changing:.1%} | {seconds / 60:.0f} |\n"
    )
    text = RESULTS.read_text() if RESULTS.exists() else ""
    runs = re.findall(r"^\| \d{4}-.*\n", text.partition("## Survivors")[0], re.MULTILINE)
    table = "".join(
        f"| {one['module']}:{one['line']} | `{cell(one['before'])}` | `{cell(one['after'])}` | {reason or '?'} |\n"
        for one, reason in zip(survivors, why, strict=True)
    )
    RESULTS.write_text(
        "# Which changes the tests notice\n\nWritten by `make mutants`, one line for each run. The rate of all is the "
        "share of mutants that were killed or ran out of time; the other rate leaves out those that change nothing "
        "that can be seen (*Equivalent* below).\n\n"
        "| when | command | seed | mutants | killed | timeouts | survivors | rate of all | rate | minutes |\n"
        f"|---|---|---|---|---|---|---|---|---|---|\n{''.join(runs)}{run}\n"
        "## Survivors of the last run\n\n| where | line | became | why it may stay |\n|---|---|---|---|\n" + table
    )
    print(run, end="")
    return len(survivors) - allowed


def cell(code: str) -> str:
    return code.replace("|", "\\|")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of the sample (1)")
    parser.add_argument("--count", type=int, default=400, help="mutants in the sample (400)")
    parser.add_argument("--again", action="store_true", help="try only those that survived the last time")
    parser.add_argument("--module", choices=TESTS, action="append", help="mutate this module alone; may be repeated")
    options = parser.parse_args()
    options.how = " ".join(sys.argv[1:])
    options.module = options.module or list(TESTS)
    total, mutants = draw_mutants(options)
    outcomes = json.loads(OUTCOMES.read_text()) if options.again else {}
    keys = [hashlib.sha256(mutant["source"].encode()).hexdigest() for mutant in mutants]
    for mutant, key in zip(mutants, keys, strict=True):
        mutant["outcome"] = outcomes.get(key, "survived")
    tried = [mutant for mutant in mutants if mutant["outcome"] == "survived"]
    for name in LIBRARIES:
        __import__(name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        project, log = Path(folder) / "project", Path(folder) / "log"
        shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "output"))
        for module in sorted({mutant["module"] for mutant in tried}):
            start = time.monotonic()
            if run_tests(project, module, log) != "survived":
                print(f"The tests of {module} must pass before it is changed:\n{log.read_text()}", file=sys.stderr)
                return 2
            print(f"{module}: its tests take {time.monotonic() - start:.1f} s", flush=True)
        # A mutant's bytecode must not outlive it.
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        for mutant in tried:
            mutant["outcome"] = try_mutant(project, mutant, log)
            where = f"{mutant['module']}:{mutant['line']}"
            print(f"{mutant['outcome']:8} {where} {mutant['before']}  ->  {mutant['after']}", flush=True)
    outcomes = {key: mutant["outcome"] for key, mutant in zip(keys, mutants, strict=True)}
    OUTCOMES.write_text(json.dumps(outcomes))
    return 1 if write_results(options, total, mutants, time.monotonic() - began) else 0


if __name__ == "__main__":
    sys.exit(main())
