"""The section on provenance: what ran and where, every file with its hash, and the commands that repeat it."""

from __future__ import annotations

import shlex

from reports.analysis.history import format_value
from reports.page.language import Language
from reports.page.tables import Table
from storage.records import Run

STEPS = ("download", "sample", "split", "pad", "profile", "assign", "encoder", "check", "join", "pairs")
PARTS = ("archive", "word_index", "train", "validation", "test", "facts", "reviews", "minimal_pairs")
OWN_PARTS = ("assignment", "rejected", "summary", "encoder", "vocabulary", "checks", "own_reviews")
# Options whose name differs from the name of the flow's parameter.
OPTIONS = {"language": "lang"}


def list_facts(run: Run, language: Language) -> list[Table]:
    """Return four tables: code and machine, run parameters, versions, durations."""
    gettext = language.gettext
    state = {
        None: gettext("not recorded"),
        True: gettext("uncommitted changes"),
        False: gettext("no uncommitted changes"),
    }
    execution = [
        (gettext("run"), run.run_id),
        (gettext("started"), language.date(run.started)),
        (gettext("source"), run.source),
        (gettext("git commit"), run.code.commit or gettext("not recorded")),
        (gettext("working tree"), state[run.code.is_dirty]),
        (gettext("processor"), run.cpu),
    ]
    parameters = [(name, format_value(value) or gettext("not given")) for name, value in sorted(run.parameters.items())]
    header = (gettext("what"), gettext("value"))
    return [
        Table(gettext("What ran"), header, tuple(execution)),
        Table(gettext("Run parameters"), header, tuple(parameters)),
        Table(gettext("Versions"), header, tuple(sorted(run.versions.items()))),
        Table(gettext("Durations"), header, tuple(_list_durations(run, language))),
    ]


def _list_durations(run: Run, language: Language) -> list[tuple[str, str]]:
    gettext = language.gettext
    steps = {
        "archive": gettext("archive"),
        "split": gettext("split"),
        "pad": gettext("pad"),
        "profile": gettext("profile"),
        "read": gettext("read own reviews"),
        "assign": gettext("assign own reviews to parts"),
        "encode": gettext("encode own reviews"),
        "check": gettext("check own reviews"),
        "join": gettext("join own reviews"),
        "train": gettext("all trainings, in parallel"),
    }
    durations = [
        (gettext("all steps before this report"), run.seconds),
        *((name, run.step_seconds[step]) for step, name in steps.items() if step in run.step_seconds),
        *((training.name, training.seconds["total"]) for training in (*run.trainings, *run.baselines)),
    ]
    return [(name, gettext("{seconds} s", seconds=language.decimal(seconds, 1))) for name, seconds in durations]


def list_data_hashes(run: Run, language: Language) -> Table:
    """Return the SHA-256 of the archive, of the word index and of each part of the data."""
    gettext = language.gettext
    parts = {"train": gettext("training"), "validation": gettext("validation"), "test": gettext("test")}
    archive, split = (run.datasets[name].files if name in run.datasets else {} for name in ("archive", "split"))
    rows = [(gettext("archive"), archive["archive"].sha256)] if archive else []
    rows += [(gettext("word index"), archive["word_index"].sha256)] if "word_index" in archive else []
    rows += [(name, split[part].sha256) for part, name in parts.items() if part in split]
    return Table(gettext("Hashes of the data"), (gettext("part"), "SHA-256"), tuple(rows))


def list_files(run: Run, language: Language) -> Table:
    """Return every file of the run with its SHA-256 and its size.

    The order does not depend on the order of the run's record, so that the page of a stored run has the same bytes.
    """
    files = []
    for dataset in sorted(run.datasets.values(), key=lambda dataset: _place(dataset.step, STEPS)):
        for _, file in sorted(dataset.files.items(), key=lambda item: _place(item[0], (*PARTS, *OWN_PARTS))):
            files.append(file)
    for training in (*run.trainings, *run.baselines):
        files += [training.files[name] for name in sorted(training.files)]
    files += [file for file in (run.evidence, run.decision) if file]
    gettext = language.gettext
    rows = tuple((file.path, file.sha256, language.integer(file.bytes)) for file in files)
    return Table(gettext("Every file of the run"), (gettext("file"), "SHA-256", gettext("bytes")), rows)


def _place(name: str, names: tuple[str, ...]) -> tuple[int, str]:
    """Return where a name stands in a list; names that are not in it come last, in their own order."""
    return (names.index(name) if name in names else len(names), name)


def repeat_command(run: Run) -> str:
    """Return the command that repeats the run."""
    words = ["retrain", "run"]
    for name, value in sorted(run.parameters.items()):
        option = f"--{OPTIONS.get(name, name).replace('_', '-')}"
        if isinstance(value, bool):
            # Every switch is on unless it is turned off.
            words += [] if value else [f"--no-{option.removeprefix('--')}"]
        elif value is not None:
            words += [option, ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return shlex.join(words)


def render_command(run: Run) -> str:
    """Return the command that renders this page again."""
    return shlex.join(["retrain", "report", run.run_id, "--store", run.known.store or ""])
