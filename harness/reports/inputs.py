"""Report inputs: everything that a report and its page are computed from, read from a run's store once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from benchmarks import Problem
from harness.errors import NoProbesError, QprobeError, StaleProbesError
from harness.reports.extraction_failures import sample_failures
from harness.reports.generated_answers import GeneratedAnswers, generated_answers
from harness.reports.visible_answers import VisibleAnswers, visible_answers
from harness.rewards.score_card import ScoreCard
from harness.runs.completion import GREEDY, Completion, SampleId
from harness.runs.features import vector_kernels
from harness.runs.scores import Scores, load_scores, sample_rewards
from harness.runs.store import Store
from harness.runs.unprobed import unprobed_scores
from harness.runs.verdict_sets import VerdictSet
from harness.stats import SampleFeatures, Selector, agreement, baseline_scores, baseline_selectors
from harness.stats.baselines import CODET, GENERATED, OUTPUTS, SHOWN, VECTOR_AGREEMENT
from harness.stats.composed import Composed, composed
from harness.stats.estimators import Bools, Floats, Ints
from harness.stats.selectors import ByScores, Foldings
from sandbox import Outcome

PAPERS = "pg"
"""The objective that a report leads with if it was trained: choosing the best of several by their results flatters."""


@dataclass(frozen=True, slots=True)
class GradedSample:
    """A completion's program and its verdict."""

    index: int
    program: str
    failures: tuple[str, ...]  # of the extraction; see harness/reports/extraction_failures.py
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class ProblemSamples:
    """A problem and its samples, the greedy one excluded."""

    problem: Problem
    prompt: str
    samples: tuple[GradedSample, ...]


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """The values that a report is computed from. Arrays are [P, N]: problems with scores, samples per problem.

    A run without probes has no objectives; its samples stand at the places that scores would have.
    """

    run: str
    benchmark: str
    errata: str
    prompt: str
    source: str
    token_limit: int | None  # of the completions; None where it is not known
    benchmark_problems: int  # problems of the splits that the samples are of; 0 where it is not known
    embedder: str  # "" without probes
    scorer: str  # the model whose log-probabilities the samples have, where it did not write them
    views: tuple[tuple[int, str], ...]
    problems: tuple[ProblemSamples, ...]  # those with samples, in the order of the benchmark
    verdicts: Mapping[SampleId, Outcome]  # without the greedy samples'
    greedy_rewards: Mapping[str, float]  # by problem
    second_verdicts: Mapping[SampleId, Outcome]  # of the programs that were graded twice
    base_verdicts: Mapping[SampleId, Outcome]  # by the base tests alone
    visible: VisibleAnswers | None
    generated: GeneratedAnswers | None
    scores: Scores
    has_stale_probes: bool  # older than the verdicts or vectors, and left out
    rewards_PN: Floats
    mask_PN: Bools  # the graded samples
    objectives: Mapping[str, Floats]  # out-of-fold scores by objective, of the first cross-validation
    raw_scores: Mapping[str, Floats]  # the same as the probes gave them, before each fold's temperature
    baselines: Mapping[str, Floats]  # scores by baseline
    selectors: Mapping[str, Selector] = field(default_factory=dict)  # of baselines that compare the drawn samples alone
    composed: Mapping[str, Composed] = field(default_factory=dict)  # selections that the leading probe is a part of
    given: Mapping[str, Floats] = field(default_factory=dict)  # scores from files, by name; they may know labels
    cards: Mapping[str, ScoreCard] = field(default_factory=dict)  # of those scores that qprobe score wrote

    @property
    def beta(self) -> float:
        """The temperature of selection."""
        return float(self.scores.settings["beta"])

    @property
    def limits(self) -> dict[str, Ints]:
        """The rules of selection by each problem's fold [S, P], by objective; see `selection_by_limits`."""
        return {name: self.scores.of(name)[1] for name in self.objectives}

    @property
    def all_foldings(self) -> dict[str, Floats]:
        """The scores of every objective in all cross-validations [S, P, N]."""
        return {name: self.scores.of(name)[0] for name in self.objectives}

    @property
    def all_scores(self) -> dict[str, Floats]:
        """The scores of objectives, baselines and files, by name."""
        return {**self.objectives, **self.baselines, **self.given}

    @property
    def samples_per_problem(self) -> tuple[int, int]:
        """The fewest and the most graded samples of a problem."""
        counts_P = self.mask_PN.sum(1)
        return int(counts_P.min()), int(counts_P.max())

    @property
    def ungraded(self) -> int:
        """The number of samples without a verdict."""
        return sum(len(item.samples) for item in self.problems) - len(self.verdicts)


