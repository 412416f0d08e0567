"""The table of a run: every probe beside what needs no probe, each with its interval and its gain over pass@1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.numbers.estimates import Bools, Floats, pass_at_1
from harness.numbers.intervals import holm, paired_p, percentile_interval, resample, resampled_means
from harness.numbers.selection import softmax_selection


@dataclass(frozen=True)
class Row:
    """One line of the table. Means over problems; `gain` is the difference from pass@1, paired by problem."""

    name: str
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    p: float  # that the gain is zero; NaN for pass@1 itself
    p_holm: float  # the same, corrected for the number of objectives compared; NaN for rows that are no objective


def summarise(
    rewards_PN: Floats,
    mask_PN: Bools,
    scores: Mapping[str, Floats],
    *,
    beta: float = 0.1,
    control_CPN: Sequence[Floats] | Floats = (),
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Row]:
    """Rows for pass@1, each objective's probe, a random probe, the shuffled-label control and the skyline pass@k.

    `scores` holds the out-of-fold scores [P, N] of each objective; a probe's value is the expected reward of softmax
    selection among all of a problem's graded samples. Problems without a graded sample take no part.
    """
    base_P = pass_at_1(rewards_PN, mask_PN)
    random_PN = np.random.default_rng(seed).standard_normal(rewards_PN.shape)
    values = {"pass@1": base_P}
    values |= {name: softmax_selection(scores_PN, rewards_PN, mask_PN, beta) for name, scores_PN in scores.items()}
    values["random"] = softmax_selection(random_PN, rewards_PN, mask_PN, 0.0)
    if len(control_CPN):
        draws_CP = [softmax_selection(control_PN, rewards_PN, mask_PN, beta) for control_PN in control_CPN]
        values["shuffled labels"] = np.mean(draws_CP, axis=0)
    passed_P = ((rewards_PN > 0) & mask_PN).any(1)
    values[f"pass@{mask_PN.sum(1).max(initial=0)}"] = np.where(mask_PN.any(1), passed_P, np.nan)
    return tabulate(values, "pass@1", set(scores), resamples=resamples, seed=seed)


def tabulate(values: Mapping[str, Floats], base: str, compared: set[str], *, resamples: int, seed: int) -> list[Row]:
    """A row for each name from its value a problem [P]; gains against the row `base`, Holm over those `compared`."""
    names = list(values)
    values_RP = np.stack([values[name] for name in names])
    gains_RP = values_RP - values[base]
    counts_BP = resample(values_RP.shape[1], resamples, seed)
    low_R, high_R = percentile_interval(resampled_means(values_RP, counts_BP))
    gain_low_R, gain_high_R = percentile_interval(resampled_means(gains_RP, counts_BP))
    p_R = np.where([name == base for name in names], np.nan, paired_p(gains_RP, resamples, seed))
    holm_R = holm(np.where([name in compared for name in names], p_R, np.nan))
    means_R, mean_gains_R = np.nanmean(values_RP, axis=1), np.nanmean(gains_RP, axis=1)
    columns = (means_R, low_R, high_R, mean_gains_R, gain_low_R, gain_high_R, p_R, holm_R)
    return [Row(name, *(float(column[r]) for column in columns)) for r, name in enumerate(names)]
