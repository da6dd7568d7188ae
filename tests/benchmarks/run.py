"""How fast the project is, beside what its users would pick instead: `make bench`, `make bench-peers`.

Everything is a ratio within one run on one machine, on the real archive where it is there. Prints a table, and writes
it to RESULTS.md with the versions and the CPU. `--full` runs the notebook's loop to its end; without it a few of its
epochs are timed, and extrapolated by the epochs that it took when it last ran to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil

from storage.runs import read_run
from storage.schemas import padded_schema
from storage.store import Store

PROJECT_ROOT = Path(__file__).resolve().parents[2]
REAL_ARCHIVE = PROJECT_ROOT.parent / "shared" / "data" / "imdb.npz"
VARIANTS = ("lstm", "lstm_dropout", "lstm_stacked", "gru")
# Epochs until early stopping, seed 42, when the notebook's loop last ran to its end on the archive.
NOTEBOOK_EPOCHS = {"lstm": 58, "lstm_dropout": 29, "lstm_stacked": 22, "gru": 100}
FEW = 6


class Table:
    """The rows so far: what, figure, goal."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def add(self, what: str, figure: str, goal: str = "") -> None:
        self.rows.append((what, figure, goal))
        print(f"{what:74s} {figure:44s} {goal}", flush=True)

    def markdown(self) -> str:
        lines = ["| what | measured | goal |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in self.rows)]
        return "\n".join(lines) + "\n"


def spread(values: Sequence[float], unit: str = " s") -> str:
    return f"{statistics.median(values):.3g}{unit} ({min(values):.3g}–{max(values):.3g}, n={len(values)})"


def retrain(store: Path, source: str, *options: str) -> tuple[float, object, dict[str, float]]:
    """Run the command; return its wall time, the run's record, and the peak memory in MB by kind of process."""
    command = [sys.executable, "-m", "flows", "run", "--source", source, "--store", str(store), *options]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peaks: dict[str, float] = {}
    while process.poll() is None:
        watch_memory(psutil.Process(process.pid), peaks)
        time.sleep(0.5)
    wall = time.perf_counter() - began
    if process.returncode or process.stdout is None:
        raise RuntimeError(f"retrain run ended with exit code {process.returncode}.")
    run_id = Path(process.stdout.read().strip().rsplit("report: ", 1)[1]).stem
    return wall, read_run(Store(str(store)), run_id), peaks


def watch_memory(parent: psutil.Process, peaks: dict[str, float]) -> None:
    """Keep the highest resident memory that the system has noted for the flow's process and for any training."""
    for process in [parent, *parent.children(recursive=True)]:
        try:
            is_training = "tasks.training.training" in process.cmdline()
            kind = "flow" if process.pid == parent.pid else "training" if is_training else "other"
            text = Path(f"/proc/{process.pid}/status").read_text()
            peak = int(text.split("VmHWM:")[1].split()[0]) / 1000
        except (psutil.Error, OSError, IndexError):
            continue
        peaks[kind] = max(peaks.get(kind, 0.0), peak)


def time_epochs(engine: str, variant: str, data: Path, epochs: int, python: str = sys.executable) -> list[float]:
    """Return the seconds of each epoch of one training, in a process of its own."""
    command = [python, str(Path(__file__).with_name("epochs.py")), engine, variant, str(data), str(epochs)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERAS")}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if answer.returncode:
        raise RuntimeError(f"{engine} {variant} failed: {answer.stderr.strip().splitlines()[-1]}")
    seconds: list[float] = json.loads(answer.stdout.strip().splitlines()[-1])["seconds"]
    return seconds


def time_side_by_side(engine: str, variant: str, data: Path, python: str = sys.executable) -> list[float]:
    """Return the epochs, without the first, of two trainings that run at the same time."""
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: time_epochs(engine, variant, data, FEW, python), range(2)))
    return [seconds for one in both for seconds in one[1:]]


