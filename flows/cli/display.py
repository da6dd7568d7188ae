"""Show a run at the terminal, from its log records only."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from flows.cli.streams import is_animated
from tasks.processes.child_process import PROJECT_ROOT
from tasks.progress import Progress, TrainingDone, TrainingEpoch, TrainingFailed, TrainingsPlanned, TrainingStarted

# Columns of the narrowest terminal that is drawn for.
NARROWEST = 20
OUR_FOLDERS = tuple(str(PROJECT_ROOT / folder) for folder in ("flows", "tasks", "storage", "reports"))


class TerminalHandler(logging.Handler):
    """Prints the project's own records as lines; on an interactive terminal, shows the trainings as a live table.

    It leaves out Prefect's records of states and tracebacks: the command line says in one line how a run ended.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self.console = console
        self.is_animated = is_animated(console.file)
        # By training: its last epoch, or its state in a word.
        self.progress: dict[str, TrainingEpoch | str] = {}
        self.live = Live(console=console, get_renderable=self.draw_trainings, refresh_per_second=4, transient=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record of the project, and update the live table."""
        if not record.pathname.startswith(OUR_FOLDERS):
            return
        event: Progress | None = getattr(record, "progress", None)
        self.note_event(event)
        # The live table shows the epochs, so that they need no lines of their own.
        if not isinstance(event, TrainingEpoch) or not self.is_animated:
            style = "bold yellow" if record.levelno >= logging.WARNING else None
            clock = time.strftime("%H:%M:%S", time.localtime(record.created))
            self.console.print(f"{clock}  {record.getMessage()}", style=style, markup=False, highlight=False)

    def note_event(self, event: Progress | None) -> None:
        """Keep an event's training and state for the live table."""
        match event:
            case TrainingsPlanned():
                self.progress = dict.fromkeys(event.names, "waiting")
                if self.is_animated:
                    self.live.start()
            case TrainingEpoch():
                self.progress[event.training] = event
            case TrainingStarted():
                self.progress[event.training] = "starting"
            case TrainingDone():
                self.progress[event.training] = "done"
            case TrainingFailed():
                self.progress[event.training] = "failed"

    def draw_trainings(self) -> Table:
        """Return one line for each training: its bar, epoch, val_loss and time left."""
        table = Table.grid(padding=(0, 2))
        for training, progress in self.progress.items():
            if isinstance(progress, str):
                table.add_row(training, ProgressBar(1, progress == "done", width=24), progress, "", "")
            else:
                table.add_row(
                    training,
                    ProgressBar(progress.epochs, progress.figures.epoch, width=24),
                    f"epoch {progress.figures.epoch}/{progress.epochs}",
                    f"val_loss {progress.figures.val_loss:.4f}",
                    progress.time_left,
                )
        return table


@contextmanager
def show_log_at_terminal() -> Iterator[Console]:
    """Replace Prefect's console output by the project's log records, on standard error, in the block.

    Yields:
        The console that the records are printed on.
    """
    # COLUMNS=0 would make the console print nothing.
    width = max(NARROWEST, shutil.get_terminal_size().columns)
    handler = TerminalHandler(Console(stderr=True, soft_wrap=True, width=width))
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = [handler]
    # Prefect's threads would print what they could not send to its server. The command line says that in one line.
    logging.getLogger("prefect._internal").setLevel(logging.CRITICAL)
    try:
        yield handler.console
    finally:
        handler.live.stop()
        root.handlers[:] = before
        # Otherwise Prefect logs at exit that it stops its temporary server.
        logging.getLogger("prefect").setLevel(logging.WARNING)
