# ruff: noqa: RUF009 - `option` makes a dataclass field
"""The options of every stage. Each default is written here once; the command line and TOML files are made from them.

A field whose type is a tuple is a list separated by commas on the command line, and a list in TOML. `key_of` is the
name of a field in TOML and in a run's `config.toml`: its option without the dashes.
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import Field, asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from harness.errors import QprobeError
from harness.models.engine import Sampling
from harness.models.template_variables import read_variables
from harness.stages.option_values import CheckedOptions, flag_of, option
from sandbox.factory import SandboxKind

if TYPE_CHECKING:
    from harness.cluster.actors import SandboxChoice
    from harness.probes import GridOverrides
    from harness.stages.grade import Budget

T = TypeVar("T")
Precision = Literal["float32", "float16"]
Location = Literal["res", "attn", "mlp"]


def _benchmarks(incomplete: str) -> list[str]:
    """Complete the name of a benchmark."""
    from benchmarks.registry import benchmark_names

    return [name for name in benchmark_names() if name.startswith(incomplete)]


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(CheckedOptions):
    """The benchmark that a stage needs."""

    TITLE: ClassVar[str] = "Benchmark"

    benchmark: str = option(
        "",
        "benchmark: a name (qprobe benchmarks list), NAME:FILE, FILE.jsonl, MAPPING.toml or FILE.py",
        required=True,
        complete=_benchmarks,
    )
    errata: bool = option(True, "correct the problems known to be wrong (benchmarks/errata)")


@dataclass(frozen=True, kw_only=True)
class SeedOptions(CheckedOptions):
    """The seed of a stage that draws random numbers."""

    TITLE: ClassVar[str] = "Randomness"

    seed: int = option(0, "random seed", least=0, most=2**32 - 1)


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(CheckedOptions):
    """The device of a stage that runs a model."""

    TITLE: ClassVar[str] = "Device"

    device: str = option("auto", "device of the model: auto, cpu, cuda, cuda:1 or mps")


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(CheckedOptions):
    """The cluster that a stage works on."""

    TITLE: ClassVar[str] = "Cluster"

    ray: str = option("", "Ray cluster that draws, reads and grades: HOST:PORT, or auto", metavar="ADDRESS")


@dataclass(frozen=True, kw_only=True)
class ImportOptions(BenchmarkOptions):
    """Options of `import`."""

    TITLE: ClassVar[str] = "Existing samples"

    samples: Path | None = option(
        None, "existing samples: JSON Lines (gzip'ed or not), a JSON list, or a folder of programs", required=True
    )
    complete: bool = option(False, "fail unless the samples cover every problem of the benchmark's split")
    format: str = option(
        "auto", "format of the samples: human-eval, codet, mbpp-eval, evalplus, bigcode, qprobe or auto"
    )


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(ClusterOptions, DeviceOptions, SeedOptions, BenchmarkOptions):
    """Options of `generate`."""

    TITLE: ClassVar[str] = "Generation"

    model: str = option(
        "", "model that writes: hf:FOLDER, hf:HUB_ID, openai:MODEL,url=... or vllm:HUB_ID; ,key=value", required=True
    )
    k: int = option(20, "samples per problem")
    limit: int | None = option(None, "number of problems, taken from the first [default: all]")
    split: str = option("test", "split of the benchmark")
    prompt: str = option("paper", "prompt shown to the model: paper, chat, fewshot-N, successes-N:RUN or FILE.toml")
    temperature: float = option(Sampling.temperature, "sampling temperature; 0 is greedy", least=0.0)
    top_p: float = option(Sampling.top_p, "probability mass of nucleus sampling", above=0.0, most=1.0)
    max_new_tokens: int | None = option(
        None, "longest completion, in tokens [default: 300, or 1024 with a chat prompt]", least=1
    )
    top_k: int = option(Sampling.top_k, "number of likeliest tokens drawn from; 0 is all", least=0)
    min_p: float = option(
        Sampling.min_p, "least probability of a token, as a share of the likeliest token's", least=0.0, most=1.0
    )
    repetition_penalty: float = option(
        Sampling.repetition_penalty, "divisor of positive logits of tokens that occurred before; 1 is none", above=0.0
    )
    system_prompt: str = option(Sampling.system_prompt, "system message of a chat prompt")
    chat_template_kwargs: tuple[str, ...] = option(
        (), "variables of the model's chat template, such as enable_thinking=false [default: none]", metavar="KEY=VALUE"
    )
    greedy: bool = option(False, "draw the greedy completion of each problem too, as a baseline")
    batch_size: int | None = option(None, "sequences decoded together [default: 128; vLLM: its default]", least=1)
    block: int = option(
        0, "samples drawn and kept together, about: resumed and sharded runs are then equal bit for bit", least=0
    )
    shard: str = option("", "part of the problems, such as 3/16: the others are for other machines", metavar="I/N")
    adapter: str | None = option(None, "folder of a PEFT adapter for the model")

    @property
    def sampling(self) -> Sampling:
        """The rule by which tokens are drawn, before a chat prompt raises the longest completion."""
        return Sampling(
            self.temperature,
            self.top_p,
            self.max_new_tokens or Sampling.max_new_tokens,
            self.top_k,
            self.min_p,
            self.repetition_penalty,
            self.system_prompt,
            read_variables(self.chat_template_kwargs),
        )

    @property
    def adapted_model(self) -> str:
        """The model's name with its adapter in it."""
        return f"{self.model},adapter={self.adapter}" if self.model and self.adapter else self.model