def read_inputs(store: Store, *, among_all: bool = False, probes: bool = True) -> ReportInputs:
    """Read a run's verdicts, completions and out-of-fold scores, each once.

    With `among_all` the inputs serve for selection among all samples of a problem alone, without reading vectors;
    without `probes` the run's probes, of whatever version, are left out.
    Raises QprobeError without verdicts.
    """
    scores, has_stale_probes = _scores(store) if probes else (unprobed_scores(store), False)
    grader, about = scores.settings["grader"], store.about
    graded = store.verdicts(grader, greedy=True)
    verdicts = {sample: outcome for sample, outcome in graded.items() if sample.sample != GREEDY}
    if not verdicts:
        raise QprobeError(f"{store.folder} has no verdicts: run qprobe grade {store.folder} first.")
    visible = visible_answers(store, grader, scores.problem_ids, scores.indices_PN)
    generated = generated_answers(store, grader, scores.problem_ids, scores.indices_PN)
    rewards_PN, mask_PN = sample_rewards(verdicts, scores)
    objectives = dict(zip(scores.objectives, scores.scores_OPN, strict=True))
    embedding = about.embeddings[scores.settings["view"]] if objectives else None
    return ReportInputs(
        run=store.name,
        benchmark=about.benchmark,
        errata=about.errata,
        prompt=about.prompt,
        source=about.source.name if about.source else "",
        token_limit=about.generation.get("max_new_tokens"),
        benchmark_problems=about.benchmark_problems,
        embedder=embedding.embedder if embedding else "",
        scorer=about.scorer.model if about.scorer else "",
        views=tuple((view.layer, view.pooling) for view in embedding.views) if embedding else (),
        problems=tuple(_problem_samples(store, verdicts)),
        verdicts=verdicts,
        greedy_rewards=own_greedy_rewards(graded),
        second_verdicts=store.verdicts(VerdictSet.REGRADE.key(grader)),
        base_verdicts=store.verdicts(VerdictSet.BASE_TESTS.key(grader)),
        visible=visible,
        generated=generated,
        scores=scores,
        has_stale_probes=has_stale_probes,
        rewards_PN=rewards_PN,
        mask_PN=mask_PN,
        objectives=objectives,
        raw_scores={name: _raw_scores(scores, name, scores_PN) for name, scores_PN in objectives.items()},
        baselines=(baselines := baselines_of(scores.features, mask_PN, visible, generated)),
        selectors={} if among_all else _selectors(store, scores, visible, generated, baselines),
        composed=_composed(scores, mask_PN, visible, generated),
    )


def _selectors(
    store: Store,
    scores: Scores,
    visible: VisibleAnswers | None,
    generated: GeneratedAnswers | None,
    baselines: Mapping[str, Floats],
) -> dict[str, Selector]:
    kernels = vector_kernels(store, scores.problem_ids, scores.indices_PN) if VECTOR_AGREEMENT in baselines else {}
    return selectors_of(scores.features, visible, generated, baselines, kernels)


def _composed(
    scores: Scores, mask_PN: Bools, visible: VisibleAnswers | None, generated: GeneratedAnswers | None
) -> dict[str, Composed]:
    """Return the composed selections of the leading probe; none without probes."""
    if not scores.objectives:
        return {}
    name = leading(scores.objectives)
    beta = scores.ruled(name).beta
    foldings = [
        composed_of(name, ByScores(scores_PN, beta, limits_P), scores.features, mask_PN, fold_P, visible, generated)
        for scores_PN, limits_P, fold_P in zip(*scores.of(name), scores.folds_SP, strict=True)
    ]
    return {
        row: replace(first, selector=Foldings([folding[row].selector for folding in foldings]))
        for row, first in foldings[0].items()
    }


