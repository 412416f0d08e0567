"""The engine, the embedder and the sandbox of this machine's interfaces whose work is done on a cluster's nodes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from harness.cluster.actors import EmbedderActor, EngineActor, GraderActor, Reading, SandboxChoice, sandbox_trouble
from harness.cluster.connection import Node, ask, check_versions, joined
from harness.cluster.workers import Place, Workers
from harness.errors import QprobeError, SandboxError
from harness.models.engine import Embedder, Engine, Generated, Request, View
from harness.models.model import Model
from harness.models.registry import ENGINES
from harness.models.spec import in_home, parse_spec
from harness.models.tokens import Text, Tokens
from harness.progress import Progress
from sandbox import Job, Outcome

if TYPE_CHECKING:
    from harness.models.sampling import Confidence
    from harness.models.vectors import Vectors

K = TypeVar("K")

LANES = 2
"""The lists of jobs that a node works on at a time."""

JOBS_PER_CPU = 32
"""The programs that a node gets at once, for each CPU of the smallest: a second or so of work."""

DEVICES = ("auto", "cpu", "cuda")
"""Values of --device with --ray: which GPU it is, Ray decides."""


class Cluster:
    """The nodes of a Ray cluster that this process has joined."""

    def __init__(self, nodes: Sequence[Node], progress: Progress) -> None:
        self.nodes, self._progress = nodes, progress

    @property
    def gpus(self) -> int:
        """The GPUs that Ray has to give."""
        return sum(node.gpus for node in self.nodes)

    def check_device(self, device: str) -> None:
        """Raise QprobeError for a device that models cannot have on the cluster."""
        if device not in DEVICES:
            raise QprobeError(
                f"--device {device} with --ray: choose from {', '.join(DEVICES)}; Ray gives out the GPUs."
            )
        if device == "cuda" and not self.gpus:
            raise QprobeError(
                "--device cuda: no node of the Ray cluster has a GPU; start it with ray start --num-gpus."
            )

    def check_sandbox(self, choice: SandboxChoice) -> None:
        """Raise SandboxError where no node can run programs. Those that cannot are left out when they are graded."""
        troubles = list(ask([node for node in self.nodes if node.cpus], partial(sandbox_trouble, choice)).values())
        if all(troubles):
            why = troubles[0] if troubles else "None has CPUs to give."
            raise SandboxError(f"No node of the Ray cluster can run programs. {why}")

    def engine(self, model: Model, reader: Embedder | None) -> "ClusterEngine":
        """Return the engine of a model that is drawn from on the nodes, with what `reader` reads captured."""
        moved = replace(model, spec=anywhere(model.spec), adapter=model.adapter and str(Path(model.adapter).absolute()))
        here = model.here.engine()
        reading = reading_of(reader, model.device) if reader and here.capture(reader) else None
        places = self._model_places(model.name, model.device, (moved, reading))
        return ClusterEngine(here, EngineActor, places, self._progress)

    def embedder(self, embedder: Embedder, device: str) -> "ClusterEmbedder":
        """Return an embedder that reads on the nodes, with those devices, as the given one does here."""
        places = self._model_places(embedder.name, device, (reading_of(embedder, device),))
        return ClusterEmbedder(embedder, EmbedderActor, places, self._progress)

    def sandbox(self, choice: SandboxChoice) -> "ClusterSandbox":
        """Return a sandbox whose programs run on every node that can run them."""
        places = [
            Place(node, {"num_cpus": min(node.cpus, choice.workers or node.cpus)}, (choice, node.cpus, LANES))
            for node in self.nodes
            if node.cpus
        ]
        return ClusterSandbox(GraderActor, places, self._progress, LANES)

    def _model_places(self, name: str, device: str, arguments: tuple[Any, ...]) -> list[Place]:
        """Return the places of actors with a model: one for each GPU, or, without GPUs, one for each node."""
        self.check_device(device)
        if device == "cpu" or not self.gpus:
            return [Place(node, {"num_cpus": node.cpus}, arguments) for node in self.nodes if node.cpus]
        options = parse_spec(name, tuple(ENGINES)).options
        each = int(options.get("tensor_parallel_size", "1"))
        places = []
        for node in self.nodes:
            takes = max(1, node.gpus) if "device_map" in options else each
            places += [Place(node, {"num_cpus": 1, "num_gpus": takes}, arguments)] * (node.gpus // takes)
        return places


@contextmanager
def open_cluster(address: str, progress: Progress) -> Iterator[Cluster]:
    """Join a Ray cluster, and leave it at the end of the block. Raises QprobeError.

    `auto` is the cluster of RAY_ADDRESS or of this machine, else one that is started, and ends with the block.
    """
    with joined(address) as all_nodes:
        nodes = check_versions(all_nodes)
        cluster = Cluster(nodes, progress)
        cpus = sum(node.cpus for node in nodes)
        progress.message(f"Ray cluster: {len(nodes)} nodes, {cpus} CPUs, {cluster.gpus} GPUs.")
        yield cluster


def anywhere(spec: str) -> str:
    """Return a model's name with absolute paths, since actors have another working folder."""
    parsed = parse_spec(spec, tuple(ENGINES))
    options = {
        **parsed.options,
        **({"adapter": _path(parsed.options["adapter"])} if "adapter" in parsed.options else {}),
    }
    return f"{parsed.scheme}:{_path(parsed.name)}" + "".join(f",{key}={value}" for key, value in options.items())


