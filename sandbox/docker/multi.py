"""Several engines as one: guests are started on each in turn, and on the others while one does not answer."""

import itertools
from collections.abc import Sequence

from sandbox.backend import Backend, Guest, GuestError


class MultiBackend:
    """A backend made of others."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        """Use all of `backends`."""
        self._backends = backends
        self._turns = itertools.count()

    @property
    def identity(self) -> str:
        """All that may change a verdict, whichever engine gives it."""
        return "+".join(sorted({backend.identity for backend in self._backends}))

    @property
    def image(self) -> str:
        """The images of all engines."""
        return " ".join(sorted({backend.image for backend in self._backends}))

    def is_ready(self) -> bool:
        """Return whether all are. Raises SandboxError where one cannot be opened."""
        ready = [backend.is_ready() for backend in self._backends]
        return all(ready)

    def open(self) -> None:
        """Open all of them. Raises SandboxError where one cannot be opened."""
        for backend in self._backends:
            backend.open()

    def start(self, place: int | None) -> Guest:
        """Start a guest on the next engine that can. Raises GuestError."""
        first = next(self._turns)
        error = GuestError("there is no engine")
        for nth in range(len(self._backends)):
            try:
                return self._backends[(first + nth) % len(self._backends)].start(place)
            except GuestError as failure:
                error = failure
        raise error

    def close(self) -> None:
        """Close all of them."""
        for backend in self._backends:
            backend.close()
