"""Preflight: everything that can fail cheaply fails before a model is loaded."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.errors import QprobeError
from harness.probes.folds import check_folds
from harness.reports.trackers import check_tracker
from harness.stages.generate import GenerationPlan, plan
from harness.stages.options import PipelineOptions
from harness.stages.pipeline import model_of, problems_of, reader_of
from harness.stages.sample_formats import check_source
from sandbox import SandboxError, check_engine, try_sandbox
from sandbox.factory import SandboxKind

BYTES_PER_SAMPLE = 8192
"""Disk for one sample's text and verdict, generously."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Facts about a pipeline before it starts."""

    problems: int
    prompt_characters: float  # of a problem, on average
    row_bytes: int  # of one sample's vectors

    def disk_bytes(self, samples: int) -> int:
        """Return the bytes that so many samples need on disk, generously."""
        return samples * (self.row_bytes + BYTES_PER_SAMPLE)


def check_pipeline(folder: Path, options: PipelineOptions, *, fetch: bool = True) -> Checked:
    """Check every option of every stage, and return what was learnt.

    What is quickly checked comes first. Without `fetch`, no image for Docker is fetched or made.
    Raises QprobeError, BenchmarkError or SandboxError with what to do.
    """
    _check_values(options)
    problems = problems_of(options)
    prompts = {problem.id: problem.prompt for problem in problems}
    check_folds(prompts, options.folds, group_duplicates=options.group_duplicates)
    work = None if options.samples else plan(problems, k=options.k, seed=options.seed, prompt=options.prompt)
    row_bytes = _check_models(options, work)
    try_sandbox(options.sandbox, options.image, runtime=options.runtime, fetch=fetch)
    checked = Checked(len(problems), fmean(len(problem.prompt) for problem in problems), row_bytes)
    _check_disk(folder, checked.disk_bytes(len(problems) * options.k))
    return checked


def _check_values(options: PipelineOptions) -> None:
    """Check what depends on nothing but this machine."""
    from harness.models.hf.devices import check_device
    from harness.probes.registry import find_objective

    for name in options.objectives:
        find_objective(name)
    options.overrides.plan(options.preset)
    _ = options.budget  # which raises where the limits contradict each other
    check_device(options.device)
    check_source(options.samples, options.format)
    if options.track:
        check_tracker(options.track)


def _check_models(options: PipelineOptions, work: GenerationPlan | None) -> int:
    """Check both models without their weights, and the longest prompt. Returns the bytes of one sample's vectors."""
    if work:
        model_of(options).engine().check(work.first_requests)
    reader = reader_of(options).embedder(options.layers, options.pooling)
    if len(reader.views) > 1 and not options.overrides.plan(options.preset).inner_folds:
        views = ", ".join(map(str, reader.views))
        raise QprobeError(
            f"The preset {options.preset} reads one layer and pooling, not {views}: choose with --layers and --pooling."
        )
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