def _path(name: str) -> str:
    path = Path(in_home(name))
    return str(path.absolute()) if path.exists() else name


def reading_of(embedder: Embedder, device: str) -> Reading:
    """Return what makes an embedder of the same views elsewhere."""
    layers = ",".join(dict.fromkeys(str(view.layer) for view in embedder.views))
    poolings = ",".join(dict.fromkeys(view.pooling for view in embedder.views))
    return Reading(anywhere(embedder.name), layers, poolings, device, hasattr(embedder, "confidences"))


class _Part:
    """A model or a sandbox on the nodes; its actors are made when something is asked of them."""

    def __init__(self, kind: type[Any], places: Sequence[Place], progress: Progress, concurrency: int = 1) -> None:
        if not places:
            raise QprobeError("No node of the Ray cluster has CPUs to give: start some with ray start --num-cpus.")
        self._kind, self._places, self._progress, self._concurrency = kind, places, progress, concurrency
        self._made: Workers | None = None

    @property
    def _workers(self) -> Workers:
        if self._made is None:
            self._made = Workers(self._kind, self._places, self._progress, self._concurrency)
        return self._made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the actors; at once where something has failed."""
        if self._made is not None:
            self._made.close(at_once=kind is not None)
            self._made = None


class _ModelPart(_Part):
    """A model on the nodes, with the one of this machine, where no weights are read."""

    def __init__(self, here: Engine | Embedder, kind: type[Any], places: Sequence[Place], progress: Progress) -> None:
        super().__init__(kind, places, progress)
        self._here = here

    @property
    def name(self) -> str:
        """See `Engine.name` and `Embedder.name`."""
        return self._here.name

    @property
    def identity(self) -> dict[str, Any]:
        """See `Engine.identity` and `Embedder.identity`."""
        return self._here.identity

    def _fact(self, name: str) -> Any:  # noqa: ANN401 - what the actors say
        """Return what the actors say beside the model's identity. Raises QprobeError where they have another model."""
        facts = dict(self._workers.facts())
        fact = facts.pop(name)
        if facts != self.identity:
            raise QprobeError(
                f"The nodes of the Ray cluster have another {self.name} than this machine: {EngineActor.REMEDY}."
            )
        return fact


class ClusterEngine(_ModelPart):
    """An Engine that draws several blocks at a time. Prompts are made and checked here, where no weights are read."""

    _here: Engine

    @property
    def caveat(self) -> str:
        """See `Engine.caveat`; that of the nodes' devices. Raises QprobeError where the nodes have another model."""
        return str(self._fact("caveat"))

    def prompt_text(self, request: Request) -> str:
        """See `Engine.prompt_text`."""
        return self._here.prompt_text(request)

    def check(self, requests: Sequence[Request]) -> None:
        """See `Engine.check`."""
        self._here.check(requests)

    def capture(self, embedder: Embedder) -> bool:
        """See `Engine.capture`: the actors were told already."""
        return self._here.capture(embedder)

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        """See `Engine.generate`: one block."""
        for _, drawn in self.generate_blocks([(None, requests)]):
            yield from drawn

    def generate_blocks(
        self, blocks: Iterable[tuple[K, Sequence[Request]]]
    ) -> Iterator[tuple[K, Sequence[tuple[int, Generated]]]]:
        """See `BlockEngine.generate_blocks`."""
        yield from self._workers.map(blocks)


class ClusterEmbedder(_ModelPart):
    """An Embedder that reads several batches at a time. Texts are tokenised here, where no weights are read."""

    _here: Embedder
    confidences: "Sequence[Confidence]" = ()
    """Of each sample of the last batch, where the embedder scores."""

    @property
    def views(self) -> tuple[View, ...]:
        """See `Embedder.views`."""
        return self._here.views

    @property
    def width(self) -> int:
        """See `Embedder.width`."""
        return self._here.width

    @property
    def shares_prompts(self) -> bool:
        """See `Embedder.shares_prompts`. Raises QprobeError where the nodes have another model."""
        return bool(self._fact("shares_prompts"))

    def tokenise(self, text: Text) -> Tokens:
        """See `Embedder.tokenise`."""
        return self._here.tokenise(text)

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> "Vectors":
        """See `Embedder.embed`."""
        ((_, vectors),) = self.embed_batches([(None, samples)], views)
        return vectors

    def embed_batches(
        self, batches: Iterable[tuple[K, Sequence[Tokens]]], views: Sequence[View]
    ) -> Iterator[tuple[K, "Vectors"]]:
        """See `BatchEmbedder.embed_batches`."""
        work = ((key, (list(samples), views)) for key, samples in batches)
        for key, (vectors, confidences) in self._workers.map(work):
            self.confidences = confidences
            yield key, vectors


class ClusterSandbox(_Part):
    """A Sandbox whose programs run on every node that can run them."""

    @property
    def identity(self) -> str:
        """See `Sandbox.identity`: that of every node."""
        return str(self._workers.facts()["identity"])

    @property
    def image(self) -> str:
        """The image of all nodes."""
        return str(self._workers.facts()["image"])

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        """See `Sandbox.run`."""
        for some, outcomes in self._workers.map((list_, list_) for list_ in self._lists(iter(jobs))):
            yield from zip(some, outcomes, strict=True)

    def _lists(self, jobs: Iterator[Job]) -> Iterator[list[Job]]:
        size = JOBS_PER_CPU * min(place.takes["num_cpus"] for place in self._places)
        while some := list(islice(jobs, size)):
            yield some
