"""Peak memory and time of cross-validating probes on many samples, whose vectors are held in half precision.

    python -m scripts.bench_probe_memory                                    # 5,000 x 200 x 4096: 8.2 GB of vectors
    python -m scripts.bench_probe_memory --problems 500 --epochs 40

One candidate is trained, and validated on one inner fold. A few epochs are enough for the peak. The rewards follow one
feature, which the probe must find.
"""

import argparse
import time
from pathlib import Path

import torch

from harness.probes import Grid, Samples, Schedule, TrainingPlan, View, cross_validate
from harness.stats import best_of_k, pass_at_1
from scripts.memory import memory_bytes

VIEW = View(26, "last")


def main() -> None:
    """Print the time of training, the peak of memory, and what the probe selects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, size in {"problems": 5000, "samples": 200, "width": 4096, "folds": 2, "epochs": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--objective", default="pg")
    options = parser.parse_args()
    samples = draw(options.problems, options.samples, options.width)
    vectors_bytes = samples.vectors[VIEW].nbytes
    grid = Grid(l2s=(0.03,), learning_rates=(3e-3,))
    plan = TrainingPlan(grid=grid, schedule=Schedule(epochs=options.epochs), inner_used=1)
    Path("/proc/self/clear_refs").write_text("5")
    start, cpu = time.perf_counter(), time.process_time()
    result = cross_validate(samples, [options.objective], folds=options.folds, plan=plan, controls=0)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = memory_bytes("VmHWM")
    print(f"vectors {vectors_bytes / 2**30:.2f} GiB, peak of the process {peak / 2**30:.2f} GiB")
    print(f"{options.objective}, {options.folds} folds, at most {options.epochs} epochs: ", end="")
    print(f"{seconds:.0f} s ({cpu:.0f} s of processor time)")
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    best = best_of_k(result.scores_of(options.objective).numpy(), rewards_PN, mask_PN, [options.samples]).mean()
    print(f"pass@1 {pass_at_1(rewards_PN, mask_PN).mean():.3f}, best of {options.samples} {best:.3f}")


def draw(problems: int, samples: int, width: int) -> Samples:
    """Draw samples, a problem at a time, so that they are never held in more than half precision."""
    generator = torch.Generator().manual_seed(0)
    vectors_PND = torch.empty(problems, samples, width, dtype=torch.float16)
    rewards_PN = torch.empty(problems, samples)
    for vectors_ND, rewards_N in zip(vectors_PND, rewards_PN, strict=True):
        drawn_ND = torch.empty(samples, width).normal_(generator=generator)
        vectors_ND.copy_(drawn_ND)
        rewards_N.copy_(torch.bernoulli((2 * drawn_ND[:, 0] - 1).sigmoid(), generator=generator))
    ids = tuple(f"drawn/{number}" for number in range(problems))
    indices_PN = torch.arange(samples).expand(problems, samples)
    return Samples(ids, {VIEW: vectors_PND}, rewards_PN, torch.ones(problems, samples, dtype=torch.bool), indices_PN)


if __name__ == "__main__":
    main()
