"""Who watches the training of probes: told how many are to be trained and when one is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[int, int], None]
"""watch(wanted, done): so many more probes are to be trained, so many more are."""

_watch: ContextVar[Watch] = ContextVar("watch", default=lambda wanted, done: None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Have `watch` called for every training within: each round is announced as it begins."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def tell(*, wanted: int = 0, done: int = 0) -> None:
    """Tell whoever watches."""
    _watch.get()(wanted, done)
