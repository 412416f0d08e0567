"""Progress: the interface by which a stage reports its work; the command line draws it, the library shows nothing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Moves one task's bar forward."""

    def __call__(self, count: int = 1, note: str = "", more: int = 0) -> None:
        """Add `count` finished items, replace the text behind the bar, and add `more` items to the total."""
        ...


class Progress(Protocol):
    """The receiver of a stage's messages and tasks."""

    def message(self, text: str) -> None:
        """Report one line about what is being done."""
        ...

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Advance]:
        """Open a task of `total` items, `done` of which are finished already."""
        ...


class Silent:
    """Progress that shows nothing."""

    def message(self, text: str) -> None:
        """Ignore the line."""

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Advance]:
        """Ignore all advances."""
        yield ignore


def ignore(count: int = 1, note: str = "", more: int = 0) -> None:
    """An Advance that shows nothing."""


SILENT = Silent()
"""The default of every stage."""


class Combined:
    """Progress whose tasks all add to one that is open already."""

    def __init__(self, progress: Progress, advance: Advance) -> None:
        self._progress, self._advance = progress, advance

    def message(self, text: str) -> None:
        """Report the line as before."""
        self._progress.message(text)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Advance]:
        """Add the items to the open task."""
        self._advance(done, more=total)
        yield self._advance


@contextmanager
def one_task(progress: Progress, title: str) -> Iterator[Progress]:
    """Open one task, and yield a Progress whose tasks all add to it."""
    with progress.task(title, 0) as advance:
        yield Combined(progress, advance)
