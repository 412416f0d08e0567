"""Estimate of a pipeline: programs, disk, and about how long. Reads no weights, writes nothing.

A stage takes as long as it did in an earlier run beside this one, on this machine and with the same model. Without such
a run, it takes as long as its arithmetic at this machine's measured speed: right within a factor of about 3.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import QprobeError
from harness.models.hf.pretrained import open_pretrained
from harness.runs.provenance import PROVENANCE_FILE, hardware, stages

CHARACTERS_PER_TOKEN = 3
PROGRAMS_PER_CORE_SECOND = 80.0  # graded in a second in containers
PROBE_PASSES = 40 * 3 * 6 * 5  # over the vectors for an objective and fold: epochs, there and back, settings, folds
PROBE_SECONDS = 2.0  # of an objective, however few its samples
EFFICIENCY = 0.3  # of a model's pass, against a bare matrix product
LAYER_SECONDS = 3e-4  # of a layer for one token, however small it is
SAME = ("processor", "cores")
"""Hardware that must agree for an earlier run to tell how long this one takes."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a pipeline, in samples; `new` leaves out what the run holds already."""

    problems: int
    samples: int
    new: Mapping[str, int]  # stage -> samples it has yet to do
    model: str  # "" where samples are imported
    embedder: str
    prompt_characters: float  # of a problem, on average
    row_bytes: int  # of one sample's vectors
    max_new_tokens: int
    batch_size: int
    cores: int  # that grade
    objectives: int
    folds: int


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """About how long a stage takes."""

    stage: str
    new: int
    seconds: float | None  # None where it cannot be known, as for a server
    basis: str


def estimate(work: Work, folder: Path) -> list[StageEstimate]:
    """About how long each stage of the work takes."""
    estimates = []
    for stage in work.new:
        estimate = (0.0, "nothing is left to do") if not work.new[stage] else _from_history(stage, work, folder)
        estimates.append(StageEstimate(stage, work.new[stage], *(estimate or _from_arithmetic(stage, work))))
    return estimates


def _from_history(stage: str, work: Work, folder: Path) -> tuple[float, str] | None:
    """The time by the last run like this one; None where no run is like it."""
    here = {name: hardware()[name] for name in SAME}
    for path in sorted(folder.parent.glob(f"*/{PROVENANCE_FILE}"), key=lambda path: -path.stat().st_mtime):
        for line in reversed(stages(path.parent)):
            alike = {name: line["hardware"].get(name) for name in here} == here
            if line["stage"] == stage and alike and line.get("new") and _same_model(stage, work, line["settings"]):
                return line["seconds"] * work.new[stage] / line["new"], str(path.parent)
    return None


def _same_model(stage: str, work: Work, settings: Mapping[str, Any]) -> bool:
    named = {"generate": ("model", work.model), "embed": ("embedder", work.embedder)}
    return stage not in named or settings.get(named[stage][0]) == named[stage][1]


def _from_arithmetic(stage: str, work: Work) -> tuple[float | None, str]:
    new, machine = work.new[stage], "its arithmetic, at this machine's speed"
    if stage == "grade":
        return new / (PROGRAMS_PER_CORE_SECOND * work.cores), "what a core usually grades"
    if stage == "probe":
        passes = PROBE_PASSES * work.objectives * work.folds
        return PROBE_SECONDS * work.objectives + work.row_bytes / 2 * new * passes / speed(), machine
    size = model_size(work.model if stage == "generate" else work.embedder)
    if size is None:
        return None, "nothing: the model is elsewhere"
    tokens = new * (work.max_new_tokens + work.prompt_characters / CHARACTERS_PER_TOKEN)
    once = 2 * size.parameters * tokens / (EFFICIENCY * speed(size.precision))
    if stage == "embed":
        return once, machine
    steps = new / work.batch_size * work.max_new_tokens
    return once + steps * size.layers * LAYER_SECONDS, f"{machine}, if no sample stops early"


class Size(NamedTuple):
    """The properties of a model that its time depends on."""

    parameters: int
    layers: int
    precision: str


def model_size(spec: str) -> Size | None:
    """The size of a transformers model, from its configuration alone; None for one that is elsewhere."""
    import torch
    from transformers import AutoModel

    try:
        model = open_pretrained(spec)
        with torch.device("meta"):
            bare = AutoModel.from_config(model.config)  # type: ignore[no-untyped-call]
            return Size(int(bare.num_parameters()), model.layers, model.precision)
    except QprobeError:
        return None


def speed(precision: str = "float32", size: int = 1024, rounds: int = 10) -> float:
    """Floating-point operations a second of a matrix product here: a CPU's precisions differ by a factor of ten."""
    import torch

    on_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if on_gpu or precision == "auto" else getattr(torch, precision)
    matrix = torch.ones(size, size, device="cuda" if on_gpu else "cpu", dtype=dtype)
    seconds: list[float] = []
    while len(seconds) < rounds and sum(seconds) < 1:  # float16 takes seconds each on a CPU
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # reading a number waits for the GPU
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)
