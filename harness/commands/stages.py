"""One command per stage: each can be run again, alone, and does what the run does not hold yet."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import options as args
from harness.commands.cluster import cluster_of, refuse_server
from harness.commands.options import with_options
from harness.commands.terminal import Terminal
from harness.errors import QprobeError
from harness.stages.options import EmbedStageOptions, GenerateOptions, GradeOptions, ImportOptions, ProbeOptions


@with_options(ImportOptions)
def import_(
    run: args.Run,
    options: ImportOptions,
    vectors: Annotated[
        Path | None, typer.Option(help="their vectors, as export -o FILE.safetensors writes them: probe needs no model")
    ] = None,
    quiet: args.Quiet = False,
) -> None:
    """Start a run from existing samples."""
    from harness.stages.problems import load_benchmark
    from harness.stages.run import Run

    problems = load_benchmark(options.benchmark, split=None, errata=options.errata)
    with Run(run, progress=Terminal(quiet=quiet)) as opened:
        opened.import_samples(
            problems, options.samples or "", format=options.format, complete=options.complete, vectors=vectors
        )


@with_options(GenerateOptions)
def generate(
    run: args.Run,
    options: GenerateOptions,
    layers: Annotated[
        str | None, typer.Option(help="layers whose hidden states are kept for embed, as embed --layers takes them")
    ] = None,
    pooling: Annotated[str | None, typer.Option(help="poolings kept with --layers: last, mean, prompt")] = None,
    quiet: args.Quiet = False,
) -> None:
    """Draw k completions per problem from a model."""
    from harness.stages.pipeline import draw_samples, model_of
    from harness.stages.problems import load_benchmark
    from harness.stages.run import Run
    from harness.stages.shards import shard_of

    problems = load_benchmark(options.benchmark, split=options.split, limit=options.limit, errata=options.errata)
    problems, model, terminal = shard_of(problems, options), model_of(options), Terminal(quiet=quiet)
    refuse_server(model.is_local, options.ray)
    with cluster_of(options.ray, terminal) as cluster:
        reader = (model.here if cluster else model).embedder(layers, pooling) if layers or pooling else None
        with Run(run, progress=terminal, cluster=cluster) as opened:
            draw_samples(opened, problems, options, reader)


def extract(
    run: args.Run,
    prompt: Annotated[str | None, typer.Option(help="prompt whose extraction is used [default: the run's]")] = None,
    benchmark: Annotated[str | None, typer.Option(help="benchmark of the run [default: as config.toml says]")] = None,
    quiet: args.Quiet = False,
) -> None:
    """Extract the programs from the stored text again. Only those that change are graded and embedded again."""
    from benchmarks.registry import open_benchmark
    from harness.runs.store import Store
    from harness.stages.extract import extract as extract_stage
    from harness.stages.extract import settings_of_run
    from harness.stages.prompts import find_prompt

    with Store(run) as store:
        settings = settings_of_run(store, benchmark=benchmark, prompt=prompt)
        opened = open_benchmark(settings.benchmark, errata=settings.errata)
        done = extract_stage(store, find_prompt(settings.prompt, opened))
    next_step = f": run qprobe grade {run} to judge those" if done.changed else ""
    Terminal(quiet=quiet).message(f"{done.changed:,} of {done.samples:,} programs changed{next_step}.")


@with_options(GradeOptions)
def grade(run: args.Run, options: GradeOptions, quiet: args.Quiet = False) -> None:
    """Run every program of a run in sandboxes."""
    from harness.stages.run import Run

    terminal = Terminal(quiet=quiet)
    with (
        cluster_of(options.ray, terminal) as cluster,
        Run(run, create=False, progress=terminal, cluster=cluster) as opened,
    ):
        opened.grade(options=options)
    terminal.message(f"qprobe report {run} shows pass@k.")


@with_options(EmbedStageOptions)
def embed(run: args.Run, options: EmbedStageOptions, quiet: args.Quiet = False) -> None:
    """Turn every sample of a run into vectors: hidden states of a model at chosen layers, pooled."""
    from harness.models.model import load_model
    from harness.stages.run import Run

    terminal = Terminal(quiet=quiet)
    reader = load_model(options.embedder or "", device=options.device).at(options.location)
    refuse_server(reader.is_local, options.ray)
    with (
        cluster_of(options.ray, terminal) as cluster,
        Run(run, create=False, progress=terminal, cluster=cluster) as opened,
    ):
        opened.embed(
            reader,
            layers=options.layers,
            pooling=options.pooling,
            precision=options.precision,
            log_probability=options.log_probability,
        )


@with_options(ProbeOptions)
def probe(run: args.Run, options: ProbeOptions, quiet: args.Quiet = False) -> None:
    """Train probes with cross-validation by problem. Samples are scored by probes that never saw their problem."""
    from harness.stages.run import Run

    terminal = Terminal(quiet=quiet)
    with Run(run, create=False, progress=terminal) as opened:
        opened.probe(options=options)
    terminal.message(f"qprobe report {run} shows what they gain.")


def report(
    run: args.Run,
    k: args.Ks = None,
    track: args.Track = None,
    json: args.Json = False,
    quiet: args.Quiet = False,
    greedy: args.Greedy = None,
    scores: args.Scores = None,
    format_name: args.Format = "table",
    full: args.Full = False,
) -> None:
    """Show pass@k, baselines and the gains of probes. Writes report.html, and other formats, into the run."""
    from harness.commands.preferences import show_preferences
    from harness.commands.show import show_published, show_report
    from harness.reports.build import report_and_page
    from harness.reports.greedy_baseline import greedy_rewards
    from harness.reports.kept import inputs_key, kept_report
    from harness.reports.preferences import is_pair_run
    from harness.reports.published import is_published, what_is_missing
    from harness.runs.run_progress import unfinished
    from harness.runs.store import Store

    if is_published(run):
        if k or greedy or track or scores:
            raise QprobeError(f"--k, --greedy, --scores and --track need the run: {what_is_missing(run)}")
        show_published(run, Terminal(quiet=quiet), "json" if json else format_name, full=full)
        return
    with Store(run, read_only=True) as store:
        if missing := unfinished(store):
            Terminal(quiet=quiet).message(missing)
        if is_pair_run(store):
            show_preferences(store, Terminal(quiet=quiet), "json" if json else format_name, full=full)
            return
        rewards = greedy_rewards(greedy, store.about.benchmark) if greedy else None
        key = "" if k or greedy or scores else inputs_key(run)
        kept = kept_report(run, key) if key else None
        result, data = (kept, None) if kept else report_and_page(store, args.numbers(k), rewards, scores or ())
    show_report(result, data, run, Terminal(quiet=quiet), "json" if json else format_name, full=full, key=key)
    if track:
        from harness.reports.trackers import track as send

        send(track, run)
        Terminal(quiet=quiet).message(f"Sent to {track}.")


def export(
    run: args.Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="file to write, .gz compressed; - is standard output [default for pipes]"),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", help="jsonl, csv, parquet, human-eval or vectors [default: by the file's ending, else jsonl]"
        ),
    ] = None,
    quiet: args.Quiet = False,
) -> None:
    """Write a run's samples with verdicts, costs and scores, for other tools. Reads also a run that is in use."""
    from harness.runs.run_progress import unfinished
    from harness.runs.scores import why_no_scores
    from harness.runs.store import Store
    from harness.stages.export import STANDARD_OUTPUT
    from harness.stages.export import export as export_stage

    terminal = Terminal(quiet=quiet)
    if output is None and sys.stdout.isatty():
        raise QprobeError("Name a file, as in -o samples.csv, or - for standard output.")
    output = output or STANDARD_OUTPUT
    with Store(run, read_only=True) as store:
        for missing in filter(None, (unfinished(store), why_no_scores(store))):
            terminal.message(missing)
        rows = export_stage(store, output, format_name)
    if output != STANDARD_OUTPUT:
        terminal.message(f"Wrote {rows:,} samples to {output}.")
