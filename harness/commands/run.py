"""The whole line in one command: run, and the demo of it."""

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.commands import config as configuration
from harness.commands import options as args
from harness.commands import stages
from harness.commands.dry_run import forecast
from harness.commands.record import keep_config
from harness.commands.terminal import Terminal
from harness.errors import QprobeError
from harness.models.registry import ENGINES
from harness.models.spec import parse_spec
from harness.reports.trackers import check_tracker
from harness.runs.provenance import CONFIG_FILE

if TYPE_CHECKING:
    from harness.stages.preflight import Checked

Target = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN|FILE.toml",
        is_eager=True,
        callback=configuration.read_file,
        help="the run's folder [default: results/BENCHMARK-MODEL], or a file that holds the options",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        configuration.SET,
        metavar="KEY=VALUE",
        is_eager=True,
        callback=configuration.read_assignments,
        help="a setting over FILE.toml's; repeat for more",
    ),
]


def run(
    ctx: typer.Context,
    folder: Target = None,
    model: args.ModelName = "",
    benchmark: args.BenchmarkName = "",
    samples: Annotated[Path | None, typer.Option(help="samples that somebody else drew, instead of a model's")] = None,
    format_name: args.SampleFormat = "auto",
    k: Annotated[int, typer.Option("--k", help="samples a problem")] = 20,
    limit: args.Limit = None,
    split: args.Split = "test",
    errata: args.Errata = True,
    greedy: args.DrawGreedy = False,
    adapter: args.Adapter = None,
    prompt: args.PromptName = "paper",
    temperature: args.Temperature = 0.8,
    top_p: args.TopP = 0.95,
    max_new_tokens: args.MaxNewTokens = 300,
    batch_size: args.BatchSize = None,
    device: args.Device = "auto",
    sandbox: args.SandboxKind = "docker",
    workers: args.Workers = None,
    timeout: args.Timeout = None,
    timeout_factor: args.TimeoutFactor = 20.0,
    timeout_min: args.TimeoutMin = 0.5,
    timeout_max: args.TimeoutMax = 10.0,
    image: args.Image = None,
    runtime: args.Runtime = None,
    regrade: args.Regrade = 200,
    visible_tests: args.VisibleTests = False,
    embedder: Annotated[str | None, typer.Option(help="another model to read the samples [default: the model]")] = None,
    layers: args.Layers = None,
    pooling: args.Pooling = None,
    precision: args.Precision = "float32",
    objective: args.Objectives = None,
    folds: args.Folds = None,
    seed: args.Seed = 0,
    beta: args.Beta = 0.1,
    preset: args.Preset = "nested",
    learning_curve: args.LearningCurve = False,
    repeats: args.Repeats = 1,
    track: args.Track = None,
    form: args.Forms = None,
    l2: args.L2s = None,
    learning_rate: args.LearningRates = None,
    train_beta: args.TrainBetas = None,
    group_duplicates: args.GroupDuplicates = False,
    assignments: Assignments = None,
    dry_run: Annotated[bool, typer.Option(help="say how many programs, how much disk, how long; do nothing")] = False,
    print_config: Annotated[bool, typer.Option(help="print the settings and where each came from, and stop")] = False,
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Sample, grade, embed, probe and report. Run the same command again to go on where it stopped."""
    asked = dict(locals())
    if print_config:
        print(configuration.as_toml(configuration.effective(ctx)), end="")
    else:
        _carry_out(ctx, asked)


def _carry_out(ctx: typer.Context, asked: Mapping[str, Any]) -> None:
    """Check everything that was asked for, and do it, or say what would be done."""
    benchmark, model, samples = (asked[name] for name in ("benchmark", "model", "samples"))
    _check_sources(benchmark, model, samples, asked["embedder"])
    if asked["track"]:
        check_tracker(asked["track"])
    folder = asked["folder"] or configuration.folder_setting(ctx) or default_folder(benchmark, samples or model)
    writer = args.adapted(model, asked["adapter"])
    settled = {**asked, "folder": folder, "embedder": asked["embedder"] or writer}
    checked = _check({**settled, "model": writer})
    settings = configuration.settings_of(run, settled)
    if asked["dry_run"]:
        forecast(folder, checked, settings, as_json=asked["json"])
        return
    if not (folder / CONFIG_FILE).exists():
        keep_config(folder, settings)
    _run_stages(folder, checked, settled)


def _run_stages(folder: Path, checked: "Checked", asked: Mapping[str, Any]) -> None:
    terminal = Terminal(quiet=asked["quiet"])
    if asked["samples"]:
        terminal.message(f"{folder}: {asked['benchmark']}, the samples of {asked['samples']}.")
    else:
        drawn = f"{checked.problems} problems of {asked['benchmark']} x {asked['k']} samples of {asked['model']}"
        terminal.message(f"{folder}: {drawn}.")
    first = stages.import_ if asked["samples"] else stages.generate
    for stage in (first, stages.grade, stages.embed, stages.probe):
        stage(folder, **_of(stage, asked))
    stages.report(folder, None, asked["track"], asked["json"], asked["quiet"])


def _of(function: Callable[..., object], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a stage among those of the whole line; they have the same names."""
    return {name: asked[name] for name in signature(function).parameters if name in asked}


def _check(asked: Mapping[str, Any]) -> "Checked":
    from harness.stages.preflight import check_experiment

    wanted = args.objectives(asked["objective"])
    split = None if asked["samples"] else asked["split"]
    options = {**asked, "split": split, "objectives": wanted, "create": not asked["dry_run"]}
    return check_experiment(**_of(check_experiment, options))


def _check_sources(benchmark: str, model: str, samples: Path | None, embedder: str | None) -> None:
    """Raise QprobeError unless a benchmark and one source of samples are named."""
    if not benchmark:
        raise QprobeError("No benchmark: give --benchmark, or benchmark = ... in FILE.toml.")
    if bool(model) == bool(samples):
        raise QprobeError("Give either --model, which draws samples, or --samples, a file of them.")
    if not embedder and (samples or model.partition(":")[0] in set(ENGINES) - {"hf"}):
        raise QprobeError("Samples from a file or a server need --embedder, the model that reads them.")


def default_folder(benchmark: str, source: str | Path) -> Path:
    """results/BENCHMARK-SOURCE, named by the last parts of both."""
    named = Path(parse_spec(source, tuple(ENGINES)).name).name if isinstance(source, str) else source.name.split(".")[0]
    parts = (Path(benchmark.partition(":")[0]).name.split(".")[0], named)
    return Path("results") / "-".join(parts)


def demo(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="RUN")] = Path("results/demo"),
    k: Annotated[int, typer.Option("--k", help="samples a problem")] = 16,
    seed: args.Seed = 0,
    quiet: args.Quiet = False,
) -> None:
    """Try the whole line on what ships with qprobe. No network and no GPU; about two minutes."""
    from benchmarks.mini import MODEL
    from harness.stages.preflight import available_sandbox

    kind, why = available_sandbox()
    Terminal(quiet=quiet).message(why)
    run(
        ctx,
        folder,
        model=f"hf:{MODEL}",
        benchmark="mini",
        k=k,
        seed=seed,
        sandbox=kind,
        max_new_tokens=96,
        batch_size=128,
        layers="-1",
        quiet=quiet,
    )
