"""Preflight: everything that can fail cheaply fails before a model is loaded."""

import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from harness.errors import QprobeError
from harness.models.engine import Embedder
from harness.reports.trackers import check_tracker
from harness.stages.generate import plan
from harness.stages.generated_tests import read_tests
from harness.stages.option_values import flag_of
from harness.stages.options import DeviceOptions, EmbedOptions, PipelineOptions, ProbeOptions, title_of
from harness.stages.pipeline import check_fold_count, model_of, problems_of, reader_of, trains_probes
from harness.stages.sample_formats import check_source
from sandbox import SandboxError, check_engine, try_sandbox
from sandbox.factory import SandboxKind

if TYPE_CHECKING:
    from harness.cluster.parts import Cluster

BYTES_PER_SAMPLE = 8192
"""Disk for one sample's text and verdict, generously."""

PROBE_TITLES = (EmbedOptions.TITLE, ProbeOptions.TITLE)
"""The headings of options that say nothing where no probes are trained."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Facts about a pipeline before it starts."""

    problems: int
    prompt_characters: float  # of a problem, on average
    row_bytes: int  # of one sample's vectors; 0 without probes
    max_new_tokens: int  # longest completion

    def disk_bytes(self, samples: int) -> int:
        """Return the bytes that so many samples need on disk, generously."""
        return samples * (self.row_bytes + BYTES_PER_SAMPLE)


def check_pipeline(
    folder: Path, options: PipelineOptions, *, fetch: bool = True, cluster: "Cluster | None" = None
) -> Checked:
    """Check every option of every stage, and return what was learnt.

    What is quickly checked comes first. Without `fetch`, no image for Docker is fetched or made. With a `cluster`, its
    nodes must have the device and the sandbox.
    Raises QprobeError, BenchmarkError or SandboxError with what to do.
    """
    if cluster:
        cluster.check_device(options.device)
        options = replace(options, device="cpu")  # this machine has no weights, only names and prompts to check
    _check_values(options)
    problems = problems_of(options)
    if trains_probes(options) and not options.shard:
        check_fold_count(problems, options)
    if options.generated_tests is not None:
        read_tests(options.generated_tests, problems)
    work = None if options.samples else plan(problems, k=options.k, seed=options.seed, prompt=options.prompt)
    model = model_of(options).for_prompt(chat=bool(work and work.prompt.chat))
    if work:
        model.engine().check(work.first_requests)
    row_bytes = _check_reader(options) if trains_probes(options) else 0
    if cluster:
        cluster.check_sandbox(options.choice)
    else:
        try_sandbox(options.sandbox, options.image, runtime=options.runtime, fetch=fetch)
    characters = fmean(len(problem.prompt) for problem in problems)
    checked = Checked(len(problems), characters, row_bytes, model.sampling.max_new_tokens)
    _check_disk(folder, checked.disk_bytes(len(problems) * options.k))
    return checked


def _check_values(options: PipelineOptions) -> None:
    """Check what depends on nothing but this machine."""
    if trains_probes(options):
        _check_probes(options)
    else:
        _refuse_probe_options(options)
    if options.shard and options.samples:
        raise QprobeError("--shard is for samples that are drawn: leave it out with --samples.")
    _ = options.budget  # which raises where the limits contradict each other
    _check_device(options)
    check_source(options.samples, options.format)
    if options.track:
        check_tracker(options.track)


def _check_device(options: PipelineOptions) -> None:
    """Raise QprobeError for a device that this machine lacks; looking needs torch, which grading alone does without."""
    if trains_probes(options) or options.model.startswith("hf:") or options.device != DeviceOptions.device:
        from harness.models.hf.devices import check_device

        check_device(options.device)


def _check_probes(options: PipelineOptions) -> None:
    """Raise ProbeError for an unknown objective or feature, or values that cannot be selected from."""
    from harness.probes.added_features import check_features
    from harness.probes.registry import find_objective

    check_features(options.features)
    for name in options.objectives:
        find_objective(name)
    options.overrides.plan(options.preset)


def _refuse_probe_options(options: PipelineOptions) -> None:
    """Raise QprobeError for an option of probes where none are trained: it would be ignored without a word."""
    for entry in fields(options):
        if title_of(PipelineOptions, entry) in PROBE_TITLES and getattr(options, entry.name) != entry.default:
            flag = flag_of(entry)
            wanted = "leave out --no-probes" if not options.probes else "give --embedder, the model that reads them"
            raise QprobeError(f"{flag} is about probes, and none would be trained: {wanted}, or leave out {flag}.")


def _check_reader(options: PipelineOptions) -> int:
    """Check the model that reads, without its weights. Returns the bytes of one sample's vectors."""
    reader = reader_of(options).embedder(options.layers, options.pooling)
    if options.samples:
        _check_scores(options, reader)
    if len(reader.views) > 1 and not options.overrides.plan(options.preset).inner_folds:
        views = ", ".join(map(str, reader.views))
        raise QprobeError(
            f"The preset {options.preset} reads one layer and pooling, not {views}: choose with --layers and --pooling."
        )
    return 4 * len(reader.views) * reader.width


def _check_scores(options: PipelineOptions, reader: Embedder) -> None:
    """Raise QprobeError for a feature of tokens where imported samples would have no log-probabilities."""
    from harness.models.hf.scoring_embedder import gives_log_probabilities
    from harness.probes.added_features import OF_TOKENS

    wanted = [name for name in options.features if name in OF_TOKENS]
    if wanted and not (options.log_probability and gives_log_probabilities(reader)):
        why = "this --embedder gives them none" if options.log_probability else "--no-log-probability gives them none"
        raise QprobeError(
            f"Imported samples have no log-probabilities, and {why}: leave {wanted[0]} out of --features."
        )


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
