"""The table of objectives, and the doors for others: an entry point, or a dotted path.

An objective is a function of scores, rewards and mask, all [..., P, N]; this one is the mean of (Q - r)^4:

    def quartic(scores_PN, rewards_PN, mask_PN, context):
        losses_PN = (scores_PN - rewards_PN).pow(4).where(mask_PN, 0.0)
        return losses_PN.sum((-2, -1)) / mask_PN.sum((-2, -1)).clamp(min=1)

A package that declares `[project.entry-points."qprobe.objectives"] mine = "package.module:function"` adds the name
`mine`; a name with a colon, `package.module:function` or `path/to/file.py:function`, needs no declaration at all.
"""

from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import cast

from benchmarks.plugins import load
from harness.probes import objectives
from harness.probes.objectives import Objective
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
}

DEFAULT_OBJECTIVES = ("mse", "ce", "pg", "pairwise", "hinge", "dpo", "listwise", "copg")
"""What is compared unless a run says otherwise: `pg` stands for its other baselines, whose gradients are the same."""

ENTRY_POINTS = "qprobe.objectives"


def objective_names() -> tuple[str, ...]:
    """Every name that `find_objective` knows, our own first."""
    strangers = sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))
    return tuple(dict.fromkeys([*OBJECTIVES, *strangers]))


def find_objective(name: str) -> Objective:
    """The objective of that name. Raises ProbeError for an unknown one, suggesting the nearest."""
    if name in OBJECTIVES:
        return OBJECTIVES[name]
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return cast(Objective, entry.load())
    if ":" in name:
        return _from_path(name)
    near = get_close_matches(name, objective_names(), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(objective_names())}"
    raise ProbeError(f"no objective is called {name!r}; {hint}")


def _from_path(path: str) -> Objective:
    try:
        return cast(Objective, load(path))
    except (ImportError, AttributeError, OSError, SyntaxError) as error:
        raise ProbeError(f"objective {path!r} cannot be imported: {error}") from error