def composed_of(
    name: str,
    rule: ByScores,
    features: SampleFeatures,
    mask_PN: Bools,
    fold_P: Ints,
    visible: VisibleAnswers | None,
    generated: GeneratedAnswers | None,
) -> dict[str, Composed]:
    """Return the composed selections of one probe, by name in tables; none where no problem has two samples."""
    if mask_PN.sum(1).max(initial=0) < 2:
        return {}
    filters = {SHOWN: visible.filter} if visible else {}
    filters |= {GENERATED: generated.filter, CODET: generated.codet} if generated else {}
    groups = {OUTPUTS: visible.groups_PN} if visible else features.groups
    known = (features.log_probabilities_PN, features.lengths_PN)
    return composed(name, rule, filters, groups, *known, mask_PN, fold_P)


def leading(objectives: Sequence[str]) -> str:
    """Return the paper's objective, or the first one."""
    return PAPERS if PAPERS in objectives else objectives[0]


def _scores(store: Store) -> tuple[Scores, bool]:
    """Return the run's scores, or the places of its samples, and True where it has probes that are out of date."""
    try:
        return load_scores(store), False
    except NoProbesError:
        return unprobed_scores(store), False
    except StaleProbesError:
        return unprobed_scores(store), True


def baselines_of(
    features: SampleFeatures, mask_PN: Bools, visible: VisibleAnswers | None, generated: GeneratedAnswers | None
) -> dict[str, Floats]:
    """Return scores [P, N] that need no probe, by name.

    `visible` holds the answers to the tests that prompts show, `generated` those to tests that a model wrote. Empty
    where no problem has two samples to select from.
    """
    if mask_PN.sum(1).max(initial=0) < 2:
        return {}
    scores = baseline_scores(_with_outputs(features, visible) if visible else features, mask_PN)
    if visible:
        scores[SHOWN] = visible.passes_PN
    if generated:
        scores[GENERATED] = generated.passed_PN
        scores[CODET] = agreement(generated.sets_PN, mask_PN) * generated.passed_PN**2
    return scores


def selectors_of(
    features: SampleFeatures,
    visible: VisibleAnswers | None,
    generated: GeneratedAnswers | None,
    baselines: Mapping[str, Floats],
    kernels: Mapping[str, NDArray[np.floating]],
) -> dict[str, Selector]:
    """Return the selectors of those baselines that compare the drawn samples alone, by name."""
    selectors = baseline_selectors(_with_outputs(features, visible) if visible else features, kernels)
    selectors |= {CODET: generated.codet} if generated else {}
    return {name: selector for name, selector in selectors.items() if name in baselines}


def _with_outputs(features: SampleFeatures, visible: VisibleAnswers) -> SampleFeatures:
    return replace(features, groups={**features.groups, OUTPUTS: visible.groups_PN})


def _problem_samples(store: Store, verdicts: Mapping[SampleId, Outcome]) -> Iterator[ProblemSamples]:
    """Yield the problems that have completions; completions come from the store in the order of the problems."""
    problems = {problem.id: problem for problem in store.problems()}
    for problem_id, completions in groupby(store.completions(), key=lambda completion: completion.problem_id):
        problem, prompt = problems[problem_id], None
        samples = []
        for completion in completions:
            prompt = completion.prompt if prompt is None else prompt
            samples.append(_graded(problem, completion, verdicts.get(completion.id)))
        yield ProblemSamples(problem, prompt or problem.prompt, tuple(samples))


def _graded(problem: Problem, completion: Completion, outcome: Outcome | None) -> GradedSample:
    failures = tuple(sample_failures(problem, completion, outcome))
    return GradedSample(completion.index, completion.program, failures, outcome)


def own_greedy_rewards(graded: Mapping[SampleId, Outcome]) -> dict[str, float]:
    """Return the rewards of the run's own greedy samples, by problem."""
    rewards = {sample.problem_id: outcome.reward for sample, outcome in graded.items() if sample.sample == GREEDY}
    return {problem_id: reward for problem_id, reward in rewards.items() if reward is not None}


def _raw_scores(scores: Scores, name: str, scores_PN: Floats) -> Floats:
    """Undo the division by each fold's temperature, so that all scores can be used at one beta."""
    if not (beta := scores.settings["beta"]):
        return scores_PN
    temperatures_F = np.array([selected["temperature"] for selected in scores.chosen[name]])
    raw_PN: Floats = scores_PN * temperatures_F[scores.fold_P, None] / beta
    return raw_PN