def save_padded(store: Path, run: object, target: Path) -> None:
    """Write a run's padded training and validation reviews as the .npz that all engines read."""
    files = run.datasets["pad"].files
    arrays = {}
    for part in ("train", "validation"):
        table = Store(str(store)).read_table(files[part], padded_schema(100))
        column = table["tokens"].combine_chunks()
        arrays[f"{part}_tokens"] = column.values.to_numpy().reshape(len(table), 100)
        arrays[f"{part}_labels"] = table["label"].to_numpy()
    np.savez(target, **arrays)


def measure_whole_run(table: Table, store: Path, source: str, repeat: int) -> float:
    """Time the four trainings, as a whole command from a warm dataset cache; return the median."""
    runs = [retrain(store, source) for _ in range(repeat)]
    walls = [wall for wall, _, _ in runs]
    run, peaks = runs[-1][1], {key: max(peaks[key] for _, _, peaks in runs) for key in ("flow", "training")}
    epochs = ", ".join(f"{training.variant} {training.epochs}" for training in run.trainings)
    table.add(f"whole `retrain run`, datasets cached (epochs: {epochs})", spread(walls))
    packing = [best_packing([one.seconds["total"] for one in each.trainings], 2) for _, each, _ in runs]
    ratios = [each.step_seconds["train"] / best for (_, each, _), best in zip(runs, packing, strict=True)]
    table.add("wall time of the trainings / best packing of their own times on two", spread(ratios, ""), "at most 1.10")
    rest = [wall - each.step_seconds["train"] for wall, each, _ in runs]
    table.add("… before the first and after the last training", spread(rest))
    table.add("peak memory, flow process", f"{peaks['flow']:.0f} MB", "350 MB")
    table.add("peak memory, one training", f"{peaks['training']:.0f} MB", "900 MB")
    return statistics.median(walls)


def best_packing(seconds: list[float], places: int) -> float:
    """Return the shortest time in which these can run on so many places, by trying all ways."""
    best = sum(seconds)
    for code in range(places ** len(seconds)):
        loads = [0.0] * places
        for one in seconds:
            code, place = divmod(code, places)  # noqa: PLW2901 - the digits of the code are the places
            loads[place] += one
        best = min(best, max(loads))
    return best


def measure_overhead(table: Table, store: Path, source: str, epoch_of_each: float) -> None:
    """Time what is not training: runs of one epoch, less that epoch."""
    rests, warm = [], []
    for _ in range(3):
        wall, run, _ = retrain(store, source, "--epochs", "1")
        # Two at once: an epoch of each of four trainings takes the time of two.
        rests.append(wall - epoch_of_each / 2)
        warm.append(run.step_seconds["split"] + run.step_seconds["pad"])
    table.add("all that is not training: start, compilation, evaluation, report", spread(rests), "at most 20 s")
    table.add("split and pad, cached", spread(warm), "at most 0.2 s")
    cold = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            _, run, _ = retrain(Path(folder), source, "--epochs", "1", "--variants", "lstm", "--jobs", "1")
        cold.append(run.step_seconds["split"] + run.step_seconds["pad"])
    table.add("split and pad, nothing cached", spread(cold), "at most 1.5 s")


def measure_epochs(table: Table, data: Path) -> float:
    """Time a few epochs of each variant; return the sum of one epoch of each."""
    total = 0.0
    for variant in VARIANTS:
        seconds = time_epochs("ours", variant, data, FEW)[1:]
        total += statistics.median(seconds)
        table.add(f"seconds per epoch, {variant}, alone", spread(seconds))
    return total


def measure_notebook(table: Table, data: Path, whole: float, *, full: bool) -> None:
    """Time the notebook's loop: whole, or a few epochs of it."""
    total = 0.0
    for variant in VARIANTS:
        seconds = time_epochs("notebook", variant, data, 100 if full else 4)
        epochs = len(seconds) if full else NOTEBOOK_EPOCHS[variant]
        took = sum(seconds) if full else seconds[0] + (epochs - 1) * statistics.median(seconds[1:])
        total += took
        table.add(f"notebook's loop, {variant}, {epochs} epochs", f"{took:.0f} s; {spread(seconds[1:], ' s an epoch')}")
    how = "run to its end" if full else "extrapolated"
    table.add(f"notebook's four trainings ({how}) / whole `retrain run`", f"{total / whole:.1f}", "at least 20")


