"""The cost of each selection: what it needs besides the samples it selects from."""

import numpy as np

from harness.reports.inputs import ReportInputs
from harness.reports.report import Cost
from harness.stats.baselines import CENTROID, CODET, CONTRAST, GENERATED, OUTPUTS, SHOWN, VECTOR_AGREEMENT

RUNS_PROGRAMS = frozenset({SHOWN, f"agreement ({OUTPUTS})", GENERATED, CODET})
READS_TESTS = frozenset({GENERATED, CODET})
READS_VECTORS = frozenset({VECTOR_AGREEMENT, CENTROID, CONTRAST})


def costs(inputs: ReportInputs) -> dict[str, Cost]:
    """Return the cost of selection among all samples by each row; of scores from files only where a card tells it."""
    samples = float(inputs.mask_PN.sum(1).mean())
    labels = _labels(inputs)
    names: dict[str, tuple[str, ...]] = {name: (name,) for name in (*inputs.objectives, *inputs.baselines)}
    names |= {name: part.parts for name, part in inputs.composed.items()}
    single = ["pass@1", *(["greedy"] if inputs.greedy_rewards else [])]
    texts = inputs.generated.texts if inputs.generated else 0.0
    return (
        {name: Cost(1.0, 0.0, 0.0, 0.0, 0.0) for name in single}
        | {
            name: Cost(
                samples,
                texts * any(part in READS_TESTS for part in parts),
                samples * any(part in READS_VECTORS or part in inputs.objectives for part in parts),
                samples * any(part in RUNS_PROGRAMS for part in parts),
                labels * any(part == CONTRAST or part in inputs.objectives for part in parts),
            )
            for name, parts in names.items()
        }
        | {
            name: Cost(samples, 0.0, samples * card.forward_passes, 0.0, float(card.labels or 0))
            for name, card in inputs.cards.items()
        }
    )


def _labels(inputs: ReportInputs) -> float:
    """The number of verdicts that a probe learns from: those of the other folds, the mean over folds."""
    counts_P, folds = inputs.mask_PN.sum(1), np.unique(inputs.scores.fold_P)
    return float(np.mean([counts_P[inputs.scores.fold_P != fold].sum() for fold in folds]))
