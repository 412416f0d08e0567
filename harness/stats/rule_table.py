"""The figures of each probe under each rule of selection, whichever of them its folds found best."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, pass_at_1
from harness.stats.intervals import PLAIN, Design
from harness.stats.rules import AMONG, ARG_MAX, BY_SOFTMAX, SOFTMAX, UNLIMITED, selected_values
from harness.stats.table import RESAMPLES, TableRow, tabulate


@dataclass(frozen=True)
class RuledScores:
    """The scores of one objective, and the parameters of its rules that were selected in each problem's fold."""

    scores: Floats  # [P, N], or [S, P, N] for S cross-validations
    beta: float  # of softmax selection with these scores; 0 where none was selected
    among: Ints | None  # samples of the arg max among k [P] or [S, P]; None where none was selected

    def values(self, rewards_PN: Floats, mask_PN: Bools) -> dict[str, Floats]:
        """Return the expected reward of each problem in each cross-validation [S, P] by each rule."""
        limits = {ARG_MAX: UNLIMITED, SOFTMAX: BY_SOFTMAX if self.beta else None, AMONG: self.among}
        scores_SPN = self.scores.reshape(-1, *self.scores.shape[-2:])
        return {
            kind: selected_values(
                scores_SPN, rewards_PN, mask_PN, self.beta, np.broadcast_to(limit, scores_SPN.shape[:2])
            )
            for kind, limit in limits.items()
            if limit is not None
        }


def rule_rows(
    rewards_PN: Floats,
    mask_PN: Bools,
    probes: Mapping[str, RuledScores],
    *,
    design: Design = PLAIN,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[TableRow, ...]]:
    """Return the rows of each probe, named by rule; p-values are corrected for all rows of all probes."""
    values = {"pass@1": pass_at_1(rewards_PN, mask_PN)}
    places: dict[tuple[str, str], str] = {}
    for name, probe in probes.items():
        for kind, values_SP in probe.values(rewards_PN, mask_PN).items():
            places[name, kind] = f"{name}: {kind}"
            values[places[name, kind]] = values_SP
    any_pass_P = ((rewards_PN > 0) & mask_PN).any(1).astype(np.float64)
    values["pass@k"] = np.where(mask_PN.any(1), any_pass_P, np.nan)
    compared = set(places.values())
    tabulated = tabulate(
        values, base="pass@1", oracle="pass@k", compared=compared, design=design, resamples=resamples, seed=seed
    )
    rows = {row.name: row for row in tabulated}
    return {
        name: tuple(replace(rows[place], name=kind) for (of, kind), place in places.items() if of == name)
        for name in probes
    }
