"""Training many probes as one tensor program.

Every minibatch is shared by all probes that read the same views: one matrix product serves all folds, objectives,
hyperparameters and seeds, and a mask tells each probe which problems it may learn from. Finished probes are removed, so
that the rest train faster. The result for a probe depends on the candidates of the same selection, and on none of the
others that are trained beside it. Two that differ only in the problems on which they are validated are trained once.

Dimensions: M probes in training at once, K permutations of the rewards, P problems, N samples of a problem, R rows,
G groups of S samples in a minibatch, V views, H linear maps, D width, E epochs, B rules of selection with S figures.
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from harness.probes.adam import Adam
from harness.probes.batch import ProbeBatch, ProbeSpec
from harness.probes.controls import permuted_rewards
from harness.probes.forms import Weights, find_form
from harness.probes.hyperparameters import Schedule
from harness.probes.minibatches import Minibatch, draw_minibatches
from harness.probes.moments import Moments
from harness.probes.objectives import WITHIN_PROBLEMS, Context
from harness.probes.probe import ADAM, CLOSED_FORM, Card, Probe
from harness.probes.registry import find_objective
from harness.probes.samples import Samples, View
from harness.probes.scoring import Scorer
from harness.probes.stopping import Stopping, selection_of
from harness.probes.validation import Curve, validate, validation_parts
from harness.progress import Advance, ignore
from harness.stats.rules import SelectionRule

TRAINING = "Training probes"
"""The title of every progress task that `train` adds to."""

WEIGHTS_AT_ONCE = 40_000_000
"""Weights of all probes in training at once: with their gradients and moments, some 1.5 GB."""

CAUTION = 2.0
"""Standard errors by which a gain is thought to be smaller, where a probe is to stop."""

PAIRS_AT_ONCE = 1_000_000
"""Pairs of samples of one minibatch whose losses are computed at once: they stay in a processor's cache."""


@dataclass(frozen=True)
class Trained:
    """The result of training one probe."""

    spec: ProbeSpec
    probe: Probe
    curve_EBS: Curve  # the validation figures after each epoch by each rule; [0, B, 4] without validation problems


def train(
    samples: Samples,
    specs: Sequence[ProbeSpec],
    schedule: Schedule,
    rules: Sequence[SelectionRule] = (SelectionRule(0.1),),
    moments: Mapping[View, Moments] | None = None,
    *,
    caution: float = CAUTION,
    advance: Advance = ignore,
) -> list[Trained]:
    """Train every probe; the results are in the order of `specs`.

    Probes with validation problems are judged after most epochs by what every one of `rules` gains on these. All inner
    folds of a candidate stop once the largest lower bound of its gain, `caution` standard errors below it, has not
    risen for `schedule.patience` epochs, or `schedule.patience_behind` where it is in the worse half of the candidates.
    `moments` saves another pass over the features, where the caller has them. `advance` is told at the start how many
    probes are to be trained, and then of each that is finished.
    """
    advance(0, more=len(specs))
    moments = (moments or measure(samples)) if schedule.standardise else None
    order = sorted(range(len(specs)), key=lambda position: _sort_key(specs[position]))
    trained: dict[int, Trained] = {}
    for _, positions in groupby(order, key=lambda position: _sort_key(specs[position])[:2]):
        for some in _at_once(samples, [(position, specs[position]) for position in positions]):
            for position, result in _BatchTrainer(samples, dict(some), schedule, rules, moments, caution).run():
                trained[position] = result
                advance()
    return [trained[position] for position in range(len(specs))]


