"""Admission to the processors: one guest per processor works, and one more for each that waits for a slow program.

More at once would only push each other's memory out of the caches; fewer would stand still behind a program that
sleeps.
"""

import threading


class ConcurrencyGate:
    """Admits workers. All methods may be called from any thread."""

    def __init__(self, width: int) -> None:
        """At most `width` workers have a turn, those that wait for a slow program not counted."""
        self._width = width
        self._taken = 0
        self._slow = 0
        self._closed = False
        self._changed = threading.Condition()

    def take(self) -> bool:
        """Wait for a turn. Returns False once the gate is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._taken < self._width + self._slow)
            self._taken += not self._closed
            return not self._closed

    def give_back(self) -> None:
        """End this worker's turn."""
        with self._changed:
            self._taken -= 1
            self._changed.notify()

    def too_many(self) -> bool:
        """Return whether a turn should be given back, since a slow program has ended."""
        return self._taken > self._width + self._slow

    def wait_for_slow_program(self) -> None:
        """Report that this worker's program is slow, so that another worker is admitted meanwhile."""
        with self._changed:
            self._slow += 1
            self._changed.notify()

    def resume(self) -> None:
        """Report that the slow program has ended."""
        with self._changed:
            self._slow -= 1

    def close(self) -> None:
        """Refuse all turns from now on, also to workers that wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
