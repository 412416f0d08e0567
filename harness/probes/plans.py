"""How a run's probes are trained: what is chosen between, on what schedule, and the presets."""

import math
from dataclasses import dataclass, field, fields, replace
from itertools import product

from harness.probes.forms import find_form
from harness.probes.hyperparameters import Hyperparameters, Schedule
from harness.probes.samples import ProbeError, Samples, View

SAMPLE_WISE = ("mse", "ce")
"""The objectives that look at one sample at a time; the paper draws their batches without regard to problems."""

WITHOUT_POLICY = ("mse", "ce", "pairwise", "hinge", "copg")
"""The objectives that train no softmax policy: whatever beta is in training, they come out the same."""


@dataclass(frozen=True)
class Grid:
    """The settings that nested selection tries, all combinations. Earlier ones win ties."""

    forms: tuple[str, ...] = ("linear",)
    views: tuple[View, ...] = ()  # one at a time, but a gated form reads them all; () is every view there is
    l2s: tuple[float, ...] = (1.0, 0.03, 0.001)
    learning_rates: tuple[float, ...] = (3e-4, 3e-3)
    betas: tuple[float, ...] = (0.1,)  # temperatures of the policy in training

    def settings(self, samples: Samples, objective: str = "") -> list[Hyperparameters]:
        """Every setting that can make a difference to the objective, in order.

        Raises ProbeError for a view that the samples lack.
        """
        views = self.views or samples.views
        if absent := [str(view) for view in views if view not in samples.vectors]:
            raise ProbeError(f"no vectors of layer {', '.join(absent)}; there are {', '.join(map(str, samples.views))}")
        if "gated" in self.forms and len({samples.vectors[view].shape[-1] for view in views}) > 1:
            raise ProbeError("a gated probe reads vectors of one width, and these views differ: name fewer views")
        betas = self.betas[:1] if objective in WITHOUT_POLICY else self.betas
        return [
            Hyperparameters(read, form, l2, rate, beta)
            for form, l2, rate, beta in product(self.forms, self.l2s, self.learning_rates, betas)
            for read in ([views] if form == "gated" else [(view,) for view in views])
        ]


@dataclass(frozen=True)
class TrainingPlan:
    """How probes are trained and chosen."""

    grid: Grid = field(default_factory=Grid)
    temperatures: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of selection: chosen between for each probe
    schedule: Schedule = field(default_factory=Schedule)
    sample_wise: Schedule | None = None  # instead of `schedule`, for mse and ce
    inner_folds: int = 4  # into which training problems are cut for selection; 0 chooses nothing
    inner_used: int = 4  # how many of these are held out in turn: fewer are faster and noisier
    one_se_rule: float = 1.0  # standard errors by which a softer selection may be below the best one on the inner folds
    apart: bool = False  # each training set in batches of its own, as if the others were not there


PAPER = TrainingPlan(
    grid=Grid(forms=("torch-linear",), l2s=(0.0,), learning_rates=(5e-5,), betas=(0.1,)),
    temperatures=(0.1,),
    schedule=Schedule(epochs=150, groups=100, samples=10, decay=False, standardise=False),
    sample_wise=Schedule(epochs=150, groups=1000, samples=1, decay=False, standardise=False),
    inner_folds=0,
    apart=True,
)
"""The training of the Q-Probe paper: a linear probe on vectors as they come, Adam at 5e-5 without weight decay, 150
epochs of batches of 1000 samples (for the others 100 problems x 10 samples), beta 0.1 in training and selection.
What its public code does otherwise (weight decay 0.01, L_PG at beta 1, remainders dropped, one permutation for all
problems) is left out. One layer: the paper reads the last token at layer 26 of 32."""

WIDE = TrainingPlan(
    grid=Grid(
        forms=("linear", "mlp", "mlp-2", "gated"),
        l2s=(1.0, 0.1, 0.01, 0.001),
        learning_rates=(3e-4, 3e-3),
        betas=(0.03, 0.1, 0.3),
    )
)
"""Everything is chosen between that there is to choose: many times the work of the default."""

PRESETS: dict[str, TrainingPlan] = {"nested": TrainingPlan(), "wide": WIDE, "paper": PAPER}


def find_plan(preset: str) -> TrainingPlan:
    """The plan of that name. Raises ProbeError for an unknown one."""
    if preset not in PRESETS:
        raise ProbeError(f"no preset is called {preset!r}; there are {', '.join(PRESETS)}")
    return PRESETS[preset]


@dataclass(frozen=True)
class GridOverrides:
    """What a user wants chosen between instead of what the preset tries; () leaves the preset's."""

    forms: tuple[str, ...] = ()
    l2s: tuple[float, ...] = ()
    learning_rates: tuple[float, ...] = ()
    betas: tuple[float, ...] = ()

    def plan(self, preset: str) -> TrainingPlan:
        """The preset with these choices. Raises ProbeError for a number or name that is none, and for the paper's."""
        plan = find_plan(preset)
        given = {entry.name: value for entry in fields(self) if (value := getattr(self, entry.name))}
        if not given:
            return plan
        if not plan.inner_folds:
            raise ProbeError(
                f"the preset {preset} leaves nothing to choose: take nested or wide to choose between more"
            )
        for form in self.forms:
            find_form(form)
        if not all(0 <= l2 < math.inf for l2 in self.l2s):
            raise ProbeError("l2 must be zero or above, and finite")
        if not all(0 < number < math.inf for number in self.learning_rates + self.betas):
            raise ProbeError("learning rates and betas in training must be above zero, and finite")
        return replace(plan, grid=replace(plan.grid, **given))


def refuse_temperature(beta: float) -> None:
    """Raise ProbeError for a temperature of selection at which nothing can be selected."""
    if not 0 <= beta < math.inf:
        raise ProbeError(f"selection at beta {beta} is not possible: take 0, or any finite number above")
