"""Training plans: the candidates of model selection, the schedule, and the presets."""

import math
from dataclasses import dataclass, field, fields, replace
from itertools import product

from harness.probes.forms import find_form
from harness.probes.hyperparameters import Hyperparameters, Schedule
from harness.probes.samples import ProbeError, Samples, View
from harness.stats.rules import NEARLY_RANDOM, SelectionRule

SAMPLE_WISE = ("mse", "ce")
"""The objectives over single samples; the paper draws their minibatches without regard to problems."""

STACKED = "stacked"
"""The objective whose linear probes are solved and combined in closed form: see harness/probes/stacking.py."""

WITHOUT_POLICY = ("mse", "ce", "pairwise", "hinge", "copg", STACKED)
"""The objectives without a softmax policy: the temperature in training makes no difference to them."""


TEMPERATURES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, NEARLY_RANDOM)
NUMBERS = (1, 2, 3, 5, 10, 20, 50)
"""The best of one sample is a random choice, and the best of many nearly that of all."""

RULES = (*map(SelectionRule, TEMPERATURES), *(SelectionRule(k=k) for k in NUMBERS), SelectionRule())


@dataclass(frozen=True)
class Grid:
    """The values that nested selection tries, in all combinations. Earlier ones win ties."""

    forms: tuple[str, ...] = ("linear",)
    views: tuple[View, ...] = ()  # one per candidate, but all for the form gated; () means every view of the samples
    l2s: tuple[float, ...] = (1.0, 0.03, 0.001)
    learning_rates: tuple[float, ...] = (3e-4, 3e-3)
    betas: tuple[float, ...] = (0.1,)  # temperatures of the probe policy in training
    ridge_l2s: tuple[float, ...] = (100.0, 10.0, 1.0)  # instead of `l2s` for stacked probes
    solved: tuple[str, ...] = ("mse",)  # objectives whose linear probes are solved in closed form
    solved_l2s: tuple[float, ...] = (10.0, 1.0, 0.1, 0.01)  # instead of `l2s` for these, which have no learning rate

    def candidates(self, samples: Samples, objective: str = "") -> list[Hyperparameters]:
        """Return the hyperparameters of all combinations that can make a difference to the objective, in order.

        Raises ProbeError for a view that the samples lack.
        """
        views = self.views or samples.views
        if absent := [str(view) for view in views if view not in samples.vectors]:
            present = ", ".join(map(str, samples.views))
            raise ProbeError(f"There are no vectors of layer {', '.join(absent)}. Choose from {present}.")
        if "gated" in self.forms and len({samples.vectors[view].shape[-1] for view in views}) > 1:
            raise ProbeError("A gated probe reads vectors of one width, but these views differ: choose fewer views.")
        betas = self.betas[:1] if objective in WITHOUT_POLICY else self.betas
        by_gradients = list(product(self.l2s, self.learning_rates, betas))
        in_closed_form = [(l2, 0.0, betas[0]) for l2 in self.solved_l2s]
        return [
            Hyperparameters(group, form, *values)
            for form in self.forms
            for values in (in_closed_form if form == "linear" and objective in self.solved else by_gradients)
            for group in ([views] if form == "gated" else [(view,) for view in views])
        ]


@dataclass(frozen=True)
class TrainingPlan:
    """A plan for training and selecting probes."""

    grid: Grid = field(default_factory=Grid)
    rules: tuple[SelectionRule, ...] = RULES  # candidates for the rule of selection
    schedule: Schedule = field(default_factory=Schedule)
    sample_wise: Schedule | None = None  # for mse and ce, instead of `schedule`
    inner_folds: int = 4  # inner folds of the training problems; 0: nothing is selected
    inner_used: int = 4  # how many of these are held out in turn: fewer are faster and less exact
    caution: float = 2.0  # a gain counts as so many standard errors less than it is
    evidence: float = 1.0  # standard errors that selection must gain on inner folds without part in it
    leeway: float = 0.5  # a softer selection may be so many standard errors below the best
    apart: bool = False  # each training set in separate minibatches, as if it were the only one


