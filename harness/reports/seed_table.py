"""The table beside the paper's: selection among k samples by probes of several seeds."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.stats import UNLIMITED, Difference, TableRow, differences, pass_at_1, pass_at_k, tabulate
from harness.stats.estimators import Bools, Floats
from harness.stats.intervals import finite_mean
from harness.stats.selectors import ByScores

GREEDY = "greedy"
PASS_AT = 10
"""The k of the paper's pass@k between its pass@1 and that of all the samples it selects among."""


@dataclass(frozen=True, slots=True)
class SeedTable:
    """Selection among k samples, each problem's mean over trainings that differ in the seed."""

    k: int
    seeds: tuple[int, ...]
    rows: tuple[TableRow, ...]  # pass@1, greedy, each objective, the leading one's arg max, pass@10, pass@k
    spread: dict[str, float]  # standard deviation over seeds of the mean over problems; NaN for one seed
    differences: list[Difference]  # of objectives, from each other and from greedy


def seed_table(
    rewards_PN: Floats,
    mask_PN: Bools,
    probes: Mapping[str, Sequence[ByScores]],
    leading: str,
    k: int,
    seeds: Sequence[int],
    greedy_P: Floats | None = None,
) -> SeedTable:
    """Return the table of the problems with at least k samples; `probes` holds each objective's rule by seed."""
    enough_P = mask_PN.sum(1) >= k
    arg_max = f"{leading} (arg max)"
    named = {**probes, arg_max: [ByScores(one.scores_PN, limits_P=UNLIMITED) for one in probes[leading]]}
    by_seed = {
        name: np.stack([rule.expected(rewards_PN, mask_PN, k) for rule in rules]) for name, rules in named.items()
    }
    values = {"pass@1": pass_at_1(rewards_PN, mask_PN), **({} if greedy_P is None else {GREEDY: greedy_P})}
    values |= {name: values_SP.mean(axis=0) for name, values_SP in by_seed.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some have fewer than k samples: they are left out
        values |= {f"pass@{some}": pass_at_k(rewards_PN, mask_PN, some) for some in sorted({min(PASS_AT, k), k})}
    values = {name: np.where(enough_P, values_P, np.nan) for name, values_P in values.items()}
    rows = tabulate(values, base="pass@1", oracle=f"pass@{k}", compared=set(probes))
    pairs = [*combinations(probes, 2), *((name, GREEDY) for name in (*probes, arg_max) if greedy_P is not None)]
    return SeedTable(
        k,
        tuple(seeds),
        tuple(rows),
        {name: _spread(values_SP) for name, values_SP in by_seed.items()},
        differences(values, pairs),
    )


def _spread(values_SP: Floats) -> float:
    return float(finite_mean(values_SP).std(ddof=1)) if len(values_SP) > 1 else float("nan")
