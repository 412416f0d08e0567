"""Arguments and options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.errors import QprobeError

if TYPE_CHECKING:
    from harness.probes import GridOverrides

Run = Annotated[Path, typer.Argument(metavar="RUN", help="the run's folder, such as results/NAME")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print results and errors only")]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]


def _complete_benchmark(incomplete: str) -> list[str]:
    """The benchmarks that a half-written name may mean."""
    from benchmarks.registry import benchmark_names

    return [name for name in benchmark_names() if name.startswith(incomplete)]


Format = Annotated[Literal["table", "json", "markdown", "latex", "csv"], typer.Option("--format", help="what to print")]
BenchmarkName = Annotated[
    str,
    typer.Option(
        "--benchmark",
        autocompletion=_complete_benchmark,
        help="a name (qprobe benchmarks list), NAME:FILE, FILE.jsonl, MAPPING.toml, FILE.py",
    ),
]
SandboxKind = Annotated[
    Literal["docker", "process"], typer.Option("--sandbox", help="process is for programs you trust: no isolation")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="programs at work at once [default: one a core, and more while some are slow]")
]
Image = Annotated[str | None, typer.Option(help="a Docker image, as sandbox build prints it [default: this Python]")]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help="CPU time a program may use [default: follows the reference's; 3 s where there is none]",
    ),
]
TimeoutFactor = Annotated[float, typer.Option(min=1.0, help="a program may use so many times its reference's CPU time")]
TimeoutMin = Annotated[float, typer.Option(min=0.01, help="but always so many seconds")]
TimeoutMax = Annotated[float, typer.Option(min=0.01, help="and never more than these")]
Runtime = Annotated[str | None, typer.Option(help="a runtime of the Docker engine, such as runsc [default: its own]")]
ModelName = Annotated[
    str,
    typer.Option("--model", help="what writes: hf:FOLDER, hf:HUB_ID, openai:MODEL,url=... or vllm:HUB_ID; ,key=value"),
]
Adapter = Annotated[str | None, typer.Option(help="a folder with a PEFT adapter for the model")]
DrawGreedy = Annotated[bool, typer.Option("--greedy", help="draw each problem's greedy completion too, as a baseline")]
SampleFormat = Annotated[
    str, typer.Option("--format", help="of the samples: human-eval, codet, mbpp-eval, evalplus, bigcode or auto")
]
Layers = Annotated[
    str | None, typer.Option(help="12,18,24 or fractions of the depth 0.5,0.8 or all [default: the paper's, 26 of 32]")
]
Pooling = Annotated[
    str | None, typer.Option(help="some of last, mean, prompt, after-stop [default: last; mean for encoders]")
]
Precision = Annotated[Literal["float32", "float16"], typer.Option(help="of the vectors on disk")]
PromptName = Annotated[
    str, typer.Option("--prompt", help="paper, chat, fewshot-N, successes-N:RUN or FILE.toml: what the model is shown")
]
Objectives = Annotated[
    str | None, typer.Option("--objective", help="names such as mse,ce,pg, or FILE.py:FUNCTION [default: all of ours]")
]
Preset = Annotated[
    str,
    typer.Option(help="nested: all is chosen inside the training folds; wide: from more; paper: as in the paper"),
]
Forms = Annotated[
    str | None,
    typer.Option("--form", help="probe forms to choose between: linear, mlp, mlp-2, gated [default: linear]"),
]
L2s = Annotated[str | None, typer.Option("--l2", help="regularisation to choose between, separated by commas")]
LearningRates = Annotated[str | None, typer.Option(help="learning rates to choose between, separated by commas")]
TrainBetas = Annotated[
    str | None, typer.Option(help="temperatures in training to choose between, of pg, dpo, listwise")
]
GroupDuplicates = Annotated[bool, typer.Option(help="problems whose prompts nearly agree share a fold")]
Folds = Annotated[
    int | None, typer.Option(help="folds of problems [default: 5, or as many as problems]", show_default=False)
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="of everything that is drawn")]
Beta = Annotated[float, typer.Option(min=0.0, help="temperature of the softmax selection; 0 takes the best")]
Regrade = Annotated[
    int, typer.Option(min=0, metavar="N", help="grade N programs twice and report how many verdicts change")
]
VisibleTests = Annotated[
    bool, typer.Option("--visible-tests", help="also run the test shown in the prompt, for two more baselines")
]
Greedy = Annotated[Path | None, typer.Option(help="a run of one sample a problem at temperature 0, to compare with")]
LearningCurve = Annotated[
    bool, typer.Option("--learning-curve", help="also train on 10, 20, 50, ... problems: some minutes more")
]
Repeats = Annotated[
    int, typer.Option(min=1, help="cross-validate so often, with other folds each time; the report has the mean")
]
Errata = Annotated[bool, typer.Option(help="mend the problems that are known to be wrong (benchmarks/errata)")]
Limit = Annotated[int | None, typer.Option(help="use the first so many problems only")]
Split = Annotated[str, typer.Option(help="the benchmark's split")]
Temperature = Annotated[float, typer.Option(min=0.0, help="of sampling; 0 is greedy")]
TopP = Annotated[float, typer.Option(min=0.0, max=1.0, help="nucleus sampling")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="the longest completion")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="sequences at a time [default: 128; vLLM's own]")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")]
Track = Annotated[str | None, typer.Option(help="send the report to mlflow or wandb too [default: to nobody]")]
Ks = Annotated[str | None, typer.Option("--k", help="report best of these k, separated by commas")]


def names(text: str) -> list[str]:
    """The names in a list separated by commas. Raises QprobeError where there is none."""
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise QprobeError(f"{text!r} names nothing: give names separated by commas.")
    return found


def objectives(text: str | None) -> list[str]:
    """The objectives asked for; all of ours that are compared by default where none is."""
    if text is not None:
        return names(text)
    from harness.probes import DEFAULT_OBJECTIVES

    return list(DEFAULT_OBJECTIVES)


def choices(form: str | None, l2: str | None, learning_rate: str | None, train_beta: str | None) -> "GridOverrides":
    """What probes are to be chosen between, where it is not what the preset tries. Raises QprobeError."""
    from harness.probes import GridOverrides

    forms = tuple(names(form)) if form is not None else ()
    return GridOverrides(
        forms, _reals("--l2", l2), _reals("--learning-rate", learning_rate), _reals("--train-beta", train_beta)
    )


def _reals(option: str, text: str | None) -> tuple[float, ...]:
    try:
        return () if text is None else tuple(float(part) for part in names(text))
    except ValueError as error:
        raise QprobeError(f"{option} {text} is not a list of numbers separated by commas.") from error


def numbers(text: str | None) -> list[int] | None:
    """The whole numbers in a list separated by commas. Raises QprobeError for anything else."""
    if text is None:
        return None
    try:
        return [int(part) for part in names(text)]
    except ValueError as error:
        raise QprobeError(f"{text!r} is not a list of whole numbers separated by commas.") from error


def adapted(model: str, adapter: str | None) -> str:
    """The model's name with its adapter in it."""
    return f"{model},adapter={adapter}" if model and adapter else model