PAPER = TrainingPlan(
    grid=Grid(forms=("torch-linear",), l2s=(0.0,), learning_rates=(5e-5,), betas=(0.1,), solved=()),
    rules=(SelectionRule(0.1),),
    schedule=Schedule(epochs=150, groups=100, samples=10, decay=False, standardise=False),
    sample_wise=Schedule(epochs=150, groups=1000, samples=1, decay=False, standardise=False),
    inner_folds=0,
    apart=True,
)
"""The training of the Q-Probe paper: a linear probe on vectors as they come, Adam at 5e-5 without weight decay, 150
epochs of minibatches of 1000 samples (for the others 100 problems x 10 samples), beta 0.1 in training and selection.
Deviations of its public code (weight decay 0.01, L_PG at beta 1, remainders dropped, one permutation for all
problems) are not followed. One layer: the paper reads the last token at layer 26 of 32."""

WIDE = TrainingPlan(
    grid=Grid(
        forms=("linear", "mlp", "mlp-2", "gated"),
        l2s=(1.0, 0.1, 0.01, 0.001),
        learning_rates=(3e-4, 3e-3),
        betas=(0.03, 0.1, 0.3),
    )
)
"""Selects from all forms and a wider grid: many times the work of the default."""

PRESETS: dict[str, TrainingPlan] = {"nested": TrainingPlan(), "wide": WIDE, "paper": PAPER}


def find_plan(preset: str) -> TrainingPlan:
    """Return the plan of that name. Raises ProbeError for an unknown name."""
    if preset not in PRESETS:
        raise ProbeError(f"Unknown preset {preset!r}. Choose from {', '.join(PRESETS)}.")
    return PRESETS[preset]


@dataclass(frozen=True)
class GridOverrides:
    """A user's candidates instead of the preset's; () keeps those of the preset.

    With learning rates, every objective is trained by gradients.
    """

    forms: tuple[str, ...] = ()
    l2s: tuple[float, ...] = ()
    learning_rates: tuple[float, ...] = ()
    betas: tuple[float, ...] = ()

    def plan(self, preset: str) -> TrainingPlan:
        """Return the preset with these candidates. Raises ProbeError for a bad value; paper takes one form alone."""
        plan = find_plan(preset)
        overrides = {entry.name: value for entry in fields(self) if (value := getattr(self, entry.name))}
        overrides |= {"ridge_l2s": self.l2s, "solved_l2s": self.l2s} if self.l2s else {}
        overrides |= {"solved": ()} if self.learning_rates else {}
        if not overrides:
            return plan
        if not plan.inner_folds and (list(overrides) != ["forms"] or len(self.forms) > 1):
            raise ProbeError(
                f"The preset {preset} selects nothing: use nested or wide to select from several values, or give "
                f"{preset} one --form."
            )
        for form in self.forms:
            find_form(form)
        if not all(0 <= l2 < math.inf for l2 in self.l2s):
            raise ProbeError("l2 must be zero or above, and finite.")
        if not all(0 < number < math.inf for number in self.learning_rates + self.betas):
            raise ProbeError("Learning rates and betas in training must be above zero, and finite.")
        return replace(plan, grid=replace(plan.grid, **overrides))


def plan_at(plan: TrainingPlan | str, beta: float | None) -> TrainingPlan:
    """Return the plan, or the preset of that name, with selection at `beta` alone; None keeps the plan's own rules.

    Raises ProbeError for a temperature that is negative or not finite.
    """
    plan = find_plan(plan) if isinstance(plan, str) else plan
    if beta is None:
        return plan
    if not 0 <= beta < math.inf:
        raise ProbeError(f"Selection at beta {beta} is not possible: use 0 or any finite number above.")
    return replace(plan, rules=(SelectionRule(beta),))


def score_beta(beta: float | None) -> float:
    """The temperature that out-of-fold scores are scaled to: the one asked for, or 0.1 where folds select theirs."""
    return 0.1 if beta is None else beta
