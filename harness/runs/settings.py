"""The settings of a run, typed: what the stages wrote down, and what later stages hold to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.pairs.pair import PAIRS
from harness.errors import QprobeError
from harness.models.engine import View
from harness.runs.verdict_sets import VerdictSet

VIEW, SHARD = "view ", "shard "
"""Before the key of an embedding or of a shard, in the store."""

SCORER = "log-probabilities of"
"""The setting that names the model whose log-probabilities the samples have, where it did not write them."""


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of a run's samples: a model, or a file."""

    model: str = ""
    file: str = ""
    sha256: str = ""  # of the file
    complete: bool = True  # False where rows of the file were left out, so that a corrected file may replace it

    @property
    def name(self) -> str:
        """The model's or the file's name."""
        return self.model or self.file


@dataclass(frozen=True, slots=True)
class Scorer:
    """The model that read the samples for their log-probabilities."""

    model: str  # as the user named it; "" in a run of an earlier version
    fingerprint: str  # of its weights


@dataclass(frozen=True, slots=True)
class Embedding:
    """One embedding of the samples."""

    embedder: str  # the model as the user named it
    fingerprint: str  # changes with the model's weights; "" where it is not known
    identity: Mapping[str, Any]  # all that a vector depends on besides its view
    views: tuple[View, ...]
    shards: tuple[str, ...] | None  # keys; None where an earlier version made them


@dataclass(frozen=True, slots=True)
class GeneratedTests:
    """Tests that a model wrote, on which the programs were run."""

    file: str
    sha256: str  # of the file
    digest: str  # of the tests that were taken from it
    texts: float  # completions with tests per problem
    weights: Mapping[str, Sequence[int]]  # by problem: how many completions have each test

    def verdicts(self, grader: str) -> str:
        """The name under which the store keeps the answers to these tests, beside a grader's verdicts."""
        return f"{VerdictSet.GENERATED_TESTS.key(grader)} {self.digest}"

    def as_json(self) -> dict[str, Any]:
        """Return the fields as the store keeps them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings that the stages of a run wrote down; "" or None where the stage has not run."""

    benchmark: str = ""
    errata: str = ""  # the corrections to the benchmark, with their digest
    prompt: str = ""
    stop: tuple[str, ...] | None = None  # the prompt's stop strings, where it has its own
    benchmark_problems: int = 0  # problems of the splits that the samples are of; 0 where it is not known
    generation: Mapping[str, Any] = field(default_factory=dict)
    block: int = 0  # samples that are drawn and kept together, about; 0 where each is kept as it comes
    k: int | None = None  # samples per problem that generation is to draw
    source: Source | None = None
    grading: str | None = None  # the grader of a grading that has begun
    grader: str | None = None  # of the last grading that has ended
    generated_tests: GeneratedTests | None = None  # the last ones
    scorer: Scorer | None = None  # None where the log-probabilities are of the model that wrote the samples
    view: str | None = None  # key of the last embedding
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)  # by key
    shards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by key: embedder, views, width, precision

    @property
    def log_probabilities_of(self) -> str:
        """The fingerprint of the model whose log-probabilities the samples have; "" where it is not known."""
        return self.scorer.fingerprint if self.scorer else str(self.generation.get("fingerprint", ""))

    @property
    def shown_grader(self) -> str | None:
        """The grader whose verdicts are shown: of the last grading that has ended, else of the one that has begun."""
        return self.grader or self.grading

    def require_grader(self, folder: object) -> str:
        """Return the grader. Raises QprobeError where the run has no verdicts."""
        if self.grader is None and self.benchmark.startswith(PAIRS):
            raise QprobeError(f"{folder} holds replies, which nothing grades: compare them with qprobe win-rate.")
        if self.grader is None:
            raise QprobeError(f"{folder} has no verdicts: run qprobe grade {folder} first.")
        return self.grader

    def require_embedding(self, folder: object) -> Embedding:
        """Return the last embedding. Raises QprobeError where the run has no vectors."""
        if self.view is None:
            raise QprobeError(f"{folder} has no vectors: run qprobe embed {folder} first.")
        return self.embeddings[self.view]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "RunSettings":
        """Return the settings as the store holds them by name. Raises ValueError for those of no run."""
        stop = stored.get("stop")
        about = cls(
            benchmark=stored.get("benchmark", ""),
            errata=stored.get("errata", ""),
            prompt=stored.get("prompt", ""),
            stop=None if stop is None else tuple(stop),
            benchmark_problems=stored.get("benchmark_problems", 0),
            generation=stored.get("generation", {}),
            block=stored.get("block", 0),
            k=stored.get("k"),
            source=Source(**stored["source"]) if "source" in stored else None,
            grading=stored.get("grading"),
            grader=stored.get("grader"),
            generated_tests=GeneratedTests(**stored["generated_tests"]) if "generated_tests" in stored else None,
            scorer=_scorer(stored[SCORER]) if SCORER in stored else None,
            view=stored.get("view"),
            embeddings={key: _embedding(value) for key, value in _with_prefix(stored, VIEW)},
            shards=dict(_with_prefix(stored, SHARD)),
        )
        about._check()
        return about

    def _check(self) -> None:
        """Raise ValueError where a name is no text, or vectors are named that the run has not described."""
        for name in ("benchmark", "errata", "grading", "grader", "view"):
            if not isinstance(getattr(self, name), str | None):
                raise ValueError(f"the setting {name!r} is no text")
        if self.view is not None and self.view not in self.embeddings:
            raise ValueError(f"it describes no vectors {self.view!r}")
        for embedding in self.embeddings.values():
            if lacking := [key for key in embedding.shards or () if key not in self.shards]:
                raise ValueError(f"it describes no vectors {lacking[0]!r}")


def _with_prefix(stored: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    return [(name.removeprefix(prefix), value) for name, value in stored.items() if name.startswith(prefix)]


def _scorer(value: Any) -> Scorer:  # noqa: ANN401 - as JSON gives it
    """Return the scorer that a run notes; the fingerprint alone is what an earlier version noted."""
    return Scorer(str(value["model"]), str(value["fingerprint"])) if isinstance(value, dict) else Scorer("", str(value))


def _embedding(value: Mapping[str, Any]) -> Embedding:
    about = {name: part for name, part in value.items() if name not in ("embedder", "views", "shards")}
    views = tuple(View(*view) for view in value["views"])
    shards = tuple(value["shards"]) if "shards" in value else None
    return Embedding(value["embedder"], str(value.get("fingerprint", "")), about, views, shards)


def difference(folder: Path, name: str, stored: object, value: object) -> str:
    """Return what a run's setting is, and what another command wants it to be."""
    if isinstance(stored, dict) and isinstance(value, dict):
        keys = [key for key in {**stored, **value} if stored.get(key) != value.get(key)]
        stored, value = ({key: side.get(key) for key in keys} for side in (stored, value))
    return (
        f"{folder} was made with {name} {json.dumps(stored)}, not {json.dumps(value)}. "
        "Give the same settings, or use another run folder."
    )
