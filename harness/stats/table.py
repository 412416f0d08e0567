"""Tables of figures with their uncertainty, from the value per problem of each selection rule."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.stats.estimators import Floats
from harness.stats.intervals import (
    PLAIN,
    ROUNDING,
    Design,
    finite_mean,
    holm,
    paired_p,
    percentile_interval,
    resampled_means,
    simultaneous_interval,
    widened,
)

RESAMPLES = 10_000


@dataclass(frozen=True)
class TableRow:
    """One row of a table: means over problems, 95 % intervals from resampling problems, NaN for an empty cell.

    Where a value is a mean over cross-validations, its intervals and p-values allow for the folds too.
    """

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


@dataclass(frozen=True)
class _Paired:
    """Differences between rows, and what their intervals and p-values are made of."""

    mean_RP: Floats  # over cross-validations
    draws_RB: Floats  # means of resamples
    factors_R: Floats  # of the draws' distances from their mean, and of the flipped means'

    @classmethod
    def of(
        cls, differences_SRP: Floats, design: Design, resamples: int, seed: int, least: Floats | float = 1.0
    ) -> "_Paired":
        """The rows, with factors of at least `least`."""
        mean_RP = differences_SRP.mean(0)
        draws_RB = resampled_means(mean_RP, design.counts(mean_RP.shape[1], resamples, seed))
        factors_R = np.maximum(design.factors(differences_SRP, draws_RB), least)
        return cls(mean_RP, widened(draws_RB, factors_R), factors_R)


def _stacked(values: Mapping[str, Floats], names: Sequence[str]) -> Floats:
    """The rows of these names in all cross-validations [S, R, P]; those without one are the same in all."""
    foldings = max((len(values[name]) for name in names if values[name].ndim > 1), default=1)
    return np.stack([np.broadcast_to(values[name], (foldings, values[name].shape[-1])) for name in names], axis=1)


def tabulate(
    values: Mapping[str, Floats],
    *,
    base: str,
    oracle: str,
    compared: Collection[str] = (),
    design: Design = PLAIN,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[TableRow]:
    """Return a row per name; Holm's correction is over the rows in `compared`.

    Values are per problem [P], or per cross-validation and problem [S, P]: then the row is of the mean over these.
    """
    names = list(values)
    values_SRP = _stacked(values, names)
    of_values = _Paired.of(values_SRP, design, resamples, seed)
    gains = _Paired.of(values_SRP - values_SRP[:, [names.index(base)]], design, resamples, seed)
    gains_RP, top = gains.mean_RP, names.index(oracle)
    headroom_draws_RB = gains.draws_RB / _where_any(gains.draws_RB[top])
    headroom_R = finite_mean(gains_RP) / _where_any(finite_mean(gains_RP[top]))
    p_R = paired_p(beyond_rounding(gains_RP), resamples, seed, design, gains.factors_R)
    p_R = np.where([name == base for name in names], np.nan, p_R)
    columns = [
        finite_mean(of_values.mean_RP),
        *percentile_interval(of_values.draws_RB),
        finite_mean(gains_RP),
        *percentile_interval(gains.draws_RB),
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
    simultaneous: bool = False,
    design: Design = PLAIN,
    factors: Mapping[str, float] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Compare every pair of rows, or those in `pairs`, over the problems for which both have a value.

    Values are as in `tabulate`. With `simultaneous`, the intervals hold for all pairs at once. `factors` has, by row,
    how many times wider an interval is than over problems alone, where only the mean over cross-validations is known.
    """
    pairs = list(combinations(values, 2)) if pairs is None else list(pairs)
    if not pairs:
        return []
    names = list(values)
    ones, others = zip(*((names.index(name), names.index(other)) for name, other in pairs), strict=True)
    values_SRP = _stacked(values, names)
    known = factors or {}
    least_R = np.array([max(known.get(name, 1.0), known.get(other, 1.0)) for name, other in pairs])
    paired = _Paired.of(beyond_rounding(values_SRP[:, ones] - values_SRP[:, others]), design, resamples, seed, least_R)
    value_R = finite_mean(paired.mean_RP)
    if simultaneous and len(pairs) > 1:
        low_R, high_R = simultaneous_interval(value_R, paired.draws_RB)
    else:
        low_R, high_R = percentile_interval(paired.draws_RB)
    p_R = paired_p(paired.mean_RP, resamples, seed, design, paired.factors_R)
    columns = (value_R, low_R, high_R, p_R, holm(p_R))
    return [Difference(*pair, *(float(column[r]) for column in columns)) for r, pair in enumerate(pairs)]
