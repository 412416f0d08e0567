"""The full pipeline in one command, and its demo."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import config, stages
from harness.commands import options as args
from harness.commands.cluster import cluster_of
from harness.commands.dry_run import forecast
from harness.commands.options import with_options
from harness.commands.terminal import Terminal
from harness.errors import QprobeError
from harness.runs.config_file import CONFIG_FILE, keep_config
from harness.runs.toml import as_toml
from harness.stages.options import EvalOptions, PipelineOptions, settings_of

Target = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN|FILE.toml",
        is_eager=True,
        callback=config.read_file,
        help="folder of the run [default: results/BENCHMARK-MODEL], or a file that holds the options",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        config.SET,
        metavar="KEY=VALUE",
        is_eager=True,
        callback=config.read_assignments,
        help="setting that overrides FILE.toml's; repeat for more",
    ),
]
EvalFolder = Annotated[
    Path | None, typer.Argument(metavar="RUN", help="folder of the run [default: results/BENCHMARK-MODEL]")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="print the work, disk and time needed, and stop")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="print the settings and their sources, and stop")]


@with_options(PipelineOptions, required=False)
def run(
    ctx: typer.Context,
    options: PipelineOptions,
    folder: Target = None,
    assignments: Assignments = None,
    dry_run: DryRun = False,
    print_config: PrintConfig = False,
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Sample, grade, embed, probe and report. Running the same command again resumes where it stopped."""
    if print_config:
        print(as_toml(config.effective(ctx)), end="")
        return
    from harness.stages.pipeline import default_folder

    _check_sources(options)
    folder = folder or config.folder_setting(ctx) or default_folder(options)
    if dry_run:
        from harness.stages.preflight import check_pipeline

        with cluster_of(options.ray, Terminal(quiet=quiet)) as cluster:
            checked = check_pipeline(folder, options, fetch=False, cluster=cluster)
        forecast(folder, checked, options, as_json=json)
    else:
        _run(folder, options, json=json, quiet=quiet)


@with_options(EvalOptions, required=False)
def evaluate(
    options: EvalOptions, folder: EvalFolder = None, json: args.Json = False, quiet: args.Quiet = False
) -> None:
    """Report pass@k of a model or of existing samples, without probes: the pipeline up to its verdicts."""
    from harness.stages.pipeline import default_folder

    pipeline = PipelineOptions(**vars(options), probes=False)
    _check_sources(pipeline)
    _run(folder or default_folder(pipeline), pipeline, json=json, quiet=quiet)


def _run(folder: Path, options: PipelineOptions, *, json: bool = False, quiet: bool = False) -> None:
    """Check everything that was asked for, and do it."""
    from harness.stages.pipeline import run_stages, trains_probes
    from harness.stages.preflight import check_pipeline
    from harness.stages.run import Run

    terminal = Terminal(quiet=quiet)
    source = f"the samples of {options.samples}" if options.samples else f"{options.k} samples of {options.model}"
    with cluster_of(options.ray, terminal) as cluster:
        checked = check_pipeline(folder, options, cluster=cluster)
        count = "" if options.samples else f"{checked.problems} problems x "
        if options.probes and not trains_probes(options):
            terminal.message("No probes are trained without --embedder, the model that reads the samples.")
        with Run(folder, progress=terminal, cluster=cluster) as opened:
            if not (folder / CONFIG_FILE).exists():
                keep_config(folder, settings_of(options))
            terminal.message(f"{folder}: {options.benchmark}, {count}{source}.")
            run_stages(opened, options)
    if options.shard:
        terminal.message(f"Shard {options.shard} is done: qprobe merge RUN SHARD... makes one run of all of them.")
        return
    stages.report(folder, track=options.track, json=json, quiet=quiet)


def _check_sources(options: PipelineOptions) -> None:
    """Raise QprobeError unless a benchmark and one source of samples are named."""
    if not options.benchmark:
        raise QprobeError("No benchmark: give --benchmark, or benchmark = ... in FILE.toml.")
    if bool(options.model) == bool(options.samples):
        raise QprobeError("Give either --model, which draws samples, or --samples, a file of them.")


DEMO = PipelineOptions(benchmark="mini", k=16, max_new_tokens=96, batch_size=128, layers="-1", repeats=3)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="RUN")] = Path("results/demo"),
    k: Annotated[int, typer.Option("--k", help="samples per problem")] = DEMO.k,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="random seed")] = DEMO.seed,
    quiet: args.Quiet = False,
) -> None:
    """Try the full pipeline on the bundled benchmark and model. No network and no GPU; about two minutes."""
    from benchmarks.mini import MODEL
    from harness.stages.preflight import available_sandbox

    kind, why = available_sandbox()
    Terminal(quiet=quiet).message(why)
    _run(folder, replace(DEMO, model=f"hf:{MODEL}", k=k, seed=seed, sandbox=kind), quiet=quiet)