def measure_peers(table: Table, data: Path, python: str) -> None:
    for variant in VARIANTS:
        ratios = []
        for _ in range(2):
            ours = statistics.median(time_side_by_side("ours", variant, data))
            theirs = statistics.median(time_side_by_side("jax", variant, data, python))
            ratios.append(ours / theirs)
        table.add(f"epoch, ours / Keras on JAX, two side by side, {variant}", spread(ratios, ""), "at most 0.75")
    for variant in VARIANTS:
        ratios = []
        for _ in range(2):
            ours = statistics.median(time_epochs("ours", variant, data, FEW)[1:])
            theirs = statistics.median(time_epochs("torch", variant, data, 4, python)[1:])
            ratios.append(ours / theirs)
        table.add(f"epoch, ours / PyTorch on one thread, {variant}", spread(ratios, ""), "at most 0.5")


def measure_scaling(table: Table, store: Path, source: str, whole: float) -> None:
    wall, _, peaks = retrain(store, source, "--seeds", "42,43,44")
    table.add("three seeds / one seed, whole command", f"{wall / whole:.2f}", "at most 3")
    table.add("… flow process", f"{peaks['flow']:.0f} MB", "flat")
    seconds, memory = [], []
    for reviews in (50_000, 500_000):
        with tempfile.TemporaryDirectory() as folder:
            wall, _, peaks = retrain(Path(folder), "sample", "--sample-reviews", str(reviews), "--epochs", "4")
        seconds.append(wall)
        memory.append(peaks["flow"])
    table.add(
        "500,000 sample reviews / 50,000, 4 epochs, nothing cached", f"{seconds[1] / seconds[0]:.2f}", "at most 10"
    )
    table.add("… flow process at 50,000 and at 500,000", f"{memory[0]:.0f} MB and {memory[1]:.0f} MB", "flat")


def describe_machine() -> str:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),  # noqa: SIM115, PTH123
        platform.processor(),
    )
    names = ("tensorflow-cpu", "keras", "numba", "prefect", "numpy", "pyarrow")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{cpu}, {os.cpu_count()} CPUs; Python {platform.python_version()}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="run the notebook's loop to its end (half an hour)")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has JAX and PyTorch")
    parser.add_argument("--repeat", type=int, default=3, help="whole runs of ours (3)")
    options = parser.parse_args()
    source = str(REAL_ARCHIVE) if REAL_ARCHIVE.is_file() else "sample"
    if source == "sample":
        print(f"The real archive is not at {REAL_ARCHIVE}: measured on the sample corpus.")
    table, began = Table(), time.strftime("%Y-%m-%d")
    with tempfile.TemporaryDirectory() as folder:
        store, data = Path(folder) / "store", Path(folder) / "padded.npz"
        _, run, _ = retrain(store, source, "--epochs", "1", "--variants", "lstm")
        save_padded(store, run, data)
        epoch_of_each = measure_epochs(table, data)
        whole = measure_whole_run(table, store, source, options.repeat)
        measure_notebook(table, data, whole, full=options.full)
        measure_overhead(table, store, source, epoch_of_each)
        if options.peers:
            measure_peers(table, data, options.peers)
        measure_scaling(table, store, source, whole)
    corpus = "the IMDB archive" if source != "sample" else "the sample corpus"
    text = f"# Measured on {began}\n\n{describe_machine()}; {corpus}. Median (lowest–highest, number of runs).\n\n"
    Path(__file__).with_name("RESULTS.md").write_text(text + table.markdown())


if __name__ == "__main__":
    main()
