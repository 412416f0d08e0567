"""The gain of cautious selection, by lower bounds and towards a random choice, over taking the best figure.

    python -m scripts.bench_selection results/RUN ... --seeds 5

For each run and rule: the mean gain over pass@1 of every objective, over several draws of the folds. Then the
difference between the two rules, over all objectives and draws, with a 95 % bootstrap interval over problems.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from harness.probes import DEFAULT_OBJECTIVES, Samples, TrainingPlan, cross_validations
from harness.runs.samples import load_samples
from harness.runs.store import Store
from harness.stages.probe import selection_values
from harness.stats import differences, pass_at_1

RULES: Mapping[str, TrainingPlan] = {
    "best figure": replace(TrainingPlan(), caution=0.0, leeway=0.0),
    "lower bound": TrainingPlan(),
}


def main() -> None:
    """Print a comparison per run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="runs that are graded and embedded")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for run in options.runs:
        with Store(run) as store:
            samples = load_samples(store)
        compare(run.name, samples, options.seeds)


def compare(name: str, samples: Samples, seeds: int) -> None:
    """Compare both rules on one run."""
    base_P = pass_at_1(samples.rewards_PN.double().numpy(), samples.mask_PN.numpy())
    print(f"{name}: pass@1 {np.nanmean(base_P):.3f}; gains, mean of {seeds} draws of the folds")
    means = {}
    for rule, plan in RULES.items():
        results = cross_validations(samples, seeds=range(seeds), plan=plan)
        gains_OP = selection_values(samples, results).mean(0) - base_P
        listed = ", ".join(f"{o} {g:+.3f}" for o, g in zip(DEFAULT_OBJECTIVES, np.nanmean(gains_OP, 1), strict=True))
        means[rule] = gains_OP.mean(0)
        print(f"  {rule}: {np.nanmean(gains_OP):+.4f} ({listed})")
    best, softest = RULES
    (difference,) = differences(means, [(softest, best)])
    print(f"  difference {difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]", flush=True)


if __name__ == "__main__":
    main()
