"""Before a model is loaded: everything that can fail cheaply is made to fail now."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.registry import open_benchmark
from harness.errors import QprobeError
from harness.probes.registry import find_objective
from harness.runs.store import Store
from harness.stages.generate import plan
from sandbox import SandboxError, check_engine
from sandbox.factory import SandboxKind

BYTES_PER_SAMPLE = 8192
"""Disk for one sample's text and verdict, generously."""

FEWEST_PROBLEMS = 3
"""A probe learns from some problems, is chosen on others, and is tried on what is left."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of an experiment before it starts."""

    problems: int
    prompt_characters: float  # of a problem, on average
    row_bytes: int  # of one sample's vectors

    def disk_bytes(self, samples: int) -> int:
        """What a run of so many samples needs on disk, generously."""
        return samples * (self.row_bytes + BYTES_PER_SAMPLE)


def check_experiment(
    folder: Path,
    *,
    sandbox: str,
    benchmark: str,
    split: str | None,
    errata: bool,
    prompt: str,
    limit: int | None,
    k: int,
    folds: int | None,
    objectives: Sequence[str],
    model: str,
    embedder: str,
    layers: str | None,
    pooling: str | None,
    device: str = "auto",
    create: bool = True,
) -> Checked:
    """Raise an error that its user can mend, or return what was found out; makes the run's folder unless told not to.

    Without a `split` the samples come from a file, and which problems they are of is known once they are read.
    """
    if sandbox == "docker":
        check_engine()
    for name in objectives:
        find_objective(name)
    asked = open_benchmark(benchmark, errata=errata)
    if split is None:
        problems = asked.problems()
    else:
        problems = plan(asked, k=k, seed=0, split=split, limit=limit, prompt=prompt).problems
    if len(problems) < (least := FEWEST_PROBLEMS if folds is None else folds):
        mend = "take more problems" if folds is None else "ask for fewer folds"
        raise QprobeError(f"{len(problems)} problems cannot make {least} folds: {mend}.")
    row_bytes = _check_models(model, embedder, layers, pooling, device)
    checked = Checked(len(problems), fmean(len(problem.prompt) for problem in problems), row_bytes)
    _check_disk(folder, checked.disk_bytes(len(problems) * k))
    if create:
        with Store(folder, create=True):
            pass
    return checked


def _check_models(model: str, embedder: str, layers: str | None, pooling: str | None, device: str) -> int:
    """Check both models without their weights. Returns the bytes of one sample's vectors."""
    from harness.models.registry import open_embedder, open_engine
    from harness.models.sampling import Sampling

    if model:
        open_engine(model, Sampling(), device=device)
    reader = open_embedder(embedder, layers=layers, pooling=pooling, device=device)
    return 4 * len(reader.views) * reader.width


def free_bytes(folder: Path) -> int:
    """What is free on the disk that holds the folder, or will."""
    return shutil.disk_usage(next(each for each in (folder, *folder.absolute().parents) if each.exists())).free


def _check_disk(folder: Path, needed: int) -> None:
    free = free_bytes(folder)
    if free < needed:
        raise QprobeError(
            f"{folder} needs about {needed / 2**20:,.0f} MiB and its disk has {free / 2**20:,.0f}: "
            "free some, choose fewer layers, or a smaller k."
        )


def available_sandbox() -> tuple[SandboxKind, str]:
    """The best sandbox there is for programs of our own demo, and a line that says why."""
    try:
        check_engine()
    except SandboxError as error:
        return "process", f"Programs run in the process sandbox, which is no isolation: {error}"
    return "docker", "Programs run in Docker."
