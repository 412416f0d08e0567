"""The contrast direction: the mean of the passing samples less that of the failing ones, a probe without training.

Difference of means (arXiv 2512.07404), on vectors standardised by the samples that the direction is made of.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.probes.moments import Moments
from harness.probes.samples import Samples, View


@dataclass(frozen=True)
class Contrast:
    """One direction per layer and pooling, for raw vectors."""

    views: tuple[View, ...]
    mean_VD: tuple[Tensor, ...]
    direction_VD: tuple[Tensor, ...]  # divided by the scale of each feature; of length one before that

    def __call__(self, samples: Samples, problems_Q: Tensor) -> Tensor:
        """Return the scores [Q, N] of some problems: the mean of the projections over the views, float64."""
        scores_QN = torch.zeros(len(problems_Q), samples.mask_PN.shape[1], dtype=torch.float64)
        for view, mean_D, direction_D in zip(self.views, self.mean_VD, self.direction_VD, strict=True):
            for row, problem in enumerate(problems_Q.tolist()):  # one at a time: the float64 copy stays small
                vectors_ND = samples.vectors[view][problem].double()
                scores_QN[row] += ((vectors_ND - mean_D) @ direction_D).cpu() / len(self.views)
        return scores_QN


def contrast_directions(samples: Samples, train_FP: Tensor) -> list[Contrast]:
    """Return the direction of each set of training problems [F, P]; it is zero without passes or without failures."""
    passes_PN = samples.mask_PN & (samples.rewards_PN > 0)
    passing = replace(samples, mask_PN=passes_PN)
    failing = replace(samples, mask_PN=samples.mask_PN & ~passes_PN)
    means, directions = [], []
    for view in samples.views:
        train_FP = train_FP.to(samples.mask_PN.device)
        mean_FD, scale_FD = Moments.of(samples, view).standard(train_FP)
        (of_passes_FD, some_F1), (of_failures_FD, others_F1) = (
            _means(part, view, train_FP) for part in (passing, failing)
        )
        contrast_FD = (of_passes_FD - of_failures_FD) / scale_FD * (some_F1 & others_F1)
        norm_F1 = contrast_FD.norm(dim=1, keepdim=True)
        means.append(mean_FD)
        directions.append(contrast_FD / norm_F1.masked_fill(norm_F1 == 0, 1.0) / scale_FD)
    return [
        Contrast(samples.views, tuple(mean_FD[f] for mean_FD in means), tuple(each_FD[f] for each_FD in directions))
        for f in range(len(train_FP))
    ]


def contrast_scores(samples: Samples, fold_P: Tensor) -> Tensor:
    """Return the scores [P, N] of every problem by the direction of the other folds, float64; 0 outside the mask."""
    folds = int(fold_P.max()) + 1
    scores_PN = torch.zeros(samples.mask_PN.shape, dtype=torch.float64)
    train_FP = torch.stack([fold_P != fold for fold in range(folds)])
    for fold, contrast in enumerate(contrast_directions(samples, train_FP)):
        problems_Q = (fold_P == fold).nonzero().flatten()
        scores_PN[problems_Q] = contrast(samples, problems_Q)
    return scores_PN.masked_fill(~samples.mask_PN.cpu(), 0.0)


def contrast_on(train: Samples, test: Samples) -> Tensor:
    """Return the scores [P, N] of a test set by the direction of a training set; both have the same views."""
    everything_1P = torch.ones(1, len(train.problem_ids), dtype=torch.bool)
    (contrast,) = contrast_directions(train, everything_1P)
    scores_PN = contrast(test, torch.arange(len(test.problem_ids)))
    return scores_PN.masked_fill(~test.mask_PN.cpu(), 0.0)


def _means(samples: Samples, view: View, train_FP: Tensor) -> tuple[Tensor, Tensor]:
    """The mean [F, D] of the samples in the mask over each training set, and whether there are such samples [F, 1]."""
    moments, chosen_FP = Moments.of(samples, view), train_FP.double()
    counts_F1 = (chosen_FP @ moments.counts_P)[:, None]
    return chosen_FP @ moments.sums_PD / counts_F1.clamp(min=1), counts_F1 > 0
