"""The supervisor's way to the host: results wait for company while more jobs wait, since every write costs a hop."""

import select

from . import wire

_TOGETHER = 3


class Outbox:
    """Buffers frames for a short while. DETAIL frames of the examiner go past it."""

    def __init__(self, inlet: int, outlet: int) -> None:
        """Frames go to `outlet`; jobs that wait at `inlet` mean that the host is in no hurry."""
        self._inlet = inlet
        self._outlet = outlet
        self._frames: list[bytes] = []

    def put(self, frame: bytes) -> None:
        """Send a frame, now or with the next."""
        self._frames.append(frame)
        if len(self._frames) >= _TOGETHER or not select.select([self._inlet], [], [], 0)[0]:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._frames:
            wire.write_all(self._outlet, b"".join(self._frames))
            self._frames.clear()
