"""Preflight: everything that can fail cheaply fails before a model is loaded."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.errors import QprobeError
from harness.runs.store import Store
from harness.stages.generate import plan
from harness.stages.options import PipelineOptions
from harness.stages.pipeline import model_of, problems_of, reader_of
from sandbox import SandboxError, check_engine
from sandbox.factory import SandboxKind

BYTES_PER_SAMPLE = 8192
"""Disk for one sample's text and verdict, generously."""

FEWEST_PROBLEMS = 3
"""A probe learns from some problems, is chosen on others, and is tried on what is left."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Facts about a pipeline before it starts."""

    problems: int
    prompt_characters: float  # of a problem, on average
    row_bytes: int  # of one sample's vectors

    def disk_bytes(self, samples: int) -> int:
        """Return the bytes that so many samples need on disk, generously."""
        return samples * (self.row_bytes + BYTES_PER_SAMPLE)


def check_pipeline(folder: Path, options: PipelineOptions, *, create: bool = True) -> Checked:
    """Check whatever is cheap to check, and return what was learnt; with `create`, make the run's folder.

    Raises QprobeError, BenchmarkError or SandboxError with what to do.
    """

    from harness.probes.registry import find_objective

    if options.sandbox == "docker":
        check_engine()
    for name in options.objectives:
        find_objective(name)
    options.overrides.plan(options.preset)
    problems = problems_of(options)
    if not options.samples:
        plan(problems, k=options.k, seed=options.seed, prompt=options.prompt)
    _check_folds(len(problems), options.folds)
    row_bytes = _check_models(options)
    checked = Checked(len(problems), fmean(len(problem.prompt) for problem in problems), row_bytes)
    _check_disk(folder, checked.disk_bytes(len(problems) * options.k))
    if create:
        with Store(folder, create=True):
            pass
    return checked


def _check_folds(problems: int, folds: int | None) -> None:
    least = FEWEST_PROBLEMS if folds is None else folds
    if problems < least:
        remedy = "take more problems" if folds is None else "ask for fewer folds"
        raise QprobeError(f"{problems} problems cannot make {least} folds: {remedy}.")


def _check_models(options: PipelineOptions) -> int:
    """Check both models without their weights. Returns the bytes of one sample's vectors."""
    if options.model:
        model_of(options).engine()
    reader = reader_of(options).embedder(options.layers, options.pooling)
    return 4 * len(reader.views) * reader.width


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds the folder, or will hold it."""
    return shutil.disk_usage(next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())).free


def _check_disk(folder: Path, needed: int) -> None:
    free = free_bytes(folder)
    if free < needed:
        raise QprobeError(
            f"{folder} needs about {needed / 2**20:,.0f} MiB and its disk has {free / 2**20:,.0f}: "
            "free some, choose fewer layers, or a smaller k."
        )


def available_sandbox() -> tuple[SandboxKind, str]:
    """Return the best available sandbox for the demo's harmless programs, and a line that says why."""
    try:
        check_engine()
    except SandboxError as error:
        return "process", f"Programs run in the process sandbox, which is no isolation: {error}"
    return "docker", "Programs run in Docker."
