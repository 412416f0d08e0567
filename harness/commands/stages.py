"""One command a stage: each can be run again, alone, and does what is left to do."""

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import options as args
from harness.commands.record import recorded
from harness.commands.terminal import Terminal
from harness.errors import QprobeError


@recorded
def import_(
    run: args.Run,
    samples: Annotated[Path, typer.Option(help="JSON lines, gzip'ed or not, a JSON list, or a folder of programs")],
    benchmark: args.BenchmarkName,
    format_name: args.SampleFormat = "auto",
    errata: args.Errata = True,
    quiet: args.Quiet = False,
) -> None:
    """Start a run from samples that somebody else drew."""
    from benchmarks.registry import open_benchmark
    from harness.runs.store import Store
    from harness.stages.import_samples import import_samples

    terminal = Terminal(quiet=quiet)
    asked = open_benchmark(benchmark, errata=errata)
    with Store(run, create=True) as store:
        done = import_samples(store, asked, samples, format_name)
    terminal.message(f"Imported {done.new:,} samples of {done.problems} problems; {done.kept:,} were there already.")
    if done.unsolved:
        terminal.message(
            f"WARNING: {done.unsolved:,} problems have no solution: their tests alone decide how they are graded, and "
            "a program that needs more than they show is unsupported and has no reward."
        )
    if done.bad:
        raise QprobeError(done.complaint(samples))


@recorded
def generate(
    run: args.Run,
    benchmark: args.BenchmarkName,
    model: args.ModelName,
    k: Annotated[int, typer.Option("--k", help="samples a problem")] = 20,
    limit: args.Limit = None,
    split: args.Split = "test",
    temperature: args.Temperature = 0.8,
    top_p: args.TopP = 0.95,
    max_new_tokens: args.MaxNewTokens = 300,
    batch_size: args.BatchSize = None,
    device: args.Device = "auto",
    seed: args.Seed = 0,
    errata: args.Errata = True,
    greedy: args.DrawGreedy = False,
    adapter: args.Adapter = None,
    prompt: args.PromptName = "paper",
    quiet: args.Quiet = False,
) -> None:
    """Draw k completions of every problem from a model."""
    from benchmarks.registry import open_benchmark
    from harness.models.registry import open_engine
    from harness.models.sampling import Sampling
    from harness.runs.store import Store
    from harness.stages.generate import generate as generate_stage
    from harness.stages.generate import plan

    asked = open_benchmark(benchmark, errata=errata)
    work = plan(asked, k=k, seed=seed, split=split, limit=limit, prompt=prompt, greedy=greedy)
    sampling = Sampling(temperature, top_p, max_new_tokens)
    engine = open_engine(args.adapted(model, adapter), sampling, batch_size=batch_size, device=device)
    with Store(run, create=True) as store:
        new = generate_stage(store, engine, work, terminal := Terminal(quiet=quiet))
    terminal.message(f"Generated {new:,} samples.")


def extract(
    run: args.Run,
    prompt: Annotated[str | None, typer.Option(help="whose extraction [default: the prompt of the run]")] = None,
    benchmark: Annotated[str | None, typer.Option(help="[default: the run's]")] = None,
    quiet: args.Quiet = False,
) -> None:
    """Make the programs again from the stored text. Only those that change are graded and embedded again."""
    from benchmarks.registry import open_benchmark
    from harness.runs.store import Store
    from harness.stages.extract import extract as extract_stage
    from harness.stages.extract import settings_of_run
    from harness.stages.prompts import find_prompt

    with Store(run) as store:
        made_with = settings_of_run(store, benchmark=benchmark, prompt=prompt)
        asked = open_benchmark(made_with.benchmark, errata=made_with.errata)
        done = extract_stage(store, find_prompt(made_with.prompt, asked))
    next_step = f": qprobe grade {run} judges those" if done.changed else ""
    Terminal(quiet=quiet).message(f"{done.changed:,} of {done.samples:,} programs read differently now{next_step}.")


@recorded
def grade(
    run: args.Run,
    sandbox: args.SandboxKind = "docker",
    workers: args.Workers = None,
    timeout: args.Timeout = None,
    timeout_factor: args.TimeoutFactor = 20.0,
    timeout_min: args.TimeoutMin = 0.5,
    timeout_max: args.TimeoutMax = 10.0,
    image: args.Image = None,
    runtime: args.Runtime = None,
    quiet: args.Quiet = False,
    regrade: args.Regrade = 200,
    visible_tests: args.VisibleTests = False,
) -> None:
    """Run every program of a run in sandboxes."""
    from harness.runs.store import Store
    from harness.stages.grade import Budget
    from harness.stages.grade import grade as grade_stage
    from harness.stages.regrade import regrade as regrade_stage
    from harness.stages.visible_tests import run_visible_tests
    from sandbox import open_sandbox

    terminal = Terminal(quiet=quiet)
    budget = Budget(timeout, timeout_factor, timeout_min, timeout_max)
    with Store(run) as store, open_sandbox(sandbox, workers, image, runtime=runtime) as room:
        done = grade_stage(store, room, budget, terminal)
        regrade_stage(store, room, budget, terminal, regrade)
        if visible_tests and not run_visible_tests(store, room, budget, terminal):
            terminal.message("No prompt of this benchmark shows a test: there are no outputs to compare.")
        passes = store.passes(done.grader)
    terminal.message(f"Graded {done.new:,} programs; {done.reused:,} verdicts were there already.")
    solved = sum(count > 0 for count in passes.values())
    terminal.message(f"{sum(passes.values()):,} samples pass; {solved:,} of {len(passes):,} problems are solved.")
    if done.broken:
        raise QprobeError(
            f"The sandbox failed on {done.broken:,} programs, which stay ungraded: run the command again."
        )


