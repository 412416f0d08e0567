"""What a training program knows of each of its probes, as tensors with the M probes in front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from harness.probes.forms import Weights
from harness.probes.hyperparameters import Hyperparameters
from harness.probes.moments import Moments
from harness.probes.samples import Samples, View


@dataclass(frozen=True)
class ProbeSpec:
    """One probe to be trained."""

    objective: str
    setting: Hyperparameters
    train_P: Tensor  # bool: the problems it learns from
    validate_P: Tensor | None = None  # bool: the problems that say when it has learnt enough
    epochs: int | None = None  # how long to train, where nothing validates; the whole schedule if None
    seed: int = 0  # of its first weights
    shuffle: int | None = None  # learn from rewards permuted anew with this seed: a control


@dataclass(frozen=True)
class ProbeBatch:
    """The members of one program, in tensors."""

    train_MP: Tensor  # bool
    mean_MVD: Tensor  # of its own training samples; zero and one where vectors are taken as they come
    scale_MVD: Tensor
    mean_reward_M: Tensor  # of its own training samples
    permutation_M: Tensor  # which of the program's permutations of the rewards it learns from
    l2_M: Tensor
    rate_M: Tensor
    beta_M: Tensor

    @classmethod
    def of(
        cls,
        samples: Samples,
        members: Sequence[ProbeSpec],
        permutations: Sequence[int | None],
        moments: Mapping[View, Moments] | None,
    ) -> "ProbeBatch":
        """The columns of members that read the same views; without `moments`, vectors are taken as they come."""
        views, device = members[0].setting.views, samples.rewards_PN.device
        dtype = torch.promote_types(samples.vectors[views[0]].dtype, torch.float32)
        train_MP = torch.stack([member.train_P for member in members]).to(device)
        shape = (len(members), len(views), samples.vectors[views[0]].shape[-1])
        mean_MVD, scale_MVD = torch.zeros(shape, device=device), torch.ones(shape, device=device)
        if moments is not None:
            means, scales = zip(*(moments[view].standard(train_MP) for view in views), strict=True)
            mean_MVD, scale_MVD = torch.stack(means, 1), torch.stack(scales, 1)
        graded_M = train_MP.double() @ samples.mask_PN.sum(1).double()
        passed_M = train_MP.double() @ (samples.rewards_PN * samples.mask_PN).sum(1).double()
        settings = [member.setting for member in members]
        return cls(
            train_MP,
            mean_MVD.to(dtype),
            scale_MVD.to(dtype),
            (passed_M / graded_M.clamp(min=1)).to(dtype),
            torch.tensor([permutations.index(member.shuffle) for member in members], device=device),
            torch.tensor([setting.l2 for setting in settings], dtype=dtype, device=device),
            torch.tensor([setting.learning_rate for setting in settings], dtype=dtype, device=device),
            torch.tensor([setting.beta for setting in settings], dtype=dtype, device=device),
        )

    def take(self, places: Tensor) -> "ProbeBatch":
        """The columns of some members only."""
        return ProbeBatch(*(getattr(self, entry.name)[places] for entry in fields(self)))

    def folded(self, weights: Weights) -> Weights:
        """The weights for vectors as they come: standardisation goes into the linear maps and their offsets."""
        project_MVHD = weights["project"] / self.scale_MVD[:, :, None]
        offset_MVH = weights["offset"] - (project_MVHD * self.mean_MVD[:, :, None]).sum(-1)
        return weights | {"project": project_MVHD, "offset": offset_MVH}
