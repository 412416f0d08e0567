"""Composed selection: a filter, a vote or a log-probability together with the scores of one probe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.stats.baselines import MEAN_LOGPROB
from harness.stats.estimators import Bools, Floats, Ints
from harness.stats.ranks import without_length
from harness.stats.selection import softmax_chances
from harness.stats.selectors import ByScores, GroupChoice, Selector, WeightedVote

LIKELIEST = 1e-12
"""The least weight of a vote, relative to the heaviest: with none at all a sample could not be drawn alone."""


@dataclass(frozen=True)
class Composed:
    """A selection that a probe is a part of."""

    selector: Selector
    parts: tuple[str, ...]  # the names of the rows that it is made of, the probe first


def composed(
    probe: str,
    rule: ByScores,
    filters: Mapping[str, GroupChoice],
    votes: Mapping[str, Ints],
    log_probabilities_PN: Floats | None,
    lengths_PN: Floats | None,
    mask_PN: Bools,
    fold_P: Ints,
) -> dict[str, Composed]:
    """Return the composed selections of a probe by their names in tables.

    `filters` are by the name of their row, `votes` hold groups of samples that agree, by what agrees; `rule` is the
    probe's rule of selection, whose `beta` is that of the weights of a vote (0: no such vote).
    """
    selections = {
        f"{name.removeprefix('passes ')}, then {probe}": Composed(replace(choice, within=rule), (probe, name))
        for name, choice in filters.items()
    }
    if rule.beta:
        weights_PN = np.maximum(_relative_weights(rule, mask_PN), LIKELIEST)
        for name, groups_PN in votes.items():
            parts = (probe, f"agreement ({name})")
            selections[f"vote by {probe} ({name})"] = Composed(WeightedVote(groups_PN, weights_PN), parts)
    if log_probabilities_PN is not None:
        total_PN = standard(log_probabilities_PN, mask_PN, fold_P) + standard(rule.scores_PN, mask_PN, fold_P)
        selections[f"log-probability + {probe}"] = Composed(ByScores(total_PN), (probe, MEAN_LOGPROB))
    if lengths_PN is not None:
        residual = replace(rule, scores_PN=without_length(rule.scores_PN, lengths_PN, mask_PN))
        selections[f"{probe} less length"] = Composed(residual, (probe,))
    return selections


def _relative_weights(rule: ByScores, mask_PN: Bools) -> Floats:
    """The weights [P, N] exp(score / beta) of the probe's policy, 1 for a problem's best."""
    chances_PN = softmax_chances(rule.scores_PN, mask_PN, rule.beta)
    return np.asarray(chances_PN / np.where(chances_PN.any(1), chances_PN.max(1, initial=0.0), 1.0)[:, None])


def standard(scores_PN: Floats, mask_PN: Bools, fold_P: Ints) -> Floats:
    """Return scores in units of their standard deviation within problems, one unit per fold; 0 outside the mask.

    Each fold has another probe, of another scale. The unit needs no label, and is no property of one problem, so that
    it is the same however many of its samples are drawn.
    """
    means_P1 = (scores_PN * mask_PN).sum(1, keepdims=True) / np.clip(mask_PN.sum(1, keepdims=True), 1, None)
    centred_PN = np.where(mask_PN, scores_PN - means_P1, 0.0)
    units_P = np.ones(len(mask_PN))
    for fold in np.unique(fold_P):
        here_P = fold_P == fold
        variance = np.square(centred_PN[here_P]).sum() / max(int(mask_PN[here_P].sum()), 1)
        units_P[here_P] = np.sqrt(variance) or 1.0
    return np.asarray(centred_PN / units_P[:, None])
