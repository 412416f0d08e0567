"""The parts of a report beside its main table: curves, calibration, difficulty, and every problem by itself.

Every part is plain data, written to `report.json` under the name that its field has in `Report`; results/README.md says
what each holds.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.reports.visible_answers import VisibleAnswers
from harness.stats import (
    Calibration,
    Difference,
    Difficulty,
    SampleFeatures,
    Summary,
    TableRow,
    Tradeoff,
    baseline_scores,
    best_of_k,
    calibrate,
    differences,
    pass_at_1,
    pass_at_k,
    points,
    relate_to_difficulty,
    reward_against_kl,
    tabulate,
    within_problem_auc,
)
from harness.stats.estimators import Bools, Floats, Ints

DEFAULT_KS = (1, 5, 10)
ORACLE = "oracle"
"""The name of scores that are the rewards themselves: no policy earns more at its distance from the base."""


@dataclass(frozen=True, slots=True)
class CurveSeries:
    """One line of a plot: means over problems at each place, with 95 % intervals; None where no problem has a value."""

    name: str
    value: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True, slots=True)
class BestOfK:
    """The exact expected reward of the best-scored of k samples, for every k up to the most a problem has."""

    k: list[int]
    lines: list[CurveSeries]  # each objective, each baseline, pass@1 and pass@k


@dataclass(frozen=True, slots=True)
class AtK:
    """The main table where only k samples stand for choice, over all subsets of k."""

    k: int
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Reward against distance from the base policy, by softmax selection with one objective's scores."""

    name: str
    limit: list[Tradeoff]  # over beta, the limit of many samples: p0 exp(Q / beta) / Z
    of_k: list[Tradeoff]  # over k, at the beta of the run: how fast the limit is reached


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Softmax selection among all samples by one objective's probes, over how many problems they learnt from."""

    problems: list[int]
    line: CurveSeries


@dataclass(frozen=True, slots=True)
class Repeated:
    """The main table's objectives over several cross-validations, of other folds each."""

    seeds: tuple[int, ...]
    rows: tuple[TableRow, ...]  # of each problem's mean over the cross-validations; intervals are over problems
    spread: dict[str, float]  # standard deviation of an objective's gain over the cross-validations


@dataclass(frozen=True, slots=True)
class PerProblem:
    """Every problem by itself; all lists are in the order of `id`."""

    id: list[str]
    graded: list[int]  # samples with a reward
    passed: list[int]
    distinct: list[int]  # programs that differ
    value: dict[str, list[float]]  # by row of the main table: the expected reward of its selection
    pick: dict[str, list[int]]  # by score: the index of the best-scored sample, the first of equals
    pick_passed: dict[str, list[bool]]
    auc: dict[str, list[float]]  # by score: the chance that a pass outscores a failure; None without one of either


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """What every part is made from. `scores` and `baselines` are [P, N] each, by name."""

    problem_ids: tuple[str, ...]
    indices_PN: Ints
    rewards_PN: Floats
    mask_PN: Bools
    scores: Mapping[str, Floats]
    raw_scores: Mapping[str, Floats]  # as the probes gave them, before each fold's temperature
    baselines: Mapping[str, Floats]

    @property
    def all_scores(self) -> dict[str, Floats]:
        """The objectives' scores and the baselines'."""
        return {**self.scores, **self.baselines}


def baselines_of(features: SampleFeatures, mask_PN: Bools, answers: VisibleAnswers | None) -> dict[str, Floats]:
    """Scores [P, N] that need no probe, by name; `answers` is what programs gave on the test their prompt shows."""
    if answers is None:
        return baseline_scores(features, mask_PN)
    features = replace(features, groups={**features.groups, "outputs": answers.groups_PN})
    return {**baseline_scores(features, mask_PN), "passes shown test": answers.passes_PN}


def default_ks(most: int) -> tuple[int, ...]:
    """The numbers of samples that tables are made for where nobody asked for others; the last is all there are."""
    return tuple(dict.fromkeys(k for k in (*DEFAULT_KS, most) if k <= most))


