"""The figures of a run: every probe beside the baselines, each with its interval and its gain over pass@1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, pass_at_1, pass_at_k, refuse_unusable
from harness.stats.intervals import crossed_means, finite_mean, percentile_interval
from harness.stats.ranks import within_problem_auc, without_length
from harness.stats.rules import BY_SOFTMAX, selection_by_limits
from harness.stats.selectors import Selector
from harness.stats.table import RESAMPLES, TableRow, tabulate

CONTROL = "shuffled labels"
RANDOM = "random direction"


@dataclass(frozen=True)
class Summary:
    """The table, and the value per problem of each of its rows."""

    rows: tuple[TableRow, ...]
    values: Mapping[str, Floats]  # name of a row -> [P]; input of `differences`
    k: int | None  # samples to select among; None for all samples of a problem
    beta: float  # temperature of the probes' selection

    def __getitem__(self, name: str) -> TableRow:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True)
class _Rule:
    """A score, and the parameters of selection by it."""

    scores_PN: Floats
    beta: float
    k: int | None
    limits_P: Ints | int = BY_SOFTMAX

    def value(self, rewards_PN: Floats, mask_PN: Bools) -> Floats:
        """The expected reward of each problem [P]."""
        limits_P = np.broadcast_to(self.limits_P, len(mask_PN))
        return selection_by_limits(self.scores_PN, rewards_PN, mask_PN, self.beta, limits_P, self.k)


def summarise(
    rewards_PN: Floats,
    mask_PN: Bools,
    scores: Mapping[str, Floats],
    *,
    beta: float = 0.1,
    k: int | None = None,
    limits: Mapping[str, Ints] | None = None,
    control_CPN: Sequence[Floats] | Floats = (),
    control_limits_CP: Sequence[Ints] | Ints | None = None,
    random_CPN: Sequence[Floats] | Floats = (),
    baselines: Mapping[str, Floats] | None = None,
    selectors: Mapping[str, Selector] | None = None,
    others: Mapping[str, Floats] | None = None,
    lengths_PN: Floats | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Summary:
    """Tabulate pass@1, the probe of each objective, the baselines, random directions, shuffled labels and the oracle.

    `scores` has the out-of-fold scores [P, N] of each objective, for softmax selection at `beta` among k samples (among
    all graded ones if None), or for the rules in `limits` and `control_limits_CP` (see `selection_by_limits`);
    `baselines` has scores [P, N] of which the best is selected, except that a selector of the same name decides among
    k samples; each of the other `selectors` has its own row. `others` has values [P] that need no selection, such
    as the reward of the greedy sample; the controls have C draws each, and their rows are means over these. Every row
    leaves out problems without a graded sample, or with fewer than k. Raises QprobeError for rewards outside 0 to 1 and
    for scores that are not finite.
    """
    refuse_unusable(rewards_PN, mask_PN, {**scores, **(baselines or {})})
    limits = limits or {}
    rules = {name: _Rule(scores_PN, beta, k, limits.get(name, BY_SOFTMAX)) for name, scores_PN in scores.items()}
    rules |= {name: _Rule(scores_PN, 0.0, k) for name, scores_PN in (baselines or {}).items()}
    values = {"pass@1": pass_at_1(rewards_PN, mask_PN), **(others or {})}
    values |= {name: rule.value(rewards_PN, mask_PN) for name, rule in rules.items()}
    values |= {
        name: selector.expected(rewards_PN, mask_PN, k)
        for name, selector in (selectors or {}).items()
        if k is not None or name not in rules
    }
    draws = {
        RANDOM: [_Rule(scores_PN, 0.0, k) for scores_PN in random_CPN],
        CONTROL: [
            _Rule(scores_PN, beta, k, BY_SOFTMAX if control_limits_CP is None else control_limits_CP[draw])
            for draw, scores_PN in enumerate(control_CPN)
        ],
    }
    controls = {
        name: np.stack([rule.value(rewards_PN, mask_PN) for rule in rules_C])
        for name, rules_C in draws.items()
        if rules_C
    }
    values |= {name: draws_CP.mean(axis=0) for name, draws_CP in controls.items()}
    oracle = f"pass@{mask_PN.sum(1).max(initial=0) if k is None else k}"
    values[oracle] = _any_pass(rewards_PN, mask_PN) if k is None else pass_at_k(rewards_PN, mask_PN, k)
    if k is not None:  # pass@1 and greedy too: a table compares rows over the same problems
        values = {name: np.where(mask_PN.sum(1) >= k, values_P, np.nan) for name, values_P in values.items()}
    rows = tabulate(values, base="pass@1", oracle=oracle, compared=set(scores), resamples=resamples, seed=seed)
    complete = [_with_ranks(row, rules.get(row.name), rewards_PN, mask_PN, lengths_PN) for row in rows]
    for name, draws_CP in controls.items():
        position = list(values).index(name)
        aucs = [finite_mean(within_problem_auc(rule.scores_PN, rewards_PN, mask_PN)) for rule in draws[name]]
        row = replace(complete[position], auc=float(np.mean(aucs)))
        complete[position] = _control(row, draws_CP, values["pass@1"], resamples, seed)
    return Summary(tuple(complete), values, k, beta)


def _any_pass(rewards_PN: Floats, mask_PN: Bools) -> Floats:
    """Return 1 [P] where any graded sample passes, 0 where none does; NaN without a graded sample."""
    return np.where(mask_PN.any(1), ((rewards_PN > 0) & mask_PN).any(1), np.nan)


def _with_ranks(
    row: TableRow, rule: _Rule | None, rewards_PN: Floats, mask_PN: Bools, lengths_PN: Floats | None
) -> TableRow:
    """The row with the AUC of its scores and their gain without length, if it has scores."""
    if rule is None:
        return row
    auc_P = within_problem_auc(rule.scores_PN, rewards_PN, mask_PN)
    row = replace(row, auc=float(finite_mean(auc_P)))
    if lengths_PN is None:
        return row
    residual = replace(rule, scores_PN=without_length(rule.scores_PN, lengths_PN, mask_PN))
    gain_P = residual.value(rewards_PN, mask_PN) - pass_at_1(rewards_PN, mask_PN)
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
