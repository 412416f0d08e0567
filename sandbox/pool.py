"""The pool: several guests at work on one stream of jobs, each replaced when it fails.

One thread per guest. The caller's thread alone draws from the iterable of jobs, so that it may be anything.
"""

import contextlib
import itertools
import os
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from sandbox.backend import Backend, GuestError
from sandbox.concurrency import ConcurrencyGate
from sandbox.connection import GuestConnection
from sandbox.job import Job, Outcome, SandboxError, Status

ATTEMPTS = 5
"""The attempts at a job whose guest is lost each time, before it is reported as BROKEN.

Guests are lost for other reasons too: with three attempts, two of 2,000 programs were called BROKEN while fifty
containers were killed.
"""

_AHEAD = 6
"""Jobs that a guest has at once, so that it never waits for the host."""

_RELIEF = 6
"""Guests beyond one per processor: so many programs may sleep at once before a processor stands still."""

_PATIENCE_SECONDS = 120.0
"""An engine may fail to start guests for so long (restarting, say) before the run is given up."""


@dataclass(eq=False)
class _Task:
    job: Job
    failures: int = 0
    suspect: bool = False  # was at hand when a guest was lost: it runs alone, so that the next loss has one cause


_End = None


@dataclass(eq=False)
class _Run:
    """The queues of one call of `run`."""

    turns: ConcurrencyGate
    todo: "queue.SimpleQueue[_Task | None]" = field(default_factory=queue.SimpleQueue)
    done: "queue.SimpleQueue[tuple[Job, Outcome] | BaseException]" = field(default_factory=queue.SimpleQueue)
    stopping: threading.Event = field(default_factory=threading.Event)


class Pool:
    """A Sandbox over any backend."""

    def __init__(self, backend: Backend, workers: int | None = None) -> None:
        """`workers` guests at once.

        By default one for each processor, and some more that work while those wait for slow programs.
        """
        self._backend = backend
        self._width = workers or _processors()
        self._workers = workers or self._width + _RELIEF
        self._idle: list[GuestConnection] = []
        self._lock = threading.Lock()
        self._lines: set[GuestConnection] = set()
        self._starting: set[int] = set()

    @property
    def identity(self) -> str:
        """See `Sandbox.identity`."""
        return self._backend.identity

    @property
    def image(self) -> str:
        """The digest of the image that programs run in, once open; "" without an image."""
        return self._backend.image

    def __enter__(self) -> Self:
        self._backend.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lines = list(self._lines)
        with ThreadPoolExecutor(max(1, len(lines))) as threads:  # an engine takes a while to remove a container
            list(threads.map(self.drop, lines))
        self._idle.clear()
        self._backend.close()

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        """See `Sandbox.run`."""
        run = _Run(ConcurrencyGate(self._width))
        threads: list[threading.Thread] = []
        pending = 0
        try:
            for job in jobs:
                run.todo.put(_Task(job))
                pending += 1
                if len(threads) < min(pending, self._workers):
                    threads.append(self._hire(run))
                while pending >= self._workers * (_AHEAD + 1) or (pending and not run.done.empty()):
                    yield _take(run)
                    pending -= 1
            while pending:
                yield _take(run)
                pending -= 1
        finally:
            self._dismiss(run, threads)

    def _hire(self, run: _Run) -> threading.Thread:
        worker = _Worker(self, run)
        thread = threading.Thread(target=worker.work, name="sandbox", daemon=True)
        thread.start()
        return thread

    def _dismiss(self, run: _Run, threads: list[threading.Thread]) -> None:
        run.stopping.set()
        run.turns.close()
        for _ in threads:
            run.todo.put(_End)
        with self._lock:
            busy = [line for line in self._lines if line.waiting]
        for line in busy:
            self.drop(line)
        for thread in threads:
            thread.join()

    def ahead(self, run: _Run) -> int:
        """The jobs that a guest should have at once: fewer near the end, where none should wait behind a stuck one."""
        return _AHEAD if run.todo.qsize() >= self._workers else 1

    def take_line(self) -> GuestConnection:
        """An idle guest, or a new one. Raises GuestError."""
        with self._lock:
            if self._idle:
                line = min(self._idle, key=lambda line: line.place)
                self._idle.remove(line)
                return line
            place = self._free_place()
            self._starting.add(place)
        try:
            return self._start_line(place)
        finally:
            with self._lock:
                self._starting.discard(place)

    def _free_place(self) -> int:
        taken = self._starting | {line.place for line in self._lines}
        return next(place for place in itertools.count() if place not in taken)

    def _start_line(self, place: int) -> GuestConnection:
        # The first guests have a processor each; the others run on any.
        guest = self._backend.start(place if place < self._width else None)
        try:
            line = GuestConnection(guest, place)
        except BaseException:
            guest.stop()
            raise
        with self._lock:
            self._lines.add(line)
        return line

    def give_back(self, line: GuestConnection) -> None:
        """Keep a guest that has nothing to do."""
        line.proven = False
        with self._lock:
            self._idle.append(line)

    def drop(self, line: GuestConnection) -> None:
        """End a guest."""
        with self._lock:
            self._lines.discard(line)
        line.stop()


