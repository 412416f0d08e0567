"""Report: the numbers of a run, as plain data that every way of showing them reads."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.errors import QprobeError
from harness.reports.extraction_failures import extraction_failures
from harness.reports.sections import (
    AtK,
    BestOfK,
    Frontier,
    LearningCurve,
    PerProblem,
    Repeated,
    ReportInputs,
    at_few_ks,
    baselines_of,
    best_of_every_k,
    calibrations,
    compared,
    default_ks,
    difficulties,
    frontiers,
    learning_line,
    per_problem,
    repeated,
)
from harness.reports.stability import Stability, stability
from harness.reports.visible_answers import VisibleAnswers, visible_answers
from harness.runs.completion import GREEDY
from harness.runs.features import PROGRAMS
from harness.runs.scores import Scores, load_scores, sample_rewards
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stats import (
    Calibration,
    Difference,
    Difficulty,
    Summary,
    TableRow,
    best_of_k,
    distinct_samples,
    pass_at_k,
    softmax_selection,
    summarise,
)
from harness.stats.estimators import Bools, Floats

SCHEMA = "qprobe-report/1"


@dataclass(frozen=True, slots=True)
class Curve:
    """Expected reward of the best of k, averaged over the problems that have k graded samples."""

    name: str
    values: tuple[float | None, ...]  # one for each k; None where no problem has k samples


@dataclass(frozen=True, slots=True)
class Report:
    """What came out of a run."""

    run: str
    benchmark: str
    errata: str  # what was done about problems known to be wrong; "" where nothing was
    prompt: str  # what the model was shown, by name and version; "" for samples that somebody else drew
    source: str  # the model, or the file the samples came from
    embedder: str
    views: tuple[tuple[int, str], ...]  # what of it the probes could read: layers and poolings
    problems: int
    samples: int
    samples_per_problem: tuple[int, int]  # fewest and most
    distinct: float  # mean share of a problem's programs that are distinct
    statuses: dict[str, int]  # verdicts by status
    extraction: dict[str, int]  # samples from which no whole program was made, by what they lack
    modes: dict[str, int]  # problems by where their tests ran: "separate", "live" or "shared" (sandbox/README.md)
    base_pass_at_1: float | None  # by the base tests alone, where the benchmark adds to them
    no_signal: int  # problems whose samples all pass or all fail
    settings: dict[str, Any]  # folds, seed, beta, preset, grader, view
    chosen: dict[str, list[dict[str, Any]]]  # for each objective, what was chosen in each fold
    rows: tuple[TableRow, ...]
    ks: tuple[int, ...]
    curves: tuple[Curve, ...]
    at_k: tuple[AtK, ...]  # the same rows where only k samples stand for choice
    best_of_k: BestOfK
    frontiers: list[Frontier]
    calibrations: list[Calibration]
    difficulties: list[Difficulty]
    differences: dict[str, list[Difference]]  # "objectives": among them; "baselines": each less each baseline
    per_problem: PerProblem
    learning: LearningCurve | None  # where the probes were asked for it
    repeats: Repeated | None  # where the probes were asked for them
    stability: Stability | None  # of verdicts, where programs were graded twice
    shown_tests: int  # problems whose prompt shows a test that the programs were run on

    def as_json(self) -> dict[str, Any]:
        """The report as JSON's own types; numbers that do not exist are null. `schema` names the layout."""
        return {"schema": SCHEMA, **jsonable(asdict(self))}

    def __str__(self) -> str:
        """Return the tables as text, in colour where standard output is a terminal."""
        from harness.reports.render.display import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        """Return the tables as HTML, for notebooks."""
        from harness.reports.render.display import as_html

        return as_html(self)


def report(store: Store, ks: Sequence[int] | None = None, greedy: Mapping[str, float] | None = None) -> Report:
    """Read a run's verdicts and out-of-fold scores and make the numbers.

    `greedy` holds the reward of a greedy sample, by problem, where the run's own are not to serve; problems that have
    none take no part in its row.
    Raises QprobeError where a stage is missing, or a k is larger than the samples there are.
    """
    scores = load_scores(store)
    answers = visible_answers(store, scores.settings["grader"], scores.problem_ids, scores.indices_PN)
    made = _inputs_of(scores, *sample_rewards(store, scores), answers)
    others = _others(scores, greedy or _own_greedy(store, scores))
    counts_P = made.mask_PN.sum(1)
    chosen = _chosen_ks(ks, int(counts_P.max()))
    summary = _summary(made, scores, None, others)
    distinct_P = distinct_samples(scores.features.groups[PROGRAMS], made.mask_PN)
    passed_P = (made.rewards_PN * made.mask_PN).sum(1)
    about = store.settings()
    embedding = about[f"view {scores.settings['view']}"]
    return Report(
        run=store.folder.name,
        benchmark=about["benchmark"],
        errata=about.get("errata", ""),
        prompt=about.get("prompt", ""),
        source=_source(about["source"]),
        embedder=embedding["embedder"],
        views=tuple((layer, pooling) for layer, pooling in embedding["views"]),
        problems=len(scores.problem_ids),
        samples=int(counts_P.sum()),
        samples_per_problem=(int(counts_P.min()), int(counts_P.max())),
        distinct=float(np.mean(distinct_P / counts_P)),
        **_verdicts(store, scores),
        no_signal=int(((passed_P == 0) | (passed_P == counts_P)).sum()),
        settings=scores.settings,
        chosen=scores.chosen,
        rows=summary.rows,
        ks=chosen,
        curves=tuple(_curves(made, chosen)),
        at_k=at_few_ks(lambda k: _summary(made, scores, k, others), chosen, int(counts_P.max())),
        best_of_k=best_of_every_k(made),
        frontiers=frontiers(made, scores.settings["beta"], _few_ks(int(counts_P.max()))),
        calibrations=calibrations(made),
        difficulties=difficulties(made),
        differences=compared(made, summary),
        per_problem=per_problem(made, summary, distinct_P),
        learning=_learning(made, scores),
        repeats=_repeats(made, scores, summary),
        stability=stability(store, scores.settings["grader"]),
        shown_tests=answers.problems if answers else 0,
    )


