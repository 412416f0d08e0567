"""Time and memory of training probes, compared with the paper's training loop in one run on one machine.

    python scripts/bench_probes.py                                        # the paper's size: 464 x 200 x 4096
    python scripts/bench_probes.py --problems 60 --samples 40 --width 256 # small, a few seconds
    python scripts/bench_probes.py --device cuda
    python scripts/bench_probes.py --foldings 10 --epochs 2               # ten cross-validations beside one

qprobe's part is a full comparison: every objective, fold and l2 with nested selection, trained to convergence, scored
out of fold and evaluated for every k. The paper's part is its loop (Adam at 5e-5, batches of 1000, 150 epochs, a
shuffled copy of the features every epoch) for five single probes: one objective, one split.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch.nn.functional import mse_loss

from harness.probes import DEFAULT_OBJECTIVES, CrossValidation, Grid, Samples, Schedule, TrainingPlan, cross_validate
from harness.probes.controls import DRAWS, DRAWS_WITHIN, draws_each
from harness.probes.crossvalidation import cross_validations
from harness.probes.synthetic import PLANTED, Planted, plant
from harness.stats import best_of_k, pass_at_1
from scripts.memory import memory_bytes

T = TypeVar("T")
PAPER_EPOCHS = 150


def main() -> None:
    """Run both and print their time and memory."""
    options = parse()
    torch.set_num_threads(options.threads)
    planted = plant(options.problems, options.samples, options.width, difficulty=1.5)
    samples = planted.samples.to(options.device)
    features_bytes = samples.vectors[PLANTED].nbytes
    print(f"features: {options.problems} x {options.samples} x {options.width}, {features_bytes / 1e9:.2f} GB in fp32")
    before = start_of_peak(options.device)
    result, own = timed(lambda: comparison(samples, options), options.device)
    extra = (peak_bytes(options.device) - before) / features_bytes
    size = f"{len(DEFAULT_OBJECTIVES)} objectives x {options.folds} folds x {options.l2s} l2s"
    print(f"qprobe: {size}: {own}, peak memory {1 + extra:.2f} x the features")
    report_quality(planted, result)
    report_every_k()
    if options.foldings > 1:
        report_foldings(samples, options)
    if not options.paper_epochs:
        return
    _, loop = timed(lambda: paper_probe(samples, options.paper_epochs), options.device)
    paper = loop * (5 * PAPER_EPOCHS / options.paper_epochs)
    print(f"paper's loop, one probe, {options.paper_epochs} epochs: {loop}; five, {PAPER_EPOCHS} epochs: {paper}")
    print(f"qprobe / paper: {own.wall / paper.wall:.2f} by wall time, {own.cpu / paper.cpu:.2f} by processor time")


@dataclass(frozen=True)
class Seconds:
    """Wall time and processor time; the latter is comparable on a shared machine."""

    wall: float
    cpu: float

    def __mul__(self, times: float) -> "Seconds":
        return Seconds(self.wall * times, self.cpu * times)

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} s of processor time)"


def parse() -> argparse.Namespace:
    """The options; the default sizes are the paper's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, size in {"problems": 464, "samples": 200, "width": 4096, "folds": 5, "l2s": 8}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument(
        "--paper-epochs", type=int, default=PAPER_EPOCHS, help="epochs of the paper's loop, scaled to 5 x 150"
    )
    parser.add_argument(
        "--epochs", type=int, default=Schedule().epochs, help="epochs at most; two are enough for the peak of memory"
    )
    parser.add_argument("--foldings", type=int, default=1, help="also time this many cross-validations beside one")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def comparison(samples: Samples, options: argparse.Namespace) -> CrossValidation:
    """Cross-validate all objectives and l2s, with one inner fold held out, and evaluate every k."""
    l2s = tuple(float(l2) for l2 in np.logspace(1, -4, options.l2s))
    schedule = Schedule(epochs=options.epochs)
    plan = TrainingPlan(grid=Grid(l2s=l2s, learning_rates=(1e-3,)), schedule=schedule, inner_folds=4, inner_used=1)
    result = cross_validate(samples, folds=options.folds, plan=plan, controls=0)
    rewards_PN, mask_PN = samples.rewards_PN.double().cpu().numpy(), samples.mask_PN.cpu().numpy()
    for scores_PN in result.scores_OPN.numpy():
        best_of_k(scores_PN, rewards_PN, mask_PN, range(1, options.samples + 1))
    return result