def _at_once(samples: Samples, specs: Sequence[tuple[int, ProbeSpec]]) -> Iterator[Sequence[tuple[int, ProbeSpec]]]:
    """The specs in parts whose weights for one form and its views are not too many for the memory.

    The candidates of a selection stay together, unless they alone are too many.
    """
    hyperparameters = specs[0][1].hyperparameters
    width = samples.vectors[hyperparameters.views[0]].shape[-1]
    start = find_form(hyperparameters.form).start(len(hyperparameters.views), width, torch.Generator())
    most = max(1, WEIGHTS_AT_ONCE // sum(weight.numel() for weight in start.values()))
    together: list[tuple[int, ProbeSpec]] = []
    for _, group in groupby(specs, key=lambda item: selection_of(item[1])):
        for own in _cut(list(group), most):
            if together and len(together) + len(own) > most:
                yield together
                together = []
            together = together + own
    yield together


def _cut(own: list[tuple[int, ProbeSpec]], most: int) -> list[list[tuple[int, ProbeSpec]]]:
    """The specs of one selection in parts of at most `most`, the inner folds of a candidate together if they can be."""
    folds = sum(spec.hyperparameters == own[0][1].hyperparameters for _, spec in own)
    step = max(most // folds * folds, 1) if folds <= most else most
    return [own[begin : begin + step] for begin in range(0, len(own), step)]


def measure(samples: Samples) -> dict[View, Moments]:
    """The moments of every view."""
    return {view: Moments.of(samples, view) for view in samples.views}


def _sort_key(spec: ProbeSpec) -> tuple[str, tuple[View, ...], str]:
    """Form and views, which the probes of a batch share, then the objective, by which a batch is ordered."""
    return spec.hyperparameters.form, spec.hyperparameters.views, spec.objective


class _BatchTrainer:
    """The training of the probes of one form that read the same views."""

    def __init__(
        self,
        samples: Samples,
        specs: Mapping[int, ProbeSpec],
        schedule: Schedule,
        rules: Sequence[SelectionRule],
        moments: Mapping[View, Moments] | None,
        caution: float,
    ) -> None:
        self.samples, self.schedule, self.rules = samples, schedule, rules
        self.keys, self.specs = list(specs), list(specs.values())
        by_training: dict[Hashable, int] = {}
        self.rows = [by_training.setdefault(_training_of(spec), len(by_training)) for spec in self.specs]
        self.distinct = [self.specs[self.rows.index(row)] for row in range(len(by_training))]
        hyperparameters = self.specs[0].hyperparameters
        self.objectives = {name: find_objective(name) for name in {spec.objective for spec in self.specs}}
        within = self.objectives.keys() <= set(WITHIN_PROBLEMS)
        self.scorer = Scorer(samples, hyperparameters.views, find_form(hyperparameters.form), up_to_level=within)
        permutations = sorted({spec.permutation for spec in self.specs}, key=lambda permutation: permutation or (-1,))
        self.rewards_KPN = torch.stack([permuted_rewards(samples, permutation) for permutation in permutations])
        self.batch = ProbeBatch.of(samples, self.distinct, permutations, moments)
        self.adam = Adam(self._initial_weights(), self.batch.rate_M)
        self._divide()
        self.curves: list[list[Curve]] = [[] for _ in self.specs]
        self.stopping = Stopping(self.specs, schedule, caution)

    def run(self) -> Iterator[tuple[int, Trained]]:
        """Train until every probe has finished, and yield each as it finishes, with its key in `specs`."""
        mask_PN = self.samples.mask_PN.cpu()
        for epoch in range(self.schedule.epochs):
            minibatches = list(draw_minibatches(mask_PN, self.schedule, epoch))
            for number, minibatch in enumerate(minibatches):
                elapsed = (epoch + number / len(minibatches)) / self.schedule.epochs
                factor = 0.5 * (1 + math.cos(math.pi * elapsed)) if self.schedule.decay else 1.0
                self._step(minibatch.to(self.rewards_KPN.device), factor)
            self._validate(epoch)
            yield from self._retire_finished(epoch + 1)
            if not self.specs:
                return

    def _divide(self) -> None:
        """Divide the probes by objective and by validation problems, once for all steps until some finish."""
        self.objective_rows = _rows_by_objective(self.distinct)
        self.parts = validation_parts(self.specs, self.rows)

    def _validate(self, epoch: int) -> None:
        """Add to each probe's curve its figures after an epoch, or where it is not validated those of the last time."""
        if not self.schedule.validates(epoch):
            for curve in filter(None, self.curves):
                curve.append(curve[-1])
            return
        figures = validate(self.scorer, self.parts, self.batch, self.adam.weights, self.rewards_KPN, self.rules)
        for position, figures_BS in figures.items():
            self.curves[position].append(figures_BS)
        self.stopping.update(figures, epoch)

    def _initial_weights(self) -> Weights:
        """Each probe's initial weights, which depend on its seed alone."""
        width = self.batch.mean_MVD.shape[-1]
        seeds = [spec.seed for spec in self.distinct]
        by_seed = {
            seed: self.scorer.form.start(len(self.scorer.views), width, torch.Generator().manual_seed(seed))
            for seed in set(seeds)
        }
        names = by_seed[seeds[0]]
        return {name: torch.stack([by_seed[seed][name] for seed in seeds]).to(self.batch.mean_MVD) for name in names}

    def _step(self, minibatch: Minibatch, factor: float) -> None:
        folded = self.batch.folded(self.adam.weights)
        leaves = {name: weight.detach().requires_grad_() for name, weight in folded.items()}
        scores_MGS = self.scorer(leaves, minibatch.problems_G[:, None], minibatch.places_GS)
        slopes_MGS = self._slopes(scores_MGS.detach(), minibatch)
        of_folded = dict(zip(leaves, torch.autograd.grad(scores_MGS, list(leaves.values()), slopes_MGS), strict=True))
        self.adam.step(lambda rows: self.batch.gradients(of_folded, self.adam.weights, rows), factor)

    def _slopes(self, scores_MGS: Tensor, minibatch: Minibatch) -> Tensor:
        """The derivative [M, G, S] of every probe's loss with respect to its scores.

        Objectives are taken one after the other: those over all pairs of samples need much memory for theirs.
        """
        problems_G1 = minibatch.problems_G[:, None]
        rewards_KGS = self.rewards_KPN[:, problems_G1, minibatch.places_GS]
        mask_MGS = minibatch.mask_GS & self.batch.train_MP[:, problems_G1]
        slopes: list[Tensor] = []
        for name, rows in self._parts_by_objective(minibatch.mask_GS.numel() * minibatch.mask_GS.shape[1]):
            rewards_MGS = rewards_KGS[self.batch.permutation_M[rows]] if len(rewards_KGS) > 1 else rewards_KGS
            context = Context(self.batch.beta_M[rows, None, None], self.batch.mean_reward_M[rows, None, None])
            own_MGS = scores_MGS[rows].requires_grad_()
            losses_M = self.objectives[name](own_MGS, rewards_MGS, mask_MGS[rows], context)
            slopes += torch.autograd.grad(losses_M.sum(), own_MGS)
        return torch.cat(slopes)

    def _parts_by_objective(self, pairs: int) -> Iterator[tuple[str, slice]]:
        """Yield each objective with the rows of the batch that are trained on it, a part of them at a time.

        `pairs` is the number of pairs of samples in the minibatch.
        """
        most = max(1, PAIRS_AT_ONCE // pairs)
        for name, rows in self.objective_rows:
            yield from (
                (name, slice(first, min(first + most, rows.stop))) for first in range(rows.start, rows.stop, most)
            )

    def _retire_finished(self, epochs: int) -> Iterator[tuple[int, Trained]]:
        """Yield the probes that have finished, and remove from the batch those that no other has to be validated as."""
        stopped_S = self.stopping.stopped(epochs - 1).tolist()
        finished = [
            epochs in (self.schedule.epochs, spec.epochs) or (spec.validate_P is not None and has_stopped)
            for spec, has_stopped in zip(self.specs, stopped_S, strict=True)
        ]
        if not any(finished):
            return
        folded = self.batch.folded(self.adam.weights)
        for position in (position for position, is_finished in enumerate(finished) if is_finished):
            weights = {name: weight[self.rows[position]].clone() for name, weight in folded.items()}
            curve = self.curves[position]
            curve_EBS = np.stack(curve) if curve else np.zeros((0, len(self.rules), 4))
            yield self.keys[position], trained_as(self.specs[position], weights, epochs, curve_EBS)
        kept = [position for position, is_finished in enumerate(finished) if not is_finished]
        rows = sorted({self.rows[position] for position in kept})
        place_of = {row: place for place, row in enumerate(rows)}
        self.rows = [place_of[self.rows[position]] for position in kept]
        self.distinct = [self.distinct[row] for row in rows]
        self.stopping.keep(kept)
        self.keys = [self.keys[position] for position in kept]
        self.specs = [self.specs[position] for position in kept]
        self.curves = [self.curves[position] for position in kept]
        self._divide()
        if len(rows) < len(self.batch.l2_M):
            kept_rows = torch.tensor(rows, dtype=torch.long, device=self.rewards_KPN.device)
            self.batch = self.batch.take(kept_rows)
            self.adam.keep(kept_rows)


def trained_as(spec: ProbeSpec, weights: Weights, epochs: int, curve_EBS: Curve) -> Trained:
    """Return the probe of a spec with these weights for raw vectors, after so many epochs; 0 in closed form."""
    hyperparameters = spec.hyperparameters
    training = {"l2": hyperparameters.l2}
    if not hyperparameters.in_closed_form:
        training |= {
            "learning_rate": hyperparameters.learning_rate,
            "beta": hyperparameters.beta,
            "epochs": epochs,
        }
    card = Card(
        hyperparameters.form,
        hyperparameters.views,
        weights["project"].shape[-1],
        spec.objective,
        hyperparameters.beta,
        problems=int(spec.train_P.sum()),
        solver=CLOSED_FORM if hyperparameters.in_closed_form else ADAM,
        training=training,
    )
    return Trained(spec, Probe(card, weights), curve_EBS)


def _training_of(spec: ProbeSpec) -> Hashable:
    """All that the training of a probe depends on, apart from where it stops."""
    train_bytes = spec.train_P.numpy().tobytes()
    return spec.objective, spec.hyperparameters, train_bytes, spec.epochs, spec.seed, spec.permutation


def _rows_by_objective(specs: Sequence[ProbeSpec]) -> list[tuple[str, slice]]:
    """Each objective with the rows of its probes, which lie together."""
    rows, start = [], 0
    for name, group in groupby(spec.objective for spec in specs):
        stop = start + len(list(group))
        rows.append((name, slice(start, stop)))
        start = stop
    return rows