@recorded
def embed(
    run: args.Run,
    embedder: Annotated[str, typer.Option(help="what reads: hf:FOLDER, hf:HUB_ID or openai:MODEL,url=...")],
    layers: args.Layers = None,
    pooling: args.Pooling = None,
    precision: args.Precision = "float32",
    device: args.Device = "auto",
    quiet: args.Quiet = False,
) -> None:
    """Turn every sample of a run into vectors. They are the states of a model at chosen layers, pooled."""
    from harness.models.registry import open_embedder
    from harness.runs.store import Store
    from harness.stages.embed import embed as embed_stage

    terminal = Terminal(quiet=quiet)
    with Store(run) as store:
        reader = open_embedder(embedder, layers=layers, pooling=pooling, device=device)
        done = embed_stage(store, reader, terminal, precision)
    terminal.message(f"Embedded {done.new:,} samples; {done.reused:,} had their vectors already.")
    if done.cut:
        terminal.message(
            f"{done.cut:,} samples were longer than the model's context and lost the beginning of the prompt."
        )


@recorded
def probe(
    run: args.Run,
    objective: args.Objectives = None,
    folds: args.Folds = None,
    seed: args.Seed = 0,
    beta: args.Beta = 0.1,
    preset: args.Preset = "nested",
    quiet: args.Quiet = False,
    learning_curve: args.LearningCurve = False,
    repeats: args.Repeats = 1,
    form: args.Forms = None,
    l2: args.L2s = None,
    learning_rate: args.LearningRates = None,
    train_beta: args.TrainBetas = None,
    group_duplicates: args.GroupDuplicates = False,
) -> None:
    """Train probes with cross-validation by problem. Samples are scored by probes that never saw their problem."""
    from harness.probes.folds import DEFAULT_FOLDS
    from harness.probes.watching import watched
    from harness.runs.store import Store
    from harness.stages.probe import probe as probe_stage

    terminal = Terminal(quiet=quiet)
    objectives = args.objectives(objective)
    terminal.message(f"Probing: {', '.join(objectives)}.")
    with (
        Store(run) as store,
        terminal.task("Training probes", 0) as advance,
        watched(lambda wanted, done: advance(done, more=wanted)),
    ):
        found = probe_stage(
            store,
            objectives,
            folds=folds,
            seed=seed,
            beta=beta,
            preset=preset,
            learning=learning_curve,
            repeats=repeats,
            choices=args.choices(form, l2, learning_rate, train_beta),
            group_duplicates=group_duplicates,
        )
    made = int(found.fold_P.max()) + 1
    if folds is None and made < DEFAULT_FOLDS:
        terminal.message(
            f"So few problems make {made} folds instead of {DEFAULT_FOLDS}: nothing that comes out is certain."
        )
    terminal.message(f"Trained {len(objectives)} objectives on {made} folds: qprobe report {run} shows what they gain.")


def report(
    run: args.Run,
    k: args.Ks = None,
    track: args.Track = None,
    json: args.Json = False,
    quiet: args.Quiet = False,
    greedy: args.Greedy = None,
    format_name: args.Format = "table",
) -> None:
    """Show probed against baseline pass@1. Writes report.html, and the same in other forms, into the run."""
    from harness.commands.show import show_report
    from harness.reports.greedy_baseline import greedy_rewards
    from harness.reports.render.html.browser import browser_data
    from harness.reports.report import report as make_report
    from harness.runs.scores import load_scores
    from harness.runs.store import Store

    with Store(run) as store:
        known = greedy_rewards(greedy, store.settings()["benchmark"]) if greedy else None
        found = make_report(store, args.numbers(k), known)
        data = browser_data(store, load_scores(store))
    show_report(found, data, run, Terminal(quiet=quiet), "json" if json else format_name)
    if track:
        from harness.reports.trackers import track as send

        send(track, run)
        Terminal(quiet=quiet).message(f"Sent to {track}.")


def export(
    run: args.Run,
    output: Annotated[Path, typer.Option("--output", "-o", help="the file to write")],
    format_name: Annotated[str, typer.Option("--format", help="human-eval")] = "human-eval",
    quiet: args.Quiet = False,
) -> None:
    """Write a run's samples and verdicts for other tools."""
    from harness.runs.store import Store
    from harness.stages.export import export as export_stage

    with Store(run) as store:
        rows = export_stage(store, format_name, output)
    Terminal(quiet=quiet).message(f"Wrote {rows:,} samples to {output}.")