def at_few_ks(summary_at: Callable[[int], Summary], ks: Sequence[int], most: int) -> tuple[AtK, ...]:
    """The main table at each k that leaves a choice and is not all samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # problems with fewer samples take no part; the report's notes say so
        return tuple(AtK(k, summary_at(k).rows) for k in ks if 1 < k < most)


def best_of_every_k(made: ReportInputs) -> BestOfK:
    """The curve over k of every score, of pass@1 and of pass@k."""
    ks = list(range(1, int(made.mask_PN.sum(1).max(initial=1)) + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # problems with fewer samples take no part; the report's notes say so
        values = {
            name: best_of_k(scores_PN, made.rewards_PN, made.mask_PN, ks) for name, scores_PN in made.all_scores.items()
        }
        values["pass@k"] = np.stack([pass_at_k(made.rewards_PN, made.mask_PN, k) for k in ks], axis=1)
    values["pass@1"] = np.repeat(values["pass@k"][:, :1], len(ks), axis=1)
    return BestOfK(ks, [_series(name, values_PK.T) for name, values_PK in values.items()])


def _series(name: str, values_XP: Floats) -> CurveSeries:
    found = points(range(len(values_XP)), values_XP)
    return CurveSeries(name, *([getattr(point, part) for point in found] for part in ("value", "low", "high")))


def learning_line(made: ReportInputs, objective: str, problems: Sequence[int], values_SP: Floats) -> LearningCurve:
    """The curve over the number of training problems; its first point is none at all, which is pass@1."""
    base_P = pass_at_1(made.rewards_PN, made.mask_PN)
    return LearningCurve([0, *problems], _series(objective, np.stack([base_P, *values_SP])))


def repeated(made: ReportInputs, seeds: Sequence[int], values_SOP: Floats, oracle_P: Floats) -> Repeated:
    """What the draw of the folds decides, and what is left when it is averaged out."""
    means_OP = values_SOP.mean(0)
    values = {"pass@1": pass_at_1(made.rewards_PN, made.mask_PN), **dict(zip(made.scores, means_OP, strict=True))}
    rows = tabulate({**values, "pass@k": oracle_P}, base="pass@1", oracle="pass@k", compared=set(made.scores))
    spread_O = np.nanmean(values_SOP, axis=2).std(axis=0, ddof=1)  # pass@1 is the same in all of them
    return Repeated(tuple(seeds), tuple(rows[1:-1]), dict(zip(made.scores, spread_O.tolist(), strict=True)))


def frontiers(made: ReportInputs, beta: float, ks: Sequence[int]) -> list[Frontier]:
    """The curve over beta of every objective, and of the rewards themselves."""
    betas = [float(each) for each in (beta or 0.1) * np.geomspace(0.01, 100, 17)]
    found = []
    for name, scores_PN in {**made.scores, ORACLE: made.rewards_PN}.items():
        limit = reward_against_kl(scores_PN, made.rewards_PN, made.mask_PN, betas)
        of_k = [] if name == ORACLE else _over_k(made, scores_PN, beta, ks)
        found.append(Frontier(name, limit, of_k))
    return found


def _over_k(made: ReportInputs, scores_PN: Floats, beta: float, ks: Sequence[int]) -> list[Tradeoff]:
    whole_P = made.mask_PN.sum(1) >= max(ks, default=1)
    parts = (scores_PN[whole_P], made.rewards_PN[whole_P], made.mask_PN[whole_P])
    return reward_against_kl(*parts, [beta], ks)


def calibrations(made: ReportInputs) -> list[Calibration]:
    """Of every objective; the scores of `mse` and `ce` are chances of a pass, those of the others are mere order."""
    found = []
    for name, scores_PN in made.raw_scores.items():
        chances = {"mse": lambda x: x, "ce": lambda x: 1 / (1 + np.exp(-x))}.get(name)
        shown_PN = chances(scores_PN) if chances else scores_PN
        found.append(calibrate(name, shown_PN, made.rewards_PN, made.mask_PN, chances=chances is not None))
    return found


def difficulties(made: ReportInputs) -> list[Difficulty]:
    """Of every objective."""
    return [
        relate_to_difficulty(name, scores_PN, made.rewards_PN, made.mask_PN)
        for name, scores_PN in made.raw_scores.items()
    ]


def compared(made: ReportInputs, summary: Summary) -> dict[str, list[Difference]]:
    """The objectives against one another, and each against each baseline; Holm's correction within each family."""
    objectives = {name: summary.values[name] for name in made.scores}
    pairs = [(name, baseline) for name in made.scores for baseline in made.baselines]
    return {"objectives": differences(objectives), "baselines": differences(summary.values, pairs)}


def per_problem(made: ReportInputs, summary: Summary, distinct_P: Ints) -> PerProblem:
    """What each problem earned, which sample each score takes, and how well it orders them."""
    places = {name: np.where(made.mask_PN, each, -np.inf).argmax(1) for name, each in made.all_scores.items()}
    rows_P = np.arange(len(made.problem_ids))
    return PerProblem(
        id=list(made.problem_ids),
        graded=made.mask_PN.sum(1).tolist(),
        passed=((made.rewards_PN > 0) & made.mask_PN).sum(1).tolist(),
        distinct=distinct_P.tolist(),
        value={name: values_P.tolist() for name, values_P in summary.values.items()},
        pick={name: made.indices_PN[rows_P, place_P].tolist() for name, place_P in places.items()},
        pick_passed={name: (made.rewards_PN[rows_P, place_P] > 0).tolist() for name, place_P in places.items()},
        auc={
            name: within_problem_auc(scores_PN, made.rewards_PN, made.mask_PN).tolist()
            for name, scores_PN in made.all_scores.items()
        },
    )