@dataclass(frozen=True, kw_only=True)
class SandboxOptions(CheckedOptions):
    """The sandbox that programs run in."""

    TITLE: ClassVar[str] = "Grading"

    sandbox: SandboxKind = option("docker", "sandbox: docker, or process (no isolation: for programs you trust)")
    image: str | None = option(None, "Docker image, as sandbox build prints it [default: made from this Python]")
    runtime: str | None = option(None, "runtime of the Docker engine, such as runsc [default: the engine's]")


@dataclass(frozen=True, kw_only=True)
class WorkerOptions(SandboxOptions):
    """The sandbox, and how many programs run in it at the same time."""

    TITLE: ClassVar[str] = "Grading"

    workers: int | None = option(
        None, "programs run at the same time [default: one per core, more while some are slow]", least=1
    )


@dataclass(frozen=True, kw_only=True)
class GradeOptions(WorkerOptions, ClusterOptions):
    """Options of `grade`."""

    TITLE: ClassVar[str] = "Grading"

    timeout: float | None = option(
        None, "CPU seconds of a program [default: the benchmark's convention, or 3]", least=0.01
    )
    timeout_factor: float | None = option(
        None, "CPU time in multiples of the reference solution's, such as 20: quicker, and stricter", least=1.0
    )
    timeout_min: float | None = option(
        None, "smallest CPU time limit, in s [default: none; 0.5 with a factor]", least=0.01
    )
    timeout_max: float | None = option(
        None, "largest CPU time limit, in s [default: none; 10 with a factor]", least=0.01
    )
    regrade: int = option(200, "programs graded twice, to count the verdicts that change", least=0, metavar="N")
    visible_tests: bool = option(False, "also run the test shown in the prompt, for two more baselines")
    generated_tests: Path | None = option(
        None, "also run the tests that a model wrote: JSON Lines of task_id and tests, or CodeT's files"
    )

    @property
    def budget(self) -> "Budget":
        """The limits of programs. Raises QprobeError where the smallest is above the largest."""
        from harness.stages.grade import Budget

        return Budget(self.timeout, self.timeout_factor, self.timeout_min, self.timeout_max)

    @property
    def choice(self) -> "SandboxChoice":
        """The sandbox that every node of a cluster opens."""
        from harness.cluster.actors import SandboxChoice

        return SandboxChoice(self.sandbox, self.workers, self.image, self.runtime)


