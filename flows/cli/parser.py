"""The options of the `retrain` command, and its help."""

from __future__ import annotations

import argparse
from typing import NoReturn

from flows.parameters import PLACEMENTS
from storage.records import LANGUAGES
from tasks.variants import VARIANTS

BAD_INPUT = 2

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
  retrain report --lang ko                        the newest run in Korean, beside the page that was published
"""
HISTORY_EXAMPLES = """examples:
  retrain history                                 one line a run, the newest last
  retrain history --json                          one JSON object a line, for programs
"""
# Of each command: what it does, what is to be said beside that, and examples.
COMMANDS = {
    "run": (
        "retrain now, and write the report",
        "Exit code: 0 all well, 1 a training failed, 2 bad input.",
        RUN_EXAMPLES,
    ),
    "report": (
        "render a past run's report again, byte for byte",
        "Nothing is trained and nothing fetched.",
        REPORT_EXAMPLES,
    ),
    "history": (
        "list the past runs, one line each",
        "Exit code: 0 all well, 2 when a run's record is damaged.",
        HISTORY_EXAMPLES,
    ),
    "verify": (
        "hash every file in the store again, and name what is damaged or missing",
        "Exit code: 0 all sound, 2 not.",
        VERIFY_EXAMPLES,
    ),
}


class OneLineParser(argparse.ArgumentParser):
    """Says in one line what is wrong with an argument."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="retrain", description="Retrain the sentiment models, and look after what that gave.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (deed, more, examples) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=deed,
            description=f"{deed[0].upper()}{deed[1:]}. {more}",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == "run":
            _add_run_options(command)
        if name == "report":
            command.add_argument(
                "run_id", nargs="?", metavar="RUN_ID", help="as `retrain history` lists it (the newest)"
            )
            command.add_argument("--out", metavar="FILE", help="write the page there (the store)")
            command.add_argument("--lang", choices=LANGUAGES, help="language of the page (that of the run)")
        if name == "history":
            command.add_argument("--json", action="store_true", help="one JSON object a line")
        command.add_argument(
            "--store", metavar="URI", help="folder or s3://bucket/prefix for everything (RETRAIN_STORE, or output)"
        )
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    names = ",".join(variant.name for variant in VARIANTS)
    add = parser.add_argument
    add(
        "--source",
        default="auto",
        help="imdb, sample, a file, an http(s) address, or auto: imdb, or sample where it cannot be reached (auto)",
    )
    add("--sha256", help="what the archive must hash to; needed with an address of your own")
    add("--variants", type=_split_names, default=names, metavar="A,B", help=f"models to train ({names})")
    add("--seeds", type=_split_integers, default="42", metavar="N,M", help="one training of each variant per seed (42)")
    add("--epochs", type=int, default=100, metavar="N", help="at most this many (100)")
    add("--batch-size", type=int, default=64, metavar="N", help="reviews per step (64)")
    add("--patience", type=int, default=3, metavar="N", help="epochs without a lower val_loss before stopping (3)")
    add("--learning-rate", type=float, default=1e-4, metavar="X", help="of RMSprop (0.0001)")
    add("--num-words", type=int, default=500, metavar="N", help="size of the vocabulary (500)")
    add("--maxlen", type=int, default=100, metavar="N", help="tokens of each review that are used, its last (100)")
    add("--embedding-dim", type=int, default=16, metavar="N", help="size of a word's vector (16)")
    add("--validation-fraction", type=float, default=0.2, metavar="X", help="share kept for validation (0.2)")
    add("--split-seed", type=int, default=42, metavar="N", help="of the draw of the validation reviews (42)")
    add("--jobs", type=int, metavar="N", help="trainings at once (as many as CPUs and memory allow)")
    add(
        "--placement", choices=PLACEMENTS, default="local", help="where trainings run: this machine, or workers (local)"
    )
    add("--timeout-seconds", type=float, default=3600, metavar="S", help="after which one training is ended (3600)")
    add("--sample-reviews", type=int, default=50_000, metavar="N", help="size of the sample corpus (50000)")
    add("--no-baselines", dest="baselines", action="store_false", help="leave out the models that are there for scale")
    add("--lang", dest="language", choices=LANGUAGES, default="en", help="language of the report (en)")


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _split_integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be integers with commas between. Received: {text}.") from None
