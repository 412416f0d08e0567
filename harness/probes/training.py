"""Training many probes as one tensor program.

Every epoch's batches are shared by all probes that read the same features: one matrix product serves all folds,
objectives, settings and seeds, and a mask tells each probe which problems it may learn from. A probe that has stopped
leaves the program, so that the rest run faster. The optimiser is Adam (arXiv 1412.6980), with a learning rate a probe.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harness.probes.batches import Batch, draw_batches
from harness.probes.forms import Form, Linear, Weights
from harness.probes.moments import Moments
from harness.probes.objectives import Context
from harness.probes.registry import find_objective
from harness.probes.samples import Samples, View

FORMS: dict[str, Form] = {"linear": Linear()}


@dataclass(frozen=True)
class Setting:
    """One way to train a probe: what nested selection chooses between."""

    views: tuple[View, ...]
    form: str = "linear"
    l2: float = 1e-2  # weight of the squared norm of the weights (of standardised features) in the loss
    learning_rate: float = 3e-3
    beta: float = 0.1  # temperature of the policy in the objectives that train one


@dataclass(frozen=True)
class Schedule:
    """What all probes of one program share."""

    epochs: int = 20
    groups: int = 128  # groups of samples a batch
    samples: int = 25  # samples a group, all of one problem
    decay: bool = True  # the learning rate falls to zero as half a cosine
    seed: int = 0  # of the order of the samples


@dataclass(frozen=True)
class Member:
    """One probe to be trained."""

    objective: str
    setting: Setting
    train_P: Tensor  # bool: the problems it may learn from
    seed: int = 0  # of its first weights


@dataclass(frozen=True)
class Trained:
    """What became of a member: weights that apply to vectors as they come, with no standardisation left to do."""

    member: Member
    weights: Weights = field(repr=False)

    def __call__(self, vectors: Sequence[Tensor]) -> Tensor:
        """Scores [...] of vectors [..., D], one tensor for each view of the setting."""
        with torch.no_grad():
            project = self.weights["project"]
            maps = [view @ project[v].T.to(view) for v, view in enumerate(vectors)]
            projected_RVH = torch.stack(maps, -2) + self.weights["offset"].to(maps[0])
            flat = projected_RVH.flatten(0, -3)[None]
            stacked = {name: weight[None].to(flat) for name, weight in self.weights.items()}
            return FORMS[self.member.setting.form].head(flat, stacked)[0].view(projected_RVH.shape[:-2])


def train(samples: Samples, members: Sequence[Member], schedule: Schedule) -> list[Trained]:
    """Train every member; the result is in the order of the members, and for each what training it alone gives."""
    cohorts: dict[tuple[str, tuple[View, ...]], list[int]] = {}
    for place, member in enumerate(members):
        cohorts.setdefault((member.setting.form, member.setting.views), []).append(place)
    trained: dict[int, Trained] = {}
    for places in cohorts.values():
        cohort = [members[place] for place in places]
        trained.update(zip(places, _Cohort(samples, cohort, schedule).run(), strict=True))
    return [trained[place] for place in range(len(members))]


class _Cohort:
    """Members that share a form and views, in training."""

    def __init__(self, samples: Samples, members: Sequence[Member], schedule: Schedule) -> None:
        self.samples, self.members, self.schedule = samples, members, schedule
        self.device = samples.rewards_PN.device
        self.form = FORMS[members[0].setting.form]
        self.views = members[0].setting.views
        self.weights = self._start()
        self.first = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.second = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.steps = 0
        self.train_MP = torch.stack([member.train_P for member in members]).to(self.device)
        self.mean_MVD, self.scale_MVD = self._standard()
        self.l2_M = self._column([member.setting.l2 for member in members])
        self.rate_M = self._column([member.setting.learning_rate for member in members])
        self.beta_M = self._column([member.setting.beta for member in members])
        graded_MP = self.train_MP.float() @ samples.mask_PN.sum(1).float()
        passed_MP = self.train_MP.float() @ (samples.rewards_PN * samples.mask_PN).sum(1)
        self.mean_reward_M = passed_MP / graded_MP.clamp(min=1)
        self.places: dict[str, list[int]] = {}
        for place, member in enumerate(members):
            self.places.setdefault(member.objective, []).append(place)

    def run(self) -> list[Trained]:
        mask_PN = self.samples.mask_PN.cpu()
        for epoch in range(self.schedule.epochs):
            batches = list(
                draw_batches(mask_PN, self.schedule.groups, self.schedule.samples, self.schedule.seed, epoch)
            )
            for number, batch in enumerate(batches):
                progress = (epoch + number / len(batches)) / self.schedule.epochs
                factor = 0.5 * (1 + math.cos(math.pi * progress)) if self.schedule.decay else 1.0
                self._step(batch, factor)
        return [self._trained(place) for place in range(len(self.members))]

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self.device)

    def _start(self) -> Weights:
        width = self.samples.vectors[self.views[0]].shape[-1]
        starts = {
            seed: self.form.start(len(self.views), width, torch.Generator().manual_seed(seed))
            for seed in {member.seed for member in self.members}
        }
        return {
            name: torch.stack([starts[member.seed][name] for member in self.members]).to(self.device)
            for name in starts[self.members[0].seed]
        }

    def _standard(self) -> tuple[Tensor, Tensor]:
        moments = [Moments.of(self.samples, view).standard(self.train_MP) for view in self.views]
        return torch.stack([m for m, _ in moments], 1).float(), torch.stack([s for _, s in moments], 1).float()

    def _folded(self, weights: Weights) -> tuple[Tensor, Tensor]:
        """The linear maps of raw vectors, [M, V, H, D], and their offsets [M, V, H]."""
        project_MVHD = weights["project"] / self.scale_MVD[:, :, None]
        return project_MVHD, -(project_MVHD * self.mean_MVD[:, :, None]).sum(-1)

    def _scores(self, weights: Weights, rows_R: Tensor) -> Tensor:
        project_MVHD, offset_MVH = self._folded(weights)
        maps = []
        for v, view in enumerate(self.views):
            vectors_RD = self.samples.vectors[view].flatten(0, 1)[rows_R].float()
            maps.append((vectors_RD @ project_MVHD[:, v].flatten(0, 1).T).view(len(rows_R), len(project_MVHD), -1))
        projected_MRVH = torch.stack(maps, 2).transpose(0, 1) + offset_MVH[:, None]
        return self.form.head(projected_MRVH, weights)

    def _step(self, batch: Batch, factor: float) -> None:
        problems_G, places_GS = batch.problems_G.to(self.device), batch.places_GS.to(self.device)
        rewards_GS = self.samples.rewards_PN[problems_G[:, None], places_GS]
        mask_MGS = batch.mask_GS.to(self.device) & self.train_MP[:, problems_G, None]
        leaves = {name: weight.requires_grad_() for name, weight in self.weights.items()}
        rows = (problems_G[:, None] * self.samples.mask_PN.shape[1] + places_GS).flatten()
        scores_MGS = self._scores(leaves, rows).view(-1, *places_GS.shape)
        losses = [
            find_objective(name)(scores_MGS[at], rewards_GS, mask_MGS[at], self._context(at))
            for name, at in self.places.items()
        ]
        penalty_M = self.l2_M * leaves["project"].square().sum((1, 2, 3))
        total = torch.cat(losses).sum() + penalty_M.sum()
        gradients = torch.autograd.grad(total, list(leaves.values()))
        self._descend(dict(zip(leaves, gradients, strict=True)), factor)

    def _context(self, at: list[int]) -> Context:
        return Context(self.beta_M[at, None, None], self.mean_reward_M[at, None, None])

    @torch.no_grad()
    def _descend(self, gradients: Weights, factor: float) -> None:
        """One step of Adam, without weight decay."""
        self.steps += 1
        for name, gradient in gradients.items():
            first = self.first[name].lerp_(gradient, 0.1)
            second = self.second[name].lerp_(gradient.square(), 0.001)
            rate_M = factor * self.rate_M / (1 - 0.9**self.steps)
            step = first / ((second / (1 - 0.999**self.steps)).sqrt() + 1e-8)
            weight = self.weights[name].detach()
            self.weights[name] = weight - rate_M.view(-1, *[1] * (weight.dim() - 1)) * step

    def _trained(self, place: int) -> Trained:
        project_MVHD, offset_MVH = self._folded(self.weights)
        weights = {name: weight[place].detach().clone() for name, weight in self.weights.items()}
        weights |= {"project": project_MVHD[place].detach().clone(), "offset": offset_MVH[place].detach().clone()}
        return Trained(self.members[place], weights)