@dataclass(frozen=True, kw_only=True)
class EmbedOptions(DeviceOptions):
    """Options of `embed`."""

    TITLE: ClassVar[str] = "Hidden states"

    embedder: str | None = option(
        None, "model that reads the samples: hf:FOLDER, hf:HUB_ID or openai:MODEL,url=...", required=True
    )
    layers: str | None = option(
        None, "layers: 12,18,24, fractions of the depth 0.5,0.8, or all [default: the paper's, 26 of 32]"
    )
    pooling: str | None = option(
        None, "poolings: some of last, mean, prompt, after-stop [default: last; mean for encoders]"
    )
    location: Location = option(
        "res", "place inside the layers: res (the residual stream), attn (the attention heads) or mlp"
    )
    precision: Precision = option("float32", "precision of the vectors on disk")
    log_probability: bool = option(
        True, "also compute log-probabilities of samples without, for baselines; needs the whole model's pass"
    )


@dataclass(frozen=True, kw_only=True)
class EmbedStageOptions(ClusterOptions, EmbedOptions):
    """Options of `embed` alone."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(SeedOptions):
    """The training of probes, in `probe` and `transfer`."""

    TITLE: ClassVar[str] = "Probes"

    objectives: tuple[str, ...] = option(
        (), "objectives such as mse,ce,pg,stacked, or FILE.py:FUNCTION [default: eight of them]", flag="--objective"
    )
    beta: float | None = option(
        None,
        "select by softmax at this temperature, at 0 by arg max [default: chosen in the folds; with paper 0.1]",
        least=0.0,
    )
    preset: str = option(
        "nested", "training: nested (all chosen in the training folds), wide (from more) or paper (as in the paper)"
    )
    forms: tuple[str, ...] = option(
        (), "probe forms tried: linear, mlp, mlp-2, mlp-256, mlp-1024, gated [default: linear]", flag="--form"
    )
    l2s: tuple[float, ...] = option(
        (), "weights of the L2 penalty tried [default: the preset's]", flag="--l2", least=0.0
    )
    learning_rates: tuple[float, ...] = option(
        (), "learning rates tried [default: the preset's]", flag="--learning-rate", above=0.0
    )
    features: tuple[str, ...] = option(
        (),
        "features beside the vectors, without labels: some of centrality, length, logprob, least-logprob, certainty "
        "[default: none]",
    )
    train_betas: tuple[float, ...] = option(
        (),
        "training temperatures tried, for pg, dpo and listwise [default: the preset's]",
        flag="--train-beta",
        above=0.0,
    )

    @property
    def overrides(self) -> "GridOverrides":
        """The settings tried in place of the preset's. Needs torch."""
        from harness.probes import GridOverrides

        return GridOverrides(self.forms, self.l2s, self.learning_rates, self.train_betas)

    @property
    def named_objectives(self) -> tuple[str, ...]:
        """The objectives asked for, or the default ones. Needs torch."""
        from harness.probes import DEFAULT_OBJECTIVES

        return self.objectives or DEFAULT_OBJECTIVES


@dataclass(frozen=True, kw_only=True)
class ProbeOptions(TrainOptions):
    """Options of `probe`."""

    TITLE: ClassVar[str] = "Probes"

    folds: int | None = option(None, "number of folds [default: 5, or one per problem where there are fewer]", least=2)
    learning_curve: bool = option(False, "also train on 10, 20, 50, ... problems; takes some minutes more")
    repeats: int | None = option(
        None, "cross-validations whose mean is reported [default: 10, fewer with more than 2,000 problems]", least=1
    )
    group_duplicates: bool = option(True, "keep problems with nearly equal descriptions or references in one fold")


