"""Actors that do one kind of work on the nodes of a cluster, and the calls that are under way.

Ray places the actors, starts those again whose process has died, and reports those whose node has. What was under way
there is done again by whichever actor is free, so that no result is lost, and none counts twice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from harness.cluster.connection import PATIENCE_SECONDS, Node, load_ray, on_node
from harness.errors import QprobeError, SandboxError
from harness.progress import Progress

K = TypeVar("K")

ATTEMPTS = 4
"""The attempts at a piece of work whose worker is lost each time, before the run ends: it may be what kills them."""

RESTARTS = 20
"""The times that Ray starts an actor again whose process has died."""

AHEAD = 2
"""The calls that an actor has at once, so that it never waits for the driver; more would only fill its memory."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node and what an actor takes of it."""

    node: Node
    takes: Mapping[str, int]  # num_cpus or num_gpus
    arguments: tuple[Any, ...] = ()  # of the actor there


@dataclass(eq=False, slots=True)
class _Worker:
    actor: Any
    node: Node
    calls: int = 0


@dataclass(eq=False, slots=True)
class _Call(Generic[K]):
    key: K
    payload: Any
    losses: int = 0


class Workers:
    """Actors of a class that has `ready() -> facts`, `work(payload)`, `close()`, and a REMEDY for facts that differ."""

    def __init__(self, kind: type[Any], places: Sequence[Place], progress: Progress, concurrency: int = 1) -> None:
        """Ask Ray for an actor in every place, each of which does so many calls at a time."""
        self._ray, self._progress = load_ray(), progress
        self._ahead = AHEAD - 1 + concurrency
        remote = self._ray.remote(kind)
        options = {"max_restarts": RESTARTS, "max_concurrency": concurrency}
        workers = [
            _Worker(
                remote.options(**options, **place.takes, **on_node(place.node)).remote(*place.arguments), place.node
            )
            for place in places
        ]
        self._all, self._remedy = workers, kind.REMEDY
        self._starting = {worker.actor.ready.remote(): worker for worker in workers}
        self._working: list[_Worker] = []
        self._facts: Any = None
        self._trouble = ""

    def facts(self) -> Any:  # noqa: ANN401 - what the actor's class says
        """Return what the first actor that is ready says of itself. Raises QprobeError where none starts."""
        while not self._working:
            self._wait([])
        return self._facts

    def map(self, items: Iterable[tuple[K, Any]]) -> Iterator[tuple[K, Any]]:
        """Do the work of each item, and yield its key with the result, in any order.

        Items are drawn when an actor is free. Raises the error of work that fails, and QprobeError where no actor is
        left.
        """
        fresh = (_Call(key, payload) for key, payload in items)
        lost: list[_Call[K]] = []
        flying: dict[Any, tuple[_Call[K], _Worker]] = {}
        following = next(fresh, None)
        try:
            while following or flying:
                while following and (worker := self._free()):
                    flying[worker.actor.work.remote(following.payload)] = following, worker
                    worker.calls += 1
                    following = lost.pop() if lost else next(fresh, None)
                for reference in self._wait(list(flying)):
                    call, worker = flying.pop(reference)
                    worker.calls -= 1
                    try:
                        result = self._result(reference)
                    except _LostError as error:
                        self._lose(worker, call, error)
                        lost, following = [*lost, *([following] if following else [])], call
                    else:
                        yield call.key, result
        finally:
            for _, worker in flying.values():
                worker.calls -= 1

    def close(self, *, at_once: bool = False) -> None:
        """End all actors; they end their work first, unless `at_once`."""
        if not at_once:
            closing = [worker.actor.close.remote() for worker in self._working]
            if closing:
                self._ray.wait(closing, num_returns=len(closing), timeout=30)
        for worker in self._all:
            self._ray.kill(worker.actor)
        self._starting, self._working = {}, []

    def _free(self) -> _Worker | None:
        """Return the actor with the fewest calls, unless all have enough."""
        worker = min(self._working, key=lambda worker: worker.calls, default=None)
        return worker if worker and worker.calls < self._ahead else None

    def _wait(self, flying: list[Any]) -> list[Any]:
        """Wait until a call has ended, or an actor has started, and return the calls."""
        waiting = [*flying, *self._starting]
        if not waiting:
            raise QprobeError(f"No node of the Ray cluster is left that can do this. {self._trouble}".strip())
        ended, _ = self._ray.wait(waiting, num_returns=1, timeout=None if flying else PATIENCE_SECONDS)
        if not ended:
            needs = ", ".join(sorted({str(worker.node) for worker in self._starting.values()}))
            raise QprobeError(
                f"Nothing has started on {needs} in {PATIENCE_SECONDS:.0f} s: other work holds its CPUs or GPUs. Try "
                "again when ray status shows free ones."
            )
        calls = [reference for reference in ended if reference not in self._starting]
        for reference in ended:
            if worker := self._starting.pop(reference, None):
                self._start(reference, worker)
        return calls

    def _start(self, reference: Any, worker: _Worker) -> None:  # noqa: ANN401
        """Take in an actor that is ready, or leave it out."""
        try:
            facts = self._result(reference)
        except (_LostError, SandboxError) as error:
            self._trouble = f"On {worker.node}: {error}"
            self._progress.message(f"WARNING: {worker.node} is left out: {error}")
            return
        if self._facts is None:
            self._facts = facts
        if facts != self._facts:
            raise QprobeError(
                f"{str(worker.node).capitalize()} differs from the other nodes, so that its results would not compare: "
                f"{_difference(facts, self._facts)}; {self._remedy}."
            )
        self._working.append(worker)

    def _lose(self, worker: _Worker, call: _Call[K], error: "_LostError") -> None:
        """Take an actor out until it is ready again. Raises QprobeError for work that is lost each time."""
        call.losses += 1
        if worker in self._working:
            self._working.remove(worker)
            self._starting[worker.actor.ready.remote()] = worker
            self._progress.message(f"WARNING: lost a process on {worker.node}; its work is done again. {error}")
        if call.losses >= ATTEMPTS:
            raise QprobeError(f"The same work was lost {ATTEMPTS} times with the process that did it. {error}")

    def _result(self, reference: Any) -> Any:  # noqa: ANN401
        """Return a call's result, or raise the error that the actor raised; `_LostError` where the actor is gone."""
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, SandboxError):
                raise _LostError(str(cause)) from error
            raise cause if isinstance(cause, QprobeError) else error from None
        except exceptions.RayError as error:
            raise _LostError(_reason(error)) from error


class _LostError(Exception):
    """An actor, or its node, is gone, or its sandbox cannot be used."""


def _reason(error: BaseException) -> str:
    """One line of Ray's long story."""
    name = type(error).__name__
    return {
        "ActorUnavailableError": "The process or its node has died.",
        "ActorDiedError": "The process or its node has died.",
        "ActorUnschedulableError": "The node has died.",
        "OutOfMemoryError": "The node's memory was full.",
    }.get(name, f"{name}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason given'}")


def _difference(one: object, other: object) -> str:
    """Name what differs between two dictionaries, or show both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [str(name) for name in one if one[name] != other.get(name)]
        return ", ".join(f"{name} is {one[name]!s:.80} and not {other.get(name)!s:.80}" for name in names)
    return f"{one!s:.80} and not {other!s:.80}"
