"""`run --dry-run`: how many programs, how much disk, and about how long."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from harness.commands.terminal import Terminal
from harness.stages.options import PipelineOptions

if TYPE_CHECKING:
    from harness.stages.estimate import StageEstimate, Work
    from harness.stages.preflight import Checked

MIB = 2**20


def forecast(folder: Path, checked: "Checked", options: PipelineOptions, *, as_json: bool) -> None:
    """Print the work of `run` with these options, as a table or as JSON."""
    from harness.stages.estimate import estimate
    from harness.stages.preflight import free_bytes

    work = _work(folder, checked, options)
    stages = estimate(work, folder)
    needed, free = checked.disk_bytes(work.samples), free_bytes(folder)
    if as_json:
        totals = {"problems": work.problems, "samples": work.samples, "disk_bytes": needed, "free_bytes": free}
        print(json.dumps({**totals, "stages": [asdict(stage) for stage in stages]}, indent=1))
        return
    terminal = Terminal()
    terminal.out.print(
        f"{folder}: {work.problems} problems of {options.benchmark}, {work.samples:,} programs of "
        f"{options.samples or options.model}. Disk: about {needed / MIB:,.0f} MiB of {free / MIB:,.0f} free.",
        markup=False,
        highlight=False,
    )
    terminal.out.print(_table(stages))
    terminal.out.print("Nothing was done.")


def _table(stages: list["StageEstimate"]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stage", "samples to do", "about", "based on"):
        table.add_column(name, justify="right" if name in ("samples to do", "about") else "left")
    for stage in stages:
        table.add_row(stage.stage, f"{stage.new:,}", _duration(stage.seconds), stage.basis)
    if all(stage.seconds is not None for stage in stages):
        table.add_row("all", "", _duration(sum(stage.seconds or 0.0 for stage in stages)), "")
    return table


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def _work(folder: Path, checked: "Checked", options: PipelineOptions) -> "Work":
    from harness.models.engine import BATCH_SIZE
    from harness.probes.folds import default_folds
    from harness.runs.provenance import cores
    from harness.stages.estimate import Work
    from harness.stages.pipeline import trains_probes

    problems, samples = _asked(checked, options)
    held = _held(folder)
    tables = {"generate": "completions", "grade": "verdicts", "embed": "vectors"}
    new = {stage: max(0, samples - held.get(table, 0)) for stage, table in tables.items()} | {"probe": samples}
    with_probes = trains_probes(options)
    left_out = (["generate"] if options.samples else []) + ([] if with_probes else ["embed", "probe"])
    return Work(
        problems=problems,
        samples=samples,
        new={stage: count for stage, count in new.items() if stage not in left_out},
        model=options.adapted_model,
        embedder=options.embedder or options.adapted_model,
        prompt_characters=checked.prompt_characters,
        row_bytes=checked.row_bytes,
        max_new_tokens=checked.max_new_tokens,
        batch_size=options.batch_size or BATCH_SIZE,
        cores=options.workers or cores(),
        objectives=len(options.named_objectives) if with_probes else 0,
        folds=(options.folds or default_folds(problems)) if with_probes else 0,
    )


def _asked(checked: "Checked", options: PipelineOptions) -> tuple[int, int]:
    """Problems and samples; those of a file are counted by importing them into a temporary run."""
    if not options.samples:
        return checked.problems, checked.problems * int(options.k)
    from benchmarks.registry import open_benchmark
    from harness.runs.store import Store
    from harness.stages.import_samples import import_samples

    with tempfile.TemporaryDirectory(prefix="qprobe-dry-") as scratch, Store(Path(scratch), create=True) as store:
        benchmark = open_benchmark(options.benchmark)
        imported = import_samples(store, benchmark, Path(options.samples), options.format)
    return imported.problems, imported.new


def _held(folder: Path) -> dict[str, int]:
    from harness.runs.store import Store

    if not (folder / "run.sqlite").is_file():
        return {}
    with Store(folder, read_only=True) as store:
        return store.counts(greedy=False)
