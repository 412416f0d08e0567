"""The figures of a run: every probe beside the baselines, each with its interval and its gain over pass@1."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, pass_at_1, pass_at_k, refuse_unusable
from harness.stats.intervals import PLAIN, Design, crossed_means, finite_mean, percentile_interval
from harness.stats.ranks import within_problem_auc, without_length
from harness.stats.rules import BY_SOFTMAX, selected_values
from harness.stats.selectors import Selector
from harness.stats.table import RESAMPLES, TableRow, tabulate

CONTROL = "shuffled labels"
WITHIN = "shuffled within problems"
RANDOM = "random direction"


@dataclass(frozen=True)
class Control:
    """The scores of a control, C draws of it."""

    scores_CPN: Floats
    limits_CP: Ints | None = None  # the rule of selection in each problem's fold; None for softmax selection
    objectives: tuple[str, ...] = ()  # of each draw, where it is a trained probe


@dataclass(frozen=True)
class Summary:
    """The table, and the value per problem of each of its rows."""

    rows: tuple[TableRow, ...]
    values: Mapping[str, Floats]  # name of a row -> [P]
    by_folding: Mapping[str, Floats]  # name of a probe's row -> [S, P], of each cross-validation
    draws: Mapping[str, Floats]  # name of a control -> [C, P], of each draw
    k: int | None  # samples to select among; None for all samples of a problem
    beta: float  # temperature of the probes' selection

    @property
    def paired(self) -> dict[str, Floats]:
        """The values to compare rows by: of each cross-validation where there are several; input of `differences`."""
        return {**self.values, **self.by_folding}

    def __getitem__(self, name: str) -> TableRow:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True)
class _Rule:
    """A score in S cross-validations, or the draws of a control, and the parameters of selection by it."""

    scores_SPN: Floats
    beta: float
    k: int | None
    limits_SP: Ints

    @classmethod
    def of(cls, scores: Floats, beta: float, k: int | None, limits: Ints | int = BY_SOFTMAX) -> "_Rule":
        """The rule of scores [P, N] or [S, P, N] with limits to match."""
        scores_SPN = scores.reshape(-1, *scores.shape[-2:])
        return cls(scores_SPN, beta, k, np.broadcast_to(limits, scores_SPN.shape[:2]))

    def values(self, rewards_PN: Floats, mask_PN: Bools) -> Floats:
        """The expected reward of each problem [S, P]."""
        return selected_values(self.scores_SPN, rewards_PN, mask_PN, self.beta, self.limits_SP, self.k)

    def auc(self, rewards_PN: Floats, mask_PN: Bools) -> float:
        """The AUC within problems, the mean over S."""
        aucs = [finite_mean(within_problem_auc(scores_PN, rewards_PN, mask_PN)) for scores_PN in self.scores_SPN]
        return float(np.mean(aucs))


def summarise(
    rewards_PN: Floats,
    mask_PN: Bools,
    scores: Mapping[str, Floats],
    *,
    beta: float = 0.1,
    k: int | None = None,
    limits: Mapping[str, Ints] | None = None,
    controls: Mapping[str, Control] | None = None,
    baselines: Mapping[str, Floats] | None = None,
    selectors: Mapping[str, Selector] | None = None,
    others: Mapping[str, Floats] | None = None,
    lengths_PN: Floats | None = None,
    design: Design = PLAIN,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Summary:
    """Tabulate pass@1, the probe of each objective, the baselines, the controls and the oracle.

    `scores` has the out-of-fold scores of each objective, [P, N], or [S, P, N] for the mean over S cross-validations,
    for softmax selection at `beta` among k samples (among all graded ones if None), or for the rules in `limits` (see
    `selection_by_limits`); `baselines` has scores [P, N] of which the best is selected, except that a selector of the
    same name decides among k samples; each of the other `selectors` has its own row. `others` has values [P] that need
    no selection, such as the reward of the greedy sample; a control's row is the mean over its draws. Every row
    leaves out problems without a graded sample, or with fewer than k. Raises QprobeError for rewards outside 0 to 1 and
    for scores that are not finite.
    """
    refuse_unusable(rewards_PN, mask_PN, {**scores, **(baselines or {})})
    rules = _probes(scores, beta, k, limits or {})
    rules |= {name: _Rule.of(scores_PN, 0.0, k) for name, scores_PN in (baselines or {}).items()}
    drawn = _drawn(controls or {}, beta, k)
    oracle = f"pass@{mask_PN.sum(1).max(initial=0) if k is None else k}"
    values = {
        "pass@1": pass_at_1(rewards_PN, mask_PN),
        **(others or {}),
        **_selected(rewards_PN, mask_PN, k, rules, selectors or {}),
        **_selected(rewards_PN, mask_PN, k, drawn),
        oracle: _any_pass(rewards_PN, mask_PN) if k is None else pass_at_k(rewards_PN, mask_PN, k),
    }
    if k is not None:  # pass@1 and greedy too: a table compares rows over the same problems
        values = {name: np.where(mask_PN.sum(1) >= k, own, np.nan) for name, own in values.items()}
    draws = {name: values[name] for name in drawn}
    by_folding = {name: own for name, own in values.items() if own.ndim > 1 and name not in drawn}
    values = {name: own.mean(axis=0) if own.ndim > 1 else own for name, own in values.items()}
    bootstrap = partial(tabulate, design=design, resamples=resamples, seed=seed)
    table = bootstrap({**values, **by_folding}, base="pass@1", oracle=oracle, compared=set(scores))
    rows = {row.name: row for row in table}
    for name, rule in {**rules, **drawn}.items():
        row = replace(rows[name], auc=rule.auc(rewards_PN, mask_PN))
        if lengths_PN is not None and name in rules:
            row = _without_length(row, rule, rewards_PN, mask_PN, lengths_PN)
        rows[name] = _control(row, draws[name], values["pass@1"], resamples, seed) if name in drawn else row
    return Summary(tuple(rows.values()), values, by_folding, draws, k, beta)


def _probes(scores: Mapping[str, Floats], beta: float, k: int | None, limits: Mapping[str, Ints]) -> dict[str, _Rule]:
    return {name: _Rule.of(own, beta, k, limits.get(name, BY_SOFTMAX)) for name, own in scores.items()}


def _drawn(controls: Mapping[str, Control], beta: float, k: int | None) -> dict[str, _Rule]:
    """Return the rules of the controls that have draws."""
    return {
        name: _Rule.of(control.scores_CPN, beta, k, BY_SOFTMAX if control.limits_CP is None else control.limits_CP)
        for name, control in controls.items()
        if len(control.scores_CPN)
    }


def _selected(
    rewards_PN: Floats,
    mask_PN: Bools,
    k: int | None,
    rules: Mapping[str, _Rule],
    selectors: Mapping[str, Selector] | None = None,
) -> dict[str, Floats]:
    """Return the values of selection by rules and by selectors; among k samples, selectors go before rules."""
    chosen = {name: own for name, own in (selectors or {}).items() if k is not None or name not in rules}
    choices: dict[str, _Rule | Selector] = {**rules, **chosen}
    return {
        name: choice.values(rewards_PN, mask_PN)
        if isinstance(choice, _Rule)
        else choice.expected(rewards_PN, mask_PN, k)
        for name, choice in choices.items()
    }


def _any_pass(rewards_PN: Floats, mask_PN: Bools) -> Floats:
    """Return 1 [P] where any graded sample passes, 0 where none does; NaN without a graded sample."""
    return np.where(mask_PN.any(1), ((rewards_PN > 0) & mask_PN).any(1), np.nan)


def _without_length(row: TableRow, rule: _Rule, rewards_PN: Floats, mask_PN: Bools, lengths_PN: Floats) -> TableRow:
    """The row with the gain of its scores without what length predicts of them."""
    residual_SPN = np.stack([without_length(scores_PN, lengths_PN, mask_PN) for scores_PN in rule.scores_SPN])
    values_SP = replace(rule, scores_SPN=residual_SPN).values(rewards_PN, mask_PN)
    gain_P = values_SP.mean(axis=0) - pass_at_1(rewards_PN, mask_PN)
    return replace(row, gain_without_length=float(finite_mean(gain_P)))


def _control(row: TableRow, draws_CP: Floats, base_P: Floats, resamples: int, seed: int) -> TableRow:
    """The row with intervals over the draws of the control as well as over problems.

    One draw is one direction in the space of the vectors, which is good or bad by chance on all problems at once: an
    interval over problems alone would be too narrow, and would make half of all controls a gain or a loss.
    """
    values_B = crossed_means(draws_CP, resamples, seed)
    gains_B = crossed_means(draws_CP - base_P, resamples, seed)
    (low, gain_low), (high, gain_high) = percentile_interval(np.stack([values_B, gains_B]))
    p = min(1.0, 2 * min((gains_B <= 0).mean(), (gains_B >= 0).mean()) + 1 / resamples)
    blank = float("nan")
    row = replace(row, low=float(low), high=float(high), gain_low=float(gain_low), gain_high=float(gain_high))
    return replace(row, p=float(p), headroom_low=blank, headroom_high=blank)
