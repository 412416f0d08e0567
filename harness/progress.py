"""Progress: how a stage tells its caller what it does; the command line draws it, the library is silent by default."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Moves one task's bar forward."""

    def __call__(self, count: int = 1, note: str = "", more: int = 0) -> None:
        """Add `count` finished items, replace the text behind the bar, and add `more` items to the total."""
        ...


class Progress(Protocol):
    """What stages report to."""

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
        yield _ignore


def _ignore(count: int = 1, note: str = "", more: int = 0) -> None:
    pass


SILENT = Silent()
"""The default of every stage."""
