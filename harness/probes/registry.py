"""The registry of objectives; others are added by an entry point or named by a dotted path.

An objective is a function of scores, rewards and mask, all [..., P, N]; for example the mean of (Q - r)^4:

    def quartic(scores_PN, rewards_PN, mask_PN, context):
        losses_PN = (scores_PN - rewards_PN).pow(4).where(mask_PN, 0.0)
        return losses_PN.sum((-2, -1)) / mask_PN.sum((-2, -1)).clamp(min=1)

A package that declares `[project.entry-points."qprobe.objectives"] mine = "package.module:function"` adds the name
`mine`; a name with a colon, `package.module:function` or `path/to/file.py:function`, needs no declaration.
"""

from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import cast

import torch

from benchmarks.plugins import load
from harness.probes import objectives
from harness.probes.objectives import Context, Objective
from harness.probes.plans import STACKED
from harness.probes.samples import ProbeError

OBJECTIVES: dict[str, Objective] = {
    "mse": objectives.mse,
    "ce": objectives.ce,
    "pg": objectives.pg,
    "pg-problem": objectives.pg_problem,
    "pg-loo": objectives.pg_loo,
    "pairwise": objectives.pairwise,
    "hinge": objectives.hinge,
    "dpo": objectives.dpo,
    "listwise": objectives.listwise,
    "copg": objectives.copg,
    STACKED: objectives.copg,
}

DEFAULT_OBJECTIVES = ("mse", "ce", "pg", "pairwise", "hinge", "dpo", "listwise", "copg")
"""The default objectives; `pg` represents its variants with other baselines, whose gradients are the same."""

ENTRY_POINTS = "qprobe.objectives"


def objective_names() -> tuple[str, ...]:
    """Every name that `find_objective` accepts, the built-in ones first."""
    declared = sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))
    return tuple(dict.fromkeys([*OBJECTIVES, *declared]))


def find_objective(name: str) -> Objective:
    """Return the objective of that name. Raises ProbeError for an unknown name, and for one that cannot be trained."""
    if name in OBJECTIVES:
        return OBJECTIVES[name]
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return _checked(name, _imported(name, entry.load))
    if ":" in name:
        return _checked(name, _imported(name, lambda: load(name)))
    near = get_close_matches(name, objective_names(), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Choose from {', '.join(objective_names())}."
    raise ProbeError(f"Unknown objective {name!r}. {hint}")


def _imported(name: str, load_objective: Callable[[], object]) -> Objective:
    try:
        return cast(Objective, load_objective())
    except (ImportError, AttributeError, OSError, SyntaxError) as error:
        raise ProbeError(f"Objective {name!r} cannot be imported: {error}.") from error


def _checked(name: str, objective: Objective) -> Objective:
    """Return the objective, once it has given one loss for each of two probes. Raises ProbeError where it does not."""
    scores_MPN = torch.linspace(-1, 1, 12).reshape(2, 2, 3).requires_grad_()
    rewards_PN, mask_PN = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), torch.ones(2, 3, dtype=torch.bool)
    context = Context(torch.full((2, 1, 1), 0.1), torch.full((2, 1, 1), 0.5))
    try:
        losses_M = objective(scores_MPN, rewards_PN, mask_PN.expand(2, 2, 3), context)
        if losses_M.shape != (2,):
            raise ValueError(f"scores of shape [2, 2, 3] gave a loss of shape {list(losses_M.shape)}, not [2]")
        torch.autograd.grad(losses_M.sum(), scores_MPN)
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise ProbeError(
            f"Objective {name!r} cannot be trained ([..., problems, samples] -> [...]): {cause}."
        ) from error
    return objective