def _own_greedy(store: Store, scores: Scores) -> dict[str, float]:
    """The rewards of the run's own greedy completions, by problem."""
    verdicts = store.verdicts(scores.settings["grader"], greedy=True)
    found = {sample.problem_id: each.reward for sample, each in verdicts.items() if sample.sample == GREEDY}
    return {problem_id: reward for problem_id, reward in found.items() if reward is not None}


def _inputs_of(scores: Scores, rewards_PN: Floats, mask_PN: Bools, answers: VisibleAnswers | None) -> ReportInputs:
    named = dict(zip(scores.objectives, scores.scores_OPN, strict=True))
    beta = scores.settings["beta"]
    raw = {}
    for name, scores_PN in named.items():
        temperatures_F = np.array([choice["temperature"] for choice in scores.chosen[name]])
        raw[name] = scores_PN * temperatures_F[scores.fold_P, None] / beta if beta else scores_PN
    baselines = baselines_of(scores.features, mask_PN, answers)
    return ReportInputs(scores.problem_ids, scores.indices_PN, rewards_PN, mask_PN, named, raw, baselines)


def _others(scores: Scores, greedy: Mapping[str, float] | None) -> dict[str, Floats]:
    return {"greedy": np.array([greedy.get(name, np.nan) for name in scores.problem_ids])} if greedy else {}


def _summary(made: ReportInputs, scores: Scores, k: int | None, others: Mapping[str, Floats]) -> Summary:
    return summarise(
        made.rewards_PN,
        made.mask_PN,
        made.scores,
        beta=scores.settings["beta"],
        k=k,
        control_CPN=scores.control_CPN,
        random_CPN=scores.random_CPN,
        baselines=made.baselines,
        others=others,
        lengths_PN=scores.features.lengths_PN,
    )


def _learning(made: ReportInputs, scores: Scores) -> LearningCurve | None:
    learnt, beta = scores.learning, scores.settings["beta"]
    if learnt is None:
        return None
    values = [softmax_selection(scores_PN, made.rewards_PN, made.mask_PN, beta) for scores_PN in learnt.scores_SPN]
    return learning_line(made, learnt.objective, learnt.problems, np.stack(values))


def _repeats(made: ReportInputs, scores: Scores, summary: Summary) -> Repeated | None:
    found = scores.repeats
    oracle_P = summary.values[summary.rows[-1].name]
    return None if found is None else repeated(made, found.seeds, found.values_SOP, oracle_P)


def _few_ks(most: int) -> list[int]:
    """A few numbers of samples, and the most there are: between 20 and that little happens, and sums grow long."""
    return [k for k in (1, 2, 5, 10, 20) if k < most] + [most]


def _chosen_ks(ks: Sequence[int] | None, most: int) -> tuple[int, ...]:
    if ks is None:
        return default_ks(most)
    if wrong := [k for k in ks if not 1 <= k <= most]:
        raise QprobeError(f"k = {wrong[0]} cannot be reported: the run has {most} graded samples a problem at most.")
    return tuple(ks)


def _curves(made: ReportInputs, ks: Sequence[int]) -> list[Curve]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # problems with fewer samples are left out, and the table says so
        curves = [
            Curve(name, _means(best_of_k(found, made.rewards_PN, made.mask_PN, ks)))
            for name, found in made.scores.items()
        ]
        oracle_PK = np.stack([pass_at_k(made.rewards_PN, made.mask_PN, k) for k in ks], axis=1)
    return [*curves, Curve("pass@k", _means(oracle_PK))]


def _means(values_PK: Floats) -> tuple[float | None, ...]:
    return tuple(float(np.nanmean(column)) if np.isfinite(column).any() else None for column in values_PK.T)


def _verdicts(store: Store, scores: Scores) -> dict[str, Any]:
    verdicts = store.verdicts(scores.settings["grader"])
    mode_of = {sample.problem_id: outcome.mode for sample, outcome in verdicts.items()}
    statuses = Counter(outcome.status.value for outcome in verdicts.values())
    return {
        "statuses": dict(statuses.most_common()),
        "extraction": extraction_failures(store, verdicts),
        "modes": dict(Counter(mode_of.values()).most_common()),
        "base_pass_at_1": _base_pass_at_1(store, scores),
    }


def _base_pass_at_1(store: Store, scores: Scores) -> float | None:
    """The mean over problems of the share of samples that pass the base tests; None where there are none."""
    rewards: defaultdict[str, list[float]] = defaultdict(list)
    for sample, outcome in store.verdicts(VerdictSet.BASE_TESTS.key(scores.settings["grader"])).items():
        if outcome.reward is not None:
            rewards[sample.problem_id].append(outcome.reward)
    return float(np.mean([np.mean(each) for each in rewards.values()])) if rewards else None


def _source(source: dict[str, Any]) -> str:
    return str(source.get("model") or source.get("file"))


def jsonable(value: Any) -> Any:  # noqa: ANN401 - walks JSON
    """The same in JSON's own types; a number that does not exist is null."""
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
