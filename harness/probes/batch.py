"""A batch of probes that are trained together: the specification of each, and all of them as tensors.

The first dimension of the tensors is the M probes; F training sets, V views, H linear maps, D width, P problems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from harness.probes.caches import cached_parts
from harness.probes.controls import Permutation
from harness.probes.forms import Weights
from harness.probes.hyperparameters import Hyperparameters
from harness.probes.moments import Moments
from harness.probes.samples import Samples, View


@dataclass(frozen=True)
class ProbeSpec:
    """One probe to be trained."""

    objective: str
    hyperparameters: Hyperparameters
    train_P: Tensor  # bool: the problems it learns from
    validate_P: Tensor | None = None  # bool: the problems on which it is validated after each epoch
    epochs: int | None = None  # epochs of a probe without validation; None for the whole schedule
    seed: int = 0  # seed of its initial weights
    permutation: Permutation | None = None  # of the rewards it learns from, for a control


@dataclass(frozen=True)
class ProbeBatch:
    """The probes of one batch as tensors."""

    train_MP: Tensor  # bool
    mean_MVD: Tensor  # of each probe's training samples; 0 where vectors are not standardised
    scale_MVD: Tensor  # likewise; 1 where vectors are not standardised
    mean_reward_M: Tensor  # of each probe's training samples
    permutation_M: Tensor  # position, among the batch's permutations of the rewards, of the one it learns from
    l2_M: Tensor
    rate_M: Tensor
    beta_M: Tensor

    @classmethod
    def of(
        cls,
        samples: Samples,
        specs: Sequence[ProbeSpec],
        permutations: Sequence[Permutation | None],
        moments: Mapping[View, Moments] | None,
    ) -> "ProbeBatch":
        """The batch of probes that read the same views; without `moments`, vectors are not standardised."""
        views, device = specs[0].hyperparameters.views, samples.rewards_PN.device
        dtype = torch.promote_types(samples.vectors[views[0]].dtype, torch.float32)
        keys = [spec.train_P.numpy().tobytes() for spec in specs]
        sets = dict(zip(keys, (spec.train_P for spec in specs), strict=True))  # far fewer than probes
        place = {key: number for number, key in enumerate(sets)}
        set_M = torch.tensor([place[key] for key in keys], device=device)
        train_FP = torch.stack(list(sets.values())).to(device)
        shape = (len(sets), len(views), samples.vectors[views[0]].shape[-1])
        mean_FVD, scale_FVD = torch.zeros(shape, device=device), torch.ones(shape, device=device)
        if moments is not None:
            means, scales = zip(*(moments[view].standard(train_FP) for view in views), strict=True)
            mean_FVD, scale_FVD = torch.stack(means, 1), torch.stack(scales, 1)
        graded_F = train_FP.double() @ samples.mask_PN.sum(1).double()
        passed_F = train_FP.double() @ (samples.rewards_PN * samples.mask_PN).sum(1).double()
        hyperparameters = [spec.hyperparameters for spec in specs]
        return cls(
            train_FP[set_M],
            mean_FVD.to(dtype)[set_M],
            scale_FVD.to(dtype)[set_M],
            (passed_F / graded_F.clamp(min=1)).to(dtype)[set_M],
            torch.tensor([permutations.index(spec.permutation) for spec in specs], device=device),
            torch.tensor([one.l2 for one in hyperparameters], dtype=dtype, device=device),
            torch.tensor([one.learning_rate for one in hyperparameters], dtype=dtype, device=device),
            torch.tensor([one.beta for one in hyperparameters], dtype=dtype, device=device),
        )

    def take(self, positions: Tensor) -> "ProbeBatch":
        """The batch of the probes at these positions only."""
        return ProbeBatch(*(getattr(self, entry.name)[positions] for entry in fields(self)))

    def folded(self, weights: Weights) -> Weights:
        """The weights for raw vectors: standardisation is folded into the linear maps and their offsets."""
        project_MVHD, offset_MVH = torch.empty_like(weights["project"]), torch.empty_like(weights["offset"])
        for rows in cached_parts(project_MVHD):
            own = torch.div(weights["project"][rows], self.scale_MVD[rows][:, :, None], out=project_MVHD[rows])
            offset_MVH[rows] = weights["offset"][rows] - (own * self.mean_MVD[rows][:, :, None]).sum(-1)
        return weights | {"project": project_MVHD, "offset": offset_MVH}

    def gradients(self, of_folded: Weights, weights: Weights, rows: slice) -> Weights:
        """The gradients of the loss and its penalty for some probes' weights, from those for the folded weights.

        The penalty is l2 times the squared norm of all weights that multiply a feature: not of offsets and biases.
        """
        own = {name: gradient[rows] for name, gradient in of_folded.items()}
        mean_MV1D, scale_MV1D = self.mean_MVD[rows][:, :, None], self.scale_MVD[rows][:, :, None]
        own["project"] = torch.addcmul(own["project"], own["offset"][..., None], mean_MV1D, value=-1).div_(scale_MV1D)
        for name in (name for name in own if not name.endswith(("offset", "bias"))):
            weight = weights[name][rows]
            own[name] = torch.addcmul(own[name], self.l2_M[rows].view(-1, *[1] * (weight.dim() - 1)), weight, value=2)
        return own
