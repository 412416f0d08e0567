"""Baselines: scores that need no training, made of features of each sample.

A baseline is a score like a probe's; it selects the best-scored sample, with ties shared. All need no label but the
contrast direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.stats.centrality import typical_lengths
from harness.stats.estimators import Bools, Floats, Ints
from harness.stats.selectors import Central, Selector, TypicalLength, Vote

VECTOR_AGREEMENT = "agreement (vectors)"
CENTROID = "near centroid"
CONTRAST = "contrast direction"
TYPICAL_LENGTH = "typical length"
MEAN_LOGPROB = "mean log-probability"
OUTPUTS = "outputs"
"""The name of the groups of samples whose programs give the same answer to the test that the prompt shows."""
LENGTH, LOGPROB, LEAST_LOGPROB, CERTAINTY = "length", "logprob", "least-logprob", "certainty"
"""Features that a probe may read beside vectors: of the program, and of the completion's tokens."""
SHOWN, GENERATED, CODET = "passes shown test", "passes generated tests", "CodeT"

USES_LABELS = frozenset({CONTRAST})
"""The names of scores that learn from the labels of other problems: no baselines without labels."""


@dataclass(frozen=True)
class SampleFeatures:
    """Features of every sample [P, N] besides its vector; None for those that a run did not keep."""

    lengths_PN: Floats | None = None  # of the program, in tokens or characters
    log_probabilities_PN: Floats | None = None  # mean per token, under the model that generated it
    total_log_probabilities_PN: Floats | None = None  # of the whole completion, the sum over its tokens
    least_log_probabilities_PN: Floats | None = None  # of its least likely token
    self_certainties_PN: Floats | None = None  # mean over its tokens of KL(uniform || p)
    groups: Mapping[str, Ints] = field(
        default_factory=dict
    )  # by name: samples of a problem that agree have the same number
    scores: Mapping[str, Floats] = field(default_factory=dict)  # by name: scores as they are, such as those of vectors


def baseline_scores(features: SampleFeatures, mask_PN: Bools) -> dict[str, Floats]:
    """Return the score [P, N] of every baseline whose features are present, by its name in tables."""
    scores: dict[str, Floats] = {}
    if features.log_probabilities_PN is not None:
        scores[MEAN_LOGPROB] = features.log_probabilities_PN
    if features.total_log_probabilities_PN is not None:
        scores["total log-probability"] = features.total_log_probabilities_PN
    if features.least_log_probabilities_PN is not None:
        scores["least log-probability"] = features.least_log_probabilities_PN
    if features.self_certainties_PN is not None:
        scores["self-certainty"] = features.self_certainties_PN
    if features.lengths_PN is not None:
        scores["shortest"] = -features.lengths_PN
        scores["longest"] = features.lengths_PN
        scores[TYPICAL_LENGTH] = typical_lengths(features.lengths_PN, mask_PN)
    for name, groups_PN in features.groups.items():
        scores[f"agreement ({name})"] = agreement(groups_PN, mask_PN)
    return {**scores, **features.scores}


def baseline_selectors(features: SampleFeatures, kernels: Mapping[str, NDArray[np.floating]]) -> dict[str, Selector]:
    """Return the baselines that compare the drawn samples alone, by name; their scores compare all stored ones.

    `kernels` holds the products of each problem's vectors [P, N, N], by name.
    """
    selectors: dict[str, Selector] = {name: Central(kernel_PNN) for name, kernel_PNN in kernels.items()}
    if features.lengths_PN is not None:
        selectors[TYPICAL_LENGTH] = TypicalLength(features.lengths_PN)
    return {**selectors, **{f"agreement ({name})": Vote(groups_PN) for name, groups_PN in features.groups.items()}}


def agreement(groups_PN: Ints, mask_PN: Bools) -> Floats:
    """Return the number of graded samples of the problem that agree with each sample, itself included [P, N].

    The count is over all stored samples; where selection is among fewer, `Vote` counts the drawn ones.
    """
    same_PNN = (groups_PN[:, :, None] == groups_PN[:, None, :]) & mask_PN[:, None, :]
    return np.where(mask_PN, same_PNN.sum(2), 0).astype(np.float64)


def distinct_samples(groups_PN: Ints, mask_PN: Bools) -> Ints:
    """Return the number of different samples per problem [P]: the groups among its graded samples."""
    return np.array([len(np.unique(groups_N[mask_N])) for groups_N, mask_N in zip(groups_PN, mask_PN, strict=True)])