def report_foldings(samples: Samples, options: argparse.Namespace) -> None:
    """Print the time of one cross-validation by the default plan, and of several trained together with controls."""
    plan = replace(TrainingPlan(), schedule=Schedule(epochs=options.epochs))
    seeds, objectives = range(options.foldings), DEFAULT_OBJECTIVES
    validate = partial(cross_validations, samples, folds=options.folds, plan=plan)
    draws, within = (draws_each(len(objectives), count) for count in (DRAWS, DRAWS_WITHIN))
    with_controls = partial(validate, controls=draws, controls_within=within)
    _, one = timed(lambda: validate(seeds=[0]), options.device)
    _, several = timed(lambda: validate(seeds=seeds), options.device)
    _, one_controlled = timed(lambda: with_controls(seeds=[0]), options.device)
    _, controlled = timed(lambda: with_controls(seeds=seeds), options.device)
    print(f"one folding {one}, {options.foldings} foldings {several}: {several.cpu / one.cpu:.1f} times")
    print(f"  with controls {one_controlled} and {controlled}: {controlled.cpu / one_controlled.cpu:.1f} times")


def paper_probe(samples: Samples, epochs: int) -> torch.nn.Module:
    """Train one probe like the paper's public code, by reward modelling: a shuffled copy, batches of 1000, AdamW."""
    torch.manual_seed(0)
    x, y = samples.vectors[PLANTED].flatten(0, 1), samples.rewards_PN.flatten()
    probe = torch.nn.Linear(x.shape[1], 1, device=x.device)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=5e-5, weight_decay=0.0)
    for _ in range(epochs):
        order = torch.randperm(len(y), device=x.device)
        x_epoch, y_epoch = x[order], y[order]
        for start in range(0, len(y) - 999, 1000):
            loss = mse_loss(probe(x_epoch[start : start + 1000])[:, 0], y_epoch[start : start + 1000])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return probe


def report_quality(planted: Planted, result: CrossValidation) -> None:
    """Print the best-of-n of each objective beside that of the planted direction."""
    rewards_PN, mask_PN = planted.samples.rewards_PN.double().numpy(), planted.samples.mask_PN.numpy()
    n = [int(mask_PN.sum(1).max())]
    print(f"  pass@1 {pass_at_1(rewards_PN, mask_PN).mean():.4f}, best of {n[0]}:", end=" ")
    named = {"the truth": planted.truth_PN.double().numpy()} | {
        name: result.scores_of(name).numpy() for name in result.objectives
    }
    print(", ".join(f"{name} {best_of_k(s, rewards_PN, mask_PN, n).mean():.4f}" for name, s in named.items()))


def report_every_k() -> None:
    """Print the time of best-of-k for every k, 500 problems x 200 samples."""
    rng = np.random.default_rng(0)
    scores_PN, rewards_PN = rng.standard_normal((500, 200)), (rng.random((500, 200)) < 0.3).astype(float)
    mask_PN = np.ones((500, 200), dtype=bool)
    runs = [timed(lambda: best_of_k(scores_PN, rewards_PN, mask_PN, range(1, 201)), "cpu")[1] for _ in range(5)]
    print(f"best-of-k for every k, 500 x 200: {1000 * min(run.wall for run in runs):.1f} ms")


def timed(work: Callable[[], T], device: str) -> tuple[T, Seconds]:
    """Return the result of `work` and its time."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return result, Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def start_of_peak(device: str) -> int:
    """Reset the peak of memory, and return the memory in use, including the features."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5")
    return memory_bytes("VmRSS")


def peak_bytes(device: str) -> int:
    """Return the peak of memory since `start_of_peak`."""
    return torch.cuda.max_memory_allocated() if device != "cpu" else memory_bytes("VmHWM")


if __name__ == "__main__":
    main()
