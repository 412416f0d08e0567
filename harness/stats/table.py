"""Tables of figures with their uncertainty, from the value per problem of each selection rule."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.stats.estimators import Floats
from harness.stats.intervals import finite_mean, holm, paired_p, percentile_interval, resample, resampled_means

RESAMPLES = 10_000

ROUNDING = 1e-6
"""Differences of one problem\'s expected rewards that 32-bit scores may make."""


@dataclass(frozen=True)
class TableRow:
    """One row of a table: means over problems, 95 % intervals from resampling problems, NaN for an empty cell."""

    name: str
    value: float
    low: float
    high: float
    gain: float  # over the base row, paired by problem
    gain_low: float
    gain_high: float
    p: float  # p-value of a zero gain; NaN for the base row
    p_holm: float  # corrected for the number of rows compared; NaN for other rows
    headroom: float  # gain / (oracle - base), of the means
    headroom_low: float
    headroom_high: float
    auc: float = float("nan")  # within problems, over those with passes and failures; NaN for rows without scores
    gain_without_length: float = float("nan")  # gain of the scores minus their regression on length


@dataclass(frozen=True)
class Difference:
    """One row minus another, paired by problem."""

    name: str
    other: str
    value: float
    low: float
    high: float
    p: float  # p-value of a zero difference
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
    """Return a row per name, from its values per problem [P]; Holm's correction is over the rows in `compared`."""
    names = list(values)
    values_RP = np.stack([values[name] for name in names])
    gains_RP = values_RP - values[base]
    counts_BP = resample(values_RP.shape[1], resamples, seed)
    gain_draws_RB = resampled_means(gains_RP, counts_BP)
    top = names.index(oracle)
    headroom_draws_RB = gain_draws_RB / _where_any(gain_draws_RB[top])
    headroom_R = finite_mean(gains_RP) / _where_any(finite_mean(gains_RP[top]))
    p_R = np.where([name == base for name in names], np.nan, paired_p(beyond_rounding(gains_RP), resamples, seed))
    columns = [
        finite_mean(values_RP),
        *percentile_interval(resampled_means(values_RP, counts_BP)),
        finite_mean(gains_RP),
        *percentile_interval(gain_draws_RB),
        p_R,
        holm(np.where([name in compared for name in names], p_R, np.nan)),
        headroom_R,
        *percentile_interval(headroom_draws_RB),
    ]
    return [TableRow(name, *(float(column[r]) for column in columns)) for r, name in enumerate(names)]


def _where_any(headroom: Floats) -> Floats:
    """Return the way from base to oracle; NaN where base and oracle are equal."""
    return np.where(headroom > ROUNDING, headroom, np.nan)


def beyond_rounding(differences_RP: Floats) -> Floats:
    """Return the differences, those that rounding alone may make as zero: equal selections differ by 1e-9 or so."""
    return np.where(np.abs(differences_RP) < ROUNDING, 0.0, differences_RP)


def differences(
    values: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Compare every pair of rows, or those in `pairs`, over the problems for which both have a value."""
    pairs = list(combinations(values, 2)) if pairs is None else list(pairs)
    if not pairs:
        return []
    differences_RP = beyond_rounding(np.stack([values[name] - values[other] for name, other in pairs]))
    counts_BP = resample(differences_RP.shape[1], resamples, seed)
    low_R, high_R = percentile_interval(resampled_means(differences_RP, counts_BP))
    p_R = paired_p(differences_RP, resamples, seed)
    columns = (finite_mean(differences_RP), low_R, high_R, p_R, holm(p_R))
    return [Difference(*pair, *(float(column[r]) for column in columns)) for r, pair in enumerate(pairs)]
