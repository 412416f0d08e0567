"""Progress in a terminal. Progress goes to standard error, results to standard output."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from harness.commands.log import log
from harness.progress import Advance


class RateColumn(ProgressColumn):
    """Items per second, over the last seconds."""

    def render(self, task: Task) -> Text:
        """Return the rate; nothing before the first item."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s", style="progress.data.speed")


class Terminal:
    """The two consoles of a command."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.out = Console()
        self.err = Console(stderr=True, quiet=quiet)

    def message(self, text: str) -> None:
        """Print one line about what is being done; silent with -q."""
        log.info("%s", text)
        self.err.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Advance]:
        """Draw a bar with rate and remaining time on a terminal, nothing elsewhere; `done` of `total` are finished."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.err, disable=not self.err.is_terminal or self.err.quiet) as bar:
            item = bar.add_task(title, total=total, completed=done, note="")

            def advance(count: int = 1, note: str = "", more: int = 0) -> None:
                previous = bar.tasks[item].total or 0
                bar.update(item, advance=count, note=note, total=previous + more)

            yield advance
