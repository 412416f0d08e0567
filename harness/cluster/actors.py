"""The actors on the nodes: each holds a model or sandboxes there, and does one piece of work after the other."""

import queue
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.models.engine import Embedder, Generated, Request, View
from harness.models.model import Model
from harness.models.registry import open_embedder
from harness.runs.provenance import cores
from sandbox import Job, Outcome, Sandbox, SandboxError, open_sandbox, try_sandbox
from sandbox.factory import SandboxKind

if TYPE_CHECKING:  # grading does without torch
    from harness.models.sampling import Confidence
    from harness.models.tokens import Tokens
    from harness.models.vectors import Vectors


@dataclass(frozen=True, slots=True)
class Reading:
    """An embedder by what it is made of."""

    spec: str
    layers: str
    poolings: str
    device: str
    scoring: bool  # also gives log-probabilities

    def open(self) -> Embedder:
        """Return the embedder. Raises QprobeError."""
        reader = open_embedder(self.spec, layers=self.layers, pooling=self.poolings, device=self.device)
        if not self.scoring:
            return reader
        from harness.models.hf.scoring_embedder import with_log_probabilities

        return with_log_probabilities(reader)


class EngineActor:
    """Draws completions."""

    REMEDY = "give every node the same files of the model"

    def __init__(self, model: Model, reading: Reading | None) -> None:
        """Read no weights yet. With `reading`, what that embedder reads is captured."""
        self._model, self._reading = model, reading

    def ready(self) -> dict[str, Any]:
        """Open the model, and return its identity and its caveat. Raises QprobeError."""
        self._engine = self._model.engine()
        if self._reading:
            self._engine.capture(self._reading.open())
        return {**self._engine.identity, "caveat": self._engine.caveat}

    def work(self, requests: Sequence[Request]) -> list[tuple[int, Generated]]:
        """Draw a block."""
        return list(self._engine.generate(requests))

    def close(self) -> None:
        """Nothing is left to end."""


class EmbedderActor:
    """Reads samples."""

    REMEDY = EngineActor.REMEDY

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def ready(self) -> dict[str, Any]:
        """Open the model, and return its identity and whether it shares prompts. Raises QprobeError."""
        self._embedder = self._reading.open()
        return {**self._embedder.identity, "shares_prompts": self._embedder.shares_prompts}

    def work(self, batch: "tuple[list[Tokens], Sequence[View]]") -> "tuple[Vectors, Sequence[Confidence]]":
        """Return the vectors of a batch, and its samples' confidences where the embedder scores."""
        vectors = self._embedder.embed(*batch)
        return vectors, getattr(self._embedder, "confidences", ())

    def close(self) -> None:
        """Nothing is left to end."""


@dataclass(frozen=True, slots=True)
class SandboxChoice:
    """The sandbox that every node opens."""

    kind: SandboxKind = "docker"
    workers: int | None = None  # on each node
    image: str | None = None
    runtime: str | None = None


def sandbox_trouble(choice: SandboxChoice) -> str:
    """Return why programs cannot run on this machine; "" where they can."""
    try:
        try_sandbox(choice.kind, choice.image, runtime=choice.runtime)
    except SandboxError as error:
        return str(error)
    return ""


class GraderActor:
    """Runs programs in its node's sandbox."""

    REMEDY = "name an image that all nodes have with --image"

    def __init__(self, choice: SandboxChoice, cpus: int, lanes: int) -> None:
        """Up to so many lists of jobs are worked on at a time, so that none waits for the slowest program of another.

        Without a number of workers there is one per CPU that Ray gives, where that is fewer than the node has.
        """
        workers = choice.workers or (cpus if cpus < cores() else None)
        self._choice, self._workers = choice, shares(workers, lanes)
        self._open = ExitStack()

    def ready(self) -> dict[str, Any]:
        """Open the sandboxes, and return their identity and image. Raises SandboxError."""
        self._open.close()
        self._free: queue.SimpleQueue[Sandbox] = queue.SimpleQueue()
        choice = self._choice
        for workers in self._workers:
            sandbox = open_sandbox(choice.kind, workers, choice.image, runtime=choice.runtime)
            self._free.put(opened := self._open.enter_context(sandbox))
        return {"identity": opened.identity, "image": getattr(opened, "image", "")}

    def work(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcomes of some jobs, in their order."""
        places, outcomes = {id(job): place for place, job in enumerate(jobs)}, dict[int, Outcome]()
        sandbox = self._free.get()
        try:
            for job, outcome in sandbox.run(jobs):
                outcomes[places[id(job)]] = outcome
        finally:
            self._free.put(sandbox)
        return [outcomes[place] for place in range(len(jobs))]

    def close(self) -> None:
        """End the sandboxes."""
        self._open.close()


def shares(workers: int | None, lanes: int) -> list[int | None]:
    """Return each lane's part of the workers, of lanes that have one; None where each has the default number."""
    if workers is None:
        return [None] * lanes
    return [part for lane in range(lanes) if (part := (workers + lane) // lanes)]
