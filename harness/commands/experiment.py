"""The whole line in one command: run, and the demo of it."""

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import arguments as args
from harness.commands import stages
from harness.terminal import Terminal


def run(
    model: args.ModelName,
    benchmark: args.BenchmarkName,
    folder: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="[default: results/BENCHMARK-MODEL]")] = None,
    k: Annotated[int, typer.Option("--k", help="samples a problem")] = 20,
    limit: args.Limit = None,
    split: args.Split = "test",
    temperature: args.Temperature = 0.8,
    top_p: args.TopP = 0.95,
    max_new_tokens: args.MaxNewTokens = 300,
    batch_size: args.BatchSize = None,
    device: args.Device = "auto",
    sandbox: args.SandboxKind = "docker",
    workers: args.Workers = None,
    cpu_seconds: args.CpuSeconds = None,
    image: args.Image = None,
    embedder: Annotated[str | None, typer.Option(help="another model to read the samples [default: the model]")] = None,
    layers: args.Layers = None,
    pooling: args.Pooling = None,
    objective: args.Objectives = None,
    folds: args.Folds = 5,
    seed: args.Seed = 0,
    beta: args.Beta = 0.1,
    preset: args.Preset = "nested",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Sample, grade, embed, probe and report; run the same command again to go on where it stopped."""
    from harness.preflight import check_experiment

    folder = folder or default_folder(benchmark, model)
    problems = check_experiment(
        folder,
        sandbox=sandbox,
        benchmark=benchmark,
        split=split,
        limit=limit,
        k=k,
        folds=folds,
        objectives=args.objectives(objective),
        model=model,
        embedder=embedder or model,
        layers=layers,
        pooling=pooling,
    )
    Terminal(quiet=quiet).say(f"{folder}: {problems} problems of {benchmark} x {k} samples of {model}.")
    stages.generate(
        folder, benchmark, model, k, limit, split, temperature, top_p, max_new_tokens, batch_size, device, seed, quiet
    )
    stages.grade(folder, sandbox, workers, cpu_seconds, image, quiet)
    stages.embed(folder, embedder or model, layers, pooling, device, quiet)
    stages.probe(folder, objective, folds, seed, beta, preset, quiet)
    stages.report(folder, None, json, quiet)


def default_folder(benchmark: str, model: str) -> Path:
    """results/BENCHMARK-MODEL, named by the last parts of both."""
    parts = (Path(benchmark.partition(":")[0]).name.split(".")[0], Path(model.partition(":")[2]).name)
    return Path("results") / "-".join(parts)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[RUN]")] = Path("results/demo"),
    k: Annotated[int, typer.Option("--k", help="samples a problem")] = 16,
    seed: args.Seed = 0,
    quiet: args.Quiet = False,
) -> None:
    """The whole line on what ships with qprobe: no network, no GPU, about two minutes."""
    from benchmarks.mini import MODEL
    from harness.preflight import available_sandbox

    kind, why = available_sandbox()
    Terminal(quiet=quiet).say(why)
    run(
        f"hf:{MODEL}",
        "mini",
        folder,
        k=k,
        seed=seed,
        sandbox=kind,
        max_new_tokens=96,
        batch_size=128,
        layers="-1",
        quiet=quiet,
    )