@dataclass(frozen=True, kw_only=True)
class PreferenceOptions(ProbeOptions, EmbedOptions):
    """Options of `preferences`."""

    TITLE: ClassVar[str] = "Pairs"

    pairs: str | None = option(None, "pair set: hh, shp, oasst, NAME:FILE, FILE.jsonl or MAPPING.toml")
    split: str | None = option(None, "split of the pair set [default: all]")
    limit: int | None = option(None, "number of pairs, taken from the first [default: all]", least=1)
    min_score_ratio: float = option(2.0, "least ratio of the votes of an SHP pair; closer ones are left out", least=1.0)
    objectives: tuple[str, ...] = option(
        (), "objectives over pairs [default: pairwise,hinge,dpo,copg]", flag="--objective"
    )
    beta: float = option(0.0, "select by softmax at this temperature; 0 is the higher score", least=0.0)


@dataclass(frozen=True, kw_only=True)
class TransferOptions(TrainOptions):
    """Options of `transfer`."""

    TITLE: ClassVar[str] = "Probes"

    leave_out_duplicates: bool = option(False, "train on no problem whose prompt nearly equals that of a test problem")
    k: int | None = option(
        None, "samples to select among in the table over seeds, 48 in the paper [default: all]", least=1
    )
    seeds: int = option(1, "trainings, each with the next seed; a table shows their mean and spread", least=1)
    learning_curve: bool = option(False, "also train on 10, 20, 50, ... problems: a table and a figure")
    by_layer: bool = option(False, "also train on each layer alone: a table and a figure of the gains")
    greedy: bool = option(False, "fail unless the test runs hold greedy completions, whose row stands in each table")


@dataclass(frozen=True, kw_only=True)
class ReportOptions(CheckedOptions):
    """Options of a report in a pipeline."""

    TITLE: ClassVar[str] = "Report"

    track: str | None = option(None, "also send the report to mlflow or wandb [default: nowhere]")


@dataclass(frozen=True, kw_only=True)
class EvalOptions(ReportOptions, GradeOptions, ImportOptions, GenerateOptions):
    """Options of the pipeline without probes: of generation or import, grading and the report."""


@dataclass(frozen=True, kw_only=True)
class PipelineOptions(ReportOptions, ProbeOptions, EmbedOptions, GradeOptions, ImportOptions, GenerateOptions):
    """Options of the full pipeline: those of every stage, where options of the same name are one.

    The last base comes first in `--help`.
    """

    probes: bool = option(True, "train probes, where a model reads the samples; --no-probes samples and grades alone")


def title_of(stage: type[Any], entry: "Field[Any]") -> str:
    """Return the heading in `--help` of the options that a field stands among."""
    owner = next(part for part in reversed(stage.__mro__) if entry.name in inspect.get_annotations(part))
    return str(owner.__dict__.get("TITLE", ""))


def key_of(entry: "Field[Any]") -> str:
    """Return the name of a field in TOML: its option without dashes."""
    return flag_of(entry).removeprefix("--").replace("-", "_")


def settings_of(options: Any, stage: type[Any] | None = None) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Return options by key, as TOML and JSON hold them; with `stage`, those of that class alone."""
    values = asdict(options)
    return {key_of(entry): _plain(values[entry.name]) for entry in fields(stage or options)}


def from_settings(stage: type[T], settings: Mapping[str, Any]) -> T:
    """Return the options that `settings_of` wrote; keys that the class does not have are ignored."""
    entries: Iterable[Field[Any]] = fields(stage)  # type: ignore[arg-type]
    return stage(**{entry.name: settings[key_of(entry)] for entry in entries if key_of(entry) in settings})


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value) or None  # an empty list means the default
    return str(value) if isinstance(value, Path) else value


def names(text: str) -> tuple[str, ...]:
    """Return the names in a list separated by commas. Raises QprobeError where it is empty."""
    listed = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not listed:
        raise QprobeError(f"{text!r} names nothing: give names separated by commas.")
    return listed
