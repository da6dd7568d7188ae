"""Where a night's figures come from: what ran on what, every file with its hash, and how to have them again."""

from __future__ import annotations

import shlex

from reports.analysis.history import write_out
from reports.page.language import Language
from reports.page.tables import Table
from storage.records import Run

STEPS = ("download", "sample", "split", "pad", "profile")
PARTS = ("archive", "word_index", "train", "validation", "test", "facts", "reviews", "minimal_pairs")
# Parameters of the flow whose options have another name.
OPTIONS = {"language": "lang"}


def list_facts(run: Run, language: Language) -> list[Table]:
    """Return what ran: code and machine, parameters, versions, durations."""
    say = language.say
    code = run.code
    state = {None: say("not recorded"), True: say("uncommitted changes"), False: say("no uncommitted changes")}
    what = [
        (say("run"), run.run_id),
        (say("started"), language.date(run.started)),
        (say("source"), run.source),
        (say("git commit"), code.commit or say("not recorded")),
        (say("working tree"), state[code.is_dirty]),
        (say("processor"), run.cpu),
    ]
    parameters = [(name, write_out(value) or say("not given")) for name, value in sorted(run.parameters.items())]
    header = (say("what"), say("value"))
    return [
        Table(say("What ran"), header, tuple(what)),
        Table(say("Parameters"), header, tuple(parameters)),
        Table(say("Versions"), header, tuple(sorted(run.versions.items()))),
        Table(say("Durations"), header, tuple(_list_durations(run, language))),
    ]


def _list_durations(run: Run, language: Language) -> list[tuple[str, str]]:
    say = language.say

    def write(seconds: float) -> str:
        return say("{seconds} s", seconds=language.decimal(seconds, 1))

    steps = {
        "archive": say("archive"),
        "split": say("split"),
        "pad": say("pad"),
        "profile": say("profile"),
        "train": say("all trainings, side by side"),
    }
    return [
        (say("all steps before this report"), write(run.seconds)),
        *((name, write(run.step_seconds[step])) for step, name in steps.items() if step in run.step_seconds),
        *((training.name, write(training.seconds["total"])) for training in (*run.trainings, *run.baselines)),
    ]


def list_data_hashes(run: Run, language: Language) -> Table:
    """Return what tells the reviews of this run from others: the SHA-256 of the archive and of what was made of it."""
    say = language.say
    parts = {"train": say("training"), "validation": say("validation"), "test": say("test")}
    archive, split = (run.datasets[name].files if name in run.datasets else {} for name in ("archive", "split"))
    rows = [(say("archive"), archive["archive"].sha256)]
    rows += [(say("word index"), archive["word_index"].sha256)] if "word_index" in archive else []
    rows += [(name, split[part].sha256) for part, name in parts.items() if part in split]
    return Table(say("Hashes of the data"), (say("part"), "SHA-256"), tuple(rows))


def list_files(run: Run, language: Language) -> Table:
    """Return every file of the run with its SHA-256, in an order of its own, whether or not it was read back."""
    files = []
    for dataset in sorted(run.datasets.values(), key=lambda dataset: STEPS.index(dataset.step)):
        for _, file in sorted(dataset.files.items(), key=lambda item: PARTS.index(item[0])):
            files.append(file)
    for training in (*run.trainings, *run.baselines):
        files += [training.files[name] for name in sorted(training.files)]
    if run.evidence:
        files.append(run.evidence)
    say = language.say
    rows = tuple((file.path, file.sha256, language.integer(file.bytes)) for file in files)
    return Table(say("Every file of the run"), (say("file"), "SHA-256", say("bytes")), rows)


def repeat_command(run: Run) -> str:
    """Return the command that repeats the run."""
    words = ["retrain", "run"]
    for name, value in sorted(run.parameters.items()):
        option = f"--{OPTIONS.get(name, name).replace('_', '-')}"
        if name == "baselines":
            words += [] if value else ["--no-baselines"]
        elif value is not None:
            words += [option, ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return shlex.join(words)


def render_command(run: Run) -> str:
    """Return the command that renders this page again."""
    return shlex.join(["retrain", "report", run.run_id, "--store", str(run.parameters["store"])])
