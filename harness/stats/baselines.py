"""What needs no training: scores made of what is known of each sample anyway.

A baseline is a score like a probe's, and the best-scored sample is taken, ties shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints


@dataclass(frozen=True)
class SampleFeatures:
    """What is known of every sample [P, N] beside its vector; what a run did not keep is left None."""

    lengths_PN: Floats | None = None  # of the program, in tokens or characters
    log_probabilities_PN: Floats | None = None  # mean a token, under the model that drew it
    groups: Mapping[str, Ints] = field(default_factory=dict)  # by name: samples of a problem that agree share a number


def baseline_scores(features: SampleFeatures, mask_PN: Bools) -> dict[str, Floats]:
    """The score [P, N] of every baseline for which the features are known, by the name it has in tables."""
    scores: dict[str, Floats] = {}
    if features.log_probabilities_PN is not None:
        scores["mean log-probability"] = features.log_probabilities_PN
    if features.lengths_PN is not None:
        scores["shortest"] = -features.lengths_PN
        scores["longest"] = features.lengths_PN
    for name, groups_PN in features.groups.items():
        scores[f"agreement ({name})"] = agreement(groups_PN, mask_PN)
    return scores


def agreement(groups_PN: Ints, mask_PN: Bools) -> Floats:
    """How many graded samples of its problem agree with each sample, itself included: the majority scores highest.

    The count is over all stored samples, also where fewer of them stand for choice.
    """
    same_PNN = (groups_PN[:, :, None] == groups_PN[:, None, :]) & mask_PN[:, None, :]
    return np.where(mask_PN, same_PNN.sum(2), 0).astype(np.float64)


def distinct_samples(groups_PN: Ints, mask_PN: Bools) -> Ints:
    """How many different samples each problem has [P]: the number of groups among its graded samples."""
    return np.array([len(np.unique(groups_N[mask_N])) for groups_N, mask_N in zip(groups_PN, mask_PN, strict=True)])
