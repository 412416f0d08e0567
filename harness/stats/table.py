"""Rows of figures with their uncertainty, from the value of each problem under each selection rule."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.stats.estimators import Floats
from harness.stats.intervals import holm, known_mean, paired_p, percentile_interval, resample, resampled_means

RESAMPLES = 10_000


@dataclass(frozen=True)
class TableRow:
    """One line of a table: means over problems, 95 % intervals from resampling problems, NaN where there is none."""

    name: str
    value: float
    low: float
    high: float
    gain: float  # over the base row, paired by problem
    gain_low: float
    gain_high: float
    p: float  # that the gain is zero; NaN for the base row
    p_holm: float  # the same, corrected for the number of rows compared; only these have one
    headroom: float  # share of the way from the base row to the oracle: gain / (oracle - base)
    headroom_low: float
    headroom_high: float
    auc: float = float("nan")  # within problems, over those with passes and failures; of rows that have scores
    gain_without_length: float = float("nan")  # the gain of the scores less what length tells of them


@dataclass(frozen=True)
class Difference:
    """One row less another, paired by problem."""

    name: str
    other: str
    value: float
    low: float
    high: float
    p: float  # that it is zero
    p_holm: float  # corrected for the number of differences


def tabulate(
    values: Mapping[str, Floats],
    *,
    base: str,
    oracle: str,
    compared: Collection[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[TableRow]:
    """A row for each name, from its value a problem [P]; `compared` names the rows that Holm's correction is over."""
    names = list(values)
    values_RP = np.stack([values[name] for name in names])
    gains_RP = values_RP - values[base]
    counts_BP = resample(values_RP.shape[1], resamples, seed)
    gain_draws_RB = resampled_means(gains_RP, counts_BP)
    top = names.index(oracle)
    with np.errstate(divide="ignore", invalid="ignore"):
        headroom_draws_RB = gain_draws_RB / gain_draws_RB[top]
        headroom_R = known_mean(gains_RP) / known_mean(gains_RP[top])
    p_R = np.where([name == base for name in names], np.nan, paired_p(gains_RP, resamples, seed))
    columns = [
        known_mean(values_RP),
        *percentile_interval(resampled_means(values_RP, counts_BP)),
        known_mean(gains_RP),
        *percentile_interval(gain_draws_RB),
        p_R,
        holm(np.where([name in compared for name in names], p_R, np.nan)),
        headroom_R,
        *percentile_interval(headroom_draws_RB),
    ]
    return [TableRow(name, *(float(column[r]) for column in columns)) for r, name in enumerate(names)]


def differences(
    values: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Every pair of rows, or those named, compared problem by problem over the problems that both have a value for."""
    pairs = list(combinations(values, 2)) if pairs is None else list(pairs)
    if not pairs:
        return []
    differences_RP = np.stack([values[name] - values[other] for name, other in pairs])
    counts_BP = resample(differences_RP.shape[1], resamples, seed)
    low_R, high_R = percentile_interval(resampled_means(differences_RP, counts_BP))
    p_R = paired_p(differences_RP, resamples, seed)
    columns = (known_mean(differences_RP), low_R, high_R, p_R, holm(p_R))
    return [Difference(*pair, *(float(column[r]) for column in columns)) for r, pair in enumerate(pairs)]
