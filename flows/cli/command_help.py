"""What the help says of each command."""

from __future__ import annotations

from typing import NamedTuple

RUN_EXAMPLES = """examples:
  retrain run                                     the four variants on the IMDB reviews
  retrain run --source imdb.npz --jobs 2          on an archive of your own, two trainings at once
  retrain run --variants lstm,gru --seeds 42,43   two variants, each with two seeds
  retrain run --source sample --epochs 2          a quick look, with no network
"""
VERIFY_EXAMPLES = """examples:
  retrain verify                                  the store in RETRAIN_STORE, or output/
  retrain verify --store /srv/retraining          another one
"""
REPORT_EXAMPLES = """examples:
  retrain report                                  the newest run's page, written into the store again
  retrain report 20261124T020000Z-c48114 --out page.html
  retrain report --lang ko                        the newest run in Korean, beside the published page
"""
DOCTOR_EXAMPLES = """examples:
  retrain doctor                                  this machine and the store in RETRAIN_STORE, or output/
  retrain doctor --json                           one JSON object, for programs
"""
INSPECT_EXAMPLES = """examples:
  retrain inspect reviews.csv                     what a run would read of a file
  retrain inspect reviews/ --label-map "1-4=neg,7-10=pos"
  retrain inspect reviews.csv --encoding cp949 --json
"""
CLEAN_EXAMPLES = """examples:
  retrain clean --keep-runs 30 --dry-run          say what would be removed, and remove nothing
  retrain clean --keep-days 90                    remove runs older than that, and what only they need
  retrain clean --forget 2026-11-25.csv           remove what was stored of a file that is gone
"""
CHAMPION_EXAMPLES = """actions:
  show       the champion and the blocked models (if no action is given)
  log        all records, the oldest first
  promote    make a model the champion
  rollback   make the champion before the champion again, and block the one that is left
  block      keep a model from being proposed
  unblock    lift that

examples:
  retrain champion
  retrain champion promote 20261124T020000Z-c48114 gru-seed42 --expect 17 --why "clearly better"
  retrain champion rollback --why "complaints about long reviews"
  retrain champion log --json
"""
PREDICT_EXAMPLES = """examples:
  retrain predict "A fine film" "A dull one"      ask the champion
  retrain predict --explain "A fine film"         and see which words moved it most
  cat reviews.txt | retrain predict - --json      one review a line, one JSON object out for each
  retrain predict --file reviews.csv --out scored.parquet
"""
FEEDBACK_EXAMPLES = """examples:
  retrain feedback labels.csv --scored scored.parquet
  retrain feedback stars.csv --scored scored.parquet --label-map "1-2=neg,4-5=pos"
"""
HISTORY_EXAMPLES = """examples:
  retrain history                                 one line a run, the newest last
  retrain history --json                          one JSON object a line, for programs
"""


class Command(NamedTuple):
    """What the help says of a command.

    Attributes:
        deed: What it does, in a few words.
        note: What else a user should know.
        examples: One a line, each with an explanation.
    """

    deed: str
    note: str
    examples: str


COMMANDS = {
    "run": Command(
        "retrain now, and write the report",
        "Exit code: 0 all well, 1 a training failed or a check stopped the run, 2 bad input, 3 the gate refused.",
        RUN_EXAMPLES,
    ),
    "report": Command(
        "render a past run's report again, byte for byte",
        "Nothing is trained or downloaded.",
        REPORT_EXAMPLES,
    ),
    "history": Command(
        "list the past runs, one line each",
        "Exit code: 0 all well, 2 if a run's record is damaged.",
        HISTORY_EXAMPLES,
    ),
    "verify": Command(
        "hash every file in the store again, and name what is damaged or missing",
        "Exit code: 0 all sound, 2 not.",
        VERIFY_EXAMPLES,
    ),
    "inspect": Command(
        "show what would be read of your own reviews, and train nothing",
        "Exit code: 0 the files can be read, 2 they cannot.",
        INSPECT_EXAMPLES,
    ),
    "champion": Command(
        "show the model that is in use, promote another one, or go back",
        "Exit code: 0 all well, 2 bad input, or somebody else was first.",
        CHAMPION_EXAMPLES,
    ),
    "predict": Command(
        "ask the champion about texts, or about files of them",
        "Exit code: 0 all well, 1 some rows could not be scored, 2 bad input or no champion.",
        PREDICT_EXAMPLES,
    ),
    "feedback": Command(
        "see how many of the champion's answers later labels call right",
        "The labels are matched by review_id; the next report shows them. Exit code: 0 all well, 2 bad input.",
        FEEDBACK_EXAMPLES,
    ),
    "clean": Command(
        "remove old runs and what only they need, or what was stored of a source file that is gone",
        "The champions, and the runs that they were compared with, stay. Exit code: 0 all well, 2 bad input.",
        CLEAN_EXAMPLES,
    ),
    "doctor": Command(
        "print what the project sees of this machine, and whether a run would work",
        "Exit code: 0 a run would work, 2 it would not.",
        DOCTOR_EXAMPLES,
    ),
}
