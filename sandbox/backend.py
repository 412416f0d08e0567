"""The interface between pool and backends: guests that can be started, talked to, and stopped."""

from typing import Protocol


class GuestError(Exception):
    """A guest, or the way to it, has failed. Its jobs must run elsewhere."""


class Guest(Protocol):
    """One running supervisor, at the end of a stream of bytes."""

    def write(self, data: bytes) -> None:
        """Send bytes. Raises GuestError."""
        ...

    def read_exact(self, size: int, timeout: float) -> bytes:
        """Wait for `size` bytes, at most `timeout` seconds for each part of them. Raises GuestError."""
        ...

    def stop(self) -> None:
        """End it and everything in it, at once. Never raises; may be called twice and from another thread."""
        ...


class Backend(Protocol):
    """Makes guests. All of its methods may be called from several threads."""

    @property
    def identity(self) -> str:
        """Changes whenever a verdict might."""
        ...

    @property
    def image(self) -> str:
        """The digest of the image that guests are made of, once open; "" without an image."""
        ...

    def is_ready(self) -> bool:
        """Return whether `open` has nothing to fetch or to make. Raises SandboxError where it would fail."""
        ...

    def open(self) -> None:
        """The slow work that is common to all guests. Raises SandboxError."""
        ...

    def start(self, place: int | None) -> Guest:
        """Start one guest, on one processor where it has a place. Raises GuestError.

        SandboxError where nothing else can help.
        """
        ...

    def close(self) -> None:
        """Give back what `open` took. Never raises."""
        ...