class _Worker:
    """Feeds one guest at a time."""

    def __init__(self, pool: Pool, run: _Run) -> None:
        self._pool = pool
        self._run = run
        self._turns = run.turns
        self._at_hand: list[_Task] = []
        self._line: GuestConnection | None = None
        self._slow = False
        self._was_slow = False

    def work(self) -> None:
        try:
            while self._turns.take():
                self._use_turn()
                self._turns.give_back()
        except BaseException as error:  # noqa: BLE001 - the pool's edge: the caller's thread raises it
            self._run.done.put(error)
        finally:
            if self._line is not None:
                self._part_with(self._line)

    def _use_turn(self) -> None:
        """Work until there is nothing to do any more, or others have a better right to it."""
        while not self._run.stopping.is_set():
            try:
                if not self._step():
                    return
            except GuestError as error:
                self._recover(error)

    def _step(self) -> bool:
        """Send what can be sent and wait for one outcome. Returns whether there may be more to do."""
        fresh = self._take_tasks()
        if not self._at_hand:
            return False
        if fresh:
            self._guest_line().send([task.job for task in fresh])
        try:
            result = self._guest_line().receive(self._still_running, self._take_back)
        finally:
            self._was_slow = self._slow
            if self._slow:
                self._slow = False
                self._turns.resume()
        self._at_hand.pop(0)
        self._run.done.put(result)
        if self._line is not None and self._line.retired:
            self._replace_line()
        return True

    def _replace_line(self) -> None:
        """Part with a guest that takes no more jobs. Those behind its last were not begun."""
        if self._line is not None:
            self._pool.drop(self._line)
            self._line = None
        tasks, self._at_hand = self._at_hand, []
        for task in tasks:
            self._run.todo.put(task)

    def _still_running(self) -> None:
        if not self._slow:
            self._slow = True
            self._turns.wait_for_slow_program()

    def _take_back(self) -> None:
        """Let other guests have the task behind a slow one. Its guest has not begun it."""
        self._run.todo.put(self._at_hand.pop(1))

    def _take_tasks(self) -> list[_Task]:
        """Put more tasks at hand, and return those. A suspect is at hand alone."""
        fresh: list[_Task] = []
        # Behind a slow program the next is often slow too (another sample of its problem), and would return the rest.
        wanted = 1 if self._was_slow else self._pool.ahead(self._run)
        if self._turns.too_many() or len(self._at_hand) > wanted // 2:  # several at once: every message costs
            return fresh
        while len(self._at_hand) < wanted and not any(task.suspect for task in self._at_hand):
            task = self._next_task()
            if task is _End:
                break
            if task.suspect and self._at_hand:
                self._run.todo.put(task)
                break
            self._at_hand.append(task)
            fresh.append(task)
        return fresh

    def _next_task(self) -> _Task | None:
        """The next task; None where none waits and something is at hand, or where the run is over."""
        try:
            return self._run.todo.get(block=not self._at_hand)
        except queue.Empty:
            return None

    def _guest_line(self) -> GuestConnection:
        if self._line is None:
            self._line = self._start()
        return self._line

    def _start(self) -> GuestConnection:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        pause = 0.1
        while True:
            try:
                return self._pool.take_line()
            except GuestError as error:
                if time.monotonic() > deadline or self._run.stopping.is_set():
                    raise SandboxError(f"No sandbox can be started any more: {error}.") from error
            self._run.stopping.wait(pause)
            pause = min(pause * 2, 5.0)

    def _recover(self, error: GuestError) -> None:
        """Replace a lost guest. The job it was at is suspect; those behind it were not begun."""
        blamed = self._line is not None and self._line.proven  # it may have died long ago, idle
        if self._line is not None:
            self._pool.drop(self._line)
            self._line = None
        if self._run.stopping.is_set():
            return
        tasks, self._at_hand = self._at_hand, []
        for place, task in enumerate(tasks):
            task.failures += blamed and place == 0
            task.suspect = True
            if task.failures >= ATTEMPTS:
                detail = f"the sandbox failed {ATTEMPTS} times with this program: {error}"
                self._run.done.put((task.job, Outcome(Status.BROKEN, detail, mode=task.job.mode)))
            else:
                self._run.todo.put(task)

    def _part_with(self, line: GuestConnection) -> None:
        if line.waiting:
            self._pool.drop(line)
        else:
            self._pool.give_back(line)


def _take(run: _Run) -> tuple[Job, Outcome]:
    result = run.done.get()
    if isinstance(result, BaseException):
        raise result
    return result


def _processors() -> int:
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
