"""Training many probes as one tensor program.

Every batch is shared by all probes that read the same views: one matrix product serves all folds, objectives, settings
and seeds, and a mask tells each probe which problems it may learn from. A probe that has stopped leaves the program,
so that the rest run faster. What a probe becomes does not depend on which others are trained beside it.

Dimensions: M probes in training together, K permutations of the rewards, P problems, N samples of a problem, R rows,
G groups of S samples in a batch, V views, H linear maps, D width, E epochs, B temperatures.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from harness.probes.adam import Adam
from harness.probes.batch import ProbeBatch, ProbeSpec
from harness.probes.forms import Weights, find_form
from harness.probes.hyperparameters import Schedule
from harness.probes.minibatches import Batch, draw_batches
from harness.probes.moments import Moments
from harness.probes.objectives import Context
from harness.probes.probe import Card, Probe
from harness.probes.registry import find_objective
from harness.probes.samples import Samples, View
from harness.probes.scoring import Scorer
from harness.probes.validation import Curve, has_stalled, validate
from harness.probes.watching import tell


@dataclass(frozen=True)
class Trained:
    """What became of a member."""

    member: ProbeSpec
    probe: Probe
    curve_EB: Curve  # the validation figure after each epoch at each temperature; [0, B] where nothing validates


def train(
    samples: Samples,
    members: Sequence[ProbeSpec],
    schedule: Schedule,
    temperatures: Sequence[float] = (0.1,),
    moments: Mapping[View, Moments] | None = None,
) -> list[Trained]:
    """Train every member; the results are in the members' order.

    Members with validation problems are judged after each epoch by the expected reward of softmax selection at every
    one of `temperatures`, and stop once none of these figures has improved for `schedule.patience` epochs.
    `moments` spares reading the features once more, where the caller has them.
    """
    known = (moments or measure(samples)) if schedule.standardise else None
    order = sorted(range(len(members)), key=lambda place: _batch_of(members[place]))
    trained: dict[int, Trained] = {}
    tell(wanted=len(members))
    for _, places in groupby(order, key=lambda place: _batch_of(members[place])[:2]):
        cohort = _BatchTrainer(samples, {place: members[place] for place in places}, schedule, temperatures, known)
        for place, result in cohort.run():
            trained[place] = result
            tell(done=1)
    return [trained[place] for place in range(len(members))]


def measure(samples: Samples) -> dict[View, Moments]:
    """The moments of every view."""
    return {view: Moments.of(samples, view) for view in samples.views}


def _batch_of(member: ProbeSpec) -> tuple[str, tuple[View, ...], str]:
    """Members of the same form and views train together, and those of an objective stand side by side."""
    return member.setting.form, member.setting.views, member.objective


class _BatchTrainer:
    """Members of one form that read the same views, while they are in training."""

    def __init__(
        self,
        samples: Samples,
        members: Mapping[int, ProbeSpec],
        schedule: Schedule,
        temperatures: Sequence[float],
        moments: Mapping[View, Moments] | None,
    ) -> None:
        self.samples, self.schedule, self.temperatures = samples, schedule, temperatures
        self.places, self.members = list(members), list(members.values())
        setting = self.members[0].setting
        self.scorer = Scorer(samples, setting.views, find_form(setting.form))
        self.losses = {name: find_objective(name) for name in {member.objective for member in self.members}}
        permutations = sorted(
            {member.shuffle for member in self.members},
            key=lambda permutation: -1 if permutation is None else permutation,
        )
        self.rewards_KPN = torch.stack([_permuted(samples, permutation) for permutation in permutations])
        self.columns = ProbeBatch.of(samples, self.members, permutations, moments)
        self.adam = Adam(self._start(), self.columns.rate_M)
        self.curves: list[list[Curve]] = [[] for _ in self.members]

    def run(self) -> Iterator[tuple[int, Trained]]:
        """Train until every member has left; each leaves with its place among the members of the program."""
        mask_PN = self.samples.mask_PN.cpu()
        for epoch in range(self.schedule.epochs):
            batches = list(draw_batches(mask_PN, self.schedule, epoch))
            for number, batch in enumerate(batches):
                progress = (epoch + number / len(batches)) / self.schedule.epochs
                factor = 0.5 * (1 + math.cos(math.pi * progress)) if self.schedule.decay else 1.0
                self._step(batch.to(self.rewards_KPN.device), factor)
            for place, figures_B in validate(
                self.scorer, self.members, self.columns, self.adam.weights, self.rewards_KPN, self.temperatures
            ):
                self.curves[place].append(figures_B)
            yield from self._retire_finished(epoch + 1)
            if not self.members:
                return

    def _start(self) -> Weights:
        """Every member's first weights: those of its own seed, whoever trains beside it."""
        width = self.columns.mean_MVD.shape[-1]
        seeds = [member.seed for member in self.members]
        starts = {
            seed: self.scorer.form.start(len(self.scorer.views), width, torch.Generator().manual_seed(seed))
            for seed in set(seeds)
        }
        names = starts[seeds[0]]
        return {name: torch.stack([starts[seed][name] for seed in seeds]).to(self.columns.mean_MVD) for name in names}

    def _step(self, batch: Batch, factor: float) -> None:
        leaves = {name: weight.detach().requires_grad_() for name, weight in self.adam.weights.items()}
        scores_MGS = self.scorer(self.columns.folded(leaves), batch.problems_G[:, None], batch.places_GS)
        penalty = (self.columns.l2_M * _squared_norms(leaves)).sum()
        slopes = [self._slopes(scores_MGS.detach(), batch), torch.ones_like(penalty)]
        gradients = torch.autograd.grad([scores_MGS, penalty], list(leaves.values()), slopes)
        self.adam.step(dict(zip(leaves, gradients, strict=True)), factor)

    def _slopes(self, scores_MGS: Tensor, batch: Batch) -> Tensor:
        """The derivative of every member's loss by its scores, [M, G, S].

        One objective at a time: those that look at every pair of samples need much memory until theirs is known.
        """
        problems_G1 = batch.problems_G[:, None]
        rewards_KGS = self.rewards_KPN[:, problems_G1, batch.places_GS]
        mask_MGS = batch.mask_GS & self.columns.train_MP[:, problems_G1]
        slopes: list[Tensor] = []
        for name, here in self._objectives():
            rewards_MGS = rewards_KGS[self.columns.permutation_M[here]] if len(rewards_KGS) > 1 else rewards_KGS
            context = Context(self.columns.beta_M[here, None, None], self.columns.mean_reward_M[here, None, None])
            own_MGS = scores_MGS[here].requires_grad_()
            losses_M = self.losses[name](own_MGS, rewards_MGS, mask_MGS[here], context)
            slopes += torch.autograd.grad(losses_M.sum(), own_MGS)
        return torch.cat(slopes)

    def _objectives(self) -> Iterator[tuple[str, slice]]:
        """Each objective with the members trained on it."""
        start = 0
        for name, group in groupby(member.objective for member in self.members):
            stop = start + len(list(group))
            yield name, slice(start, stop)
            start = stop

    def _retire_finished(self, epochs: int) -> Iterator[tuple[int, Trained]]:
        """Let the members go that have trained long enough."""
        done = [self._is_done(place, epochs) for place in range(len(self.members))]
        if not any(done):
            return
        folded = self.columns.folded(self.adam.weights)
        for place in (place for place, is_done in enumerate(done) if is_done):
            weights = {name: weight[place].clone() for name, weight in folded.items()}
            yield self.places[place], self._trained(place, weights, epochs)
        kept = [place for place, is_done in enumerate(done) if not is_done]
        self.places = [self.places[place] for place in kept]
        self.members = [self.members[place] for place in kept]
        self.curves = [self.curves[place] for place in kept]
        here = torch.tensor(kept, dtype=torch.long, device=self.rewards_KPN.device)
        self.columns = self.columns.take(here)
        self.adam.keep(here)

    def _is_done(self, place: int, epochs: int) -> bool:
        member, curve = self.members[place], self.curves[place]
        if epochs == self.schedule.epochs or epochs == member.epochs:
            return True
        return bool(curve) and has_stalled(np.stack(curve), self.schedule.patience)

    def _trained(self, place: int, weights: Weights, epochs: int) -> Trained:
        member, setting = self.members[place], self.members[place].setting
        card = Card(
            setting.form,
            setting.views,
            weights["project"].shape[-1],
            member.objective,
            setting.beta,
            problems=int(member.train_P.sum()),
            training={"l2": setting.l2, "learning_rate": setting.learning_rate, "beta": setting.beta, "epochs": epochs},
        )
        curve = self.curves[place]
        return Trained(
            member, Probe(card, weights), np.stack(curve) if curve else np.zeros((0, len(self.temperatures)))
        )


def _permuted(samples: Samples, permutation: int | None) -> Tensor:
    return samples.rewards_PN if permutation is None else samples.shuffled(permutation).rewards_PN


def _squared_norms(weights: Weights) -> Tensor:
    """The squared norm [M] of everything that multiplies a feature; offsets and biases go free."""
    multiply = [weight for name, weight in weights.items() if not name.endswith(("offset", "bias"))]
    return torch.stack([weight.square().flatten(1).sum(1) for weight in multiply]).sum(0)
