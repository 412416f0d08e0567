"""Coverage of the intervals of gains, and rates of false gains and losses, of the whole pipeline on simulated samples.

    python -m scripts.bench_intervals --runs 100                            # coverage in four scenarios
    python -m scripts.bench_intervals --runs 100 --null --objectives all    # rewards permuted within problems
    python -m scripts.bench_intervals --runs 100 --file /tmp/runs.jsonl     # continues where it was interrupted

A run draws problems, cross-validates them ten times with nested selection, and tabulates. The true gain is that of the
very probes that were trained, each by the rule that its fold selected, on new problems. With --null rewards are
permuted within the problems of each run, so that every gain and every loss is false.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.data_files import sha256_of_all
from harness.probes import DEFAULT_OBJECTIVES, Samples
from harness.probes.crossvalidation import held_out_scores, limits_of, rescale, scores_of
from harness.probes.folds import assign_folds
from harness.probes.nested import Fitted, Task, fit
from harness.probes.plans import find_plan
from harness.probes.synthetic import PLANTED, plant
from harness.stats import Design, pass_at_1, summarise
from harness.stats.rules import selection_by_limits

PROBLEMS, SAMPLES, WIDTH, NEW = 60, 10, 16, 1500
FOLDS, BETA = 5, 0.1
SIGNALS = {"strong": 3.0, "weak": 0.7, "none": 0.0, "none with outliers": 0.0}


@dataclass(frozen=True)
class Result:
    """One objective in one simulated run."""

    gain: float
    low: float
    high: float
    p: float  # corrected for the number of objectives
    truth: float

    @property
    def is_covered(self) -> bool:
        """True where the interval holds the true gain."""
        return self.low - 1e-9 <= self.truth <= self.high + 1e-9


def main() -> None:
    """Print a line per scenario."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--objectives", default="pg", help="by commas, or all")
    parser.add_argument("--scenarios", default=",".join(SIGNALS))
    parser.add_argument("--null", action="store_true", help="permute rewards within problems")
    parser.add_argument("--file", type=Path, help="keep each run's results here, and make none again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    objectives = DEFAULT_OBJECTIVES if options.objectives == "all" else tuple(options.objectives.split(","))
    for scenario in options.scenarios.split(","):
        seeds = range(options.first, options.first + options.runs)
        runs = simulated(scenario, seeds, objectives, options.repeats, null=options.null, file=options.file)
        print(f"{scenario}: {summary(runs)}", flush=True)


def summary(runs: Sequence[Sequence[Result]]) -> str:
    """Return coverage, mean gain and truth, and the shares of runs with a significant gain and with such a loss."""
    every = [result for run in runs for result in run]
    gains = np.mean([any(result.p < 0.05 and result.gain > 0 for result in run) for run in runs])
    losses = np.mean([any(result.p < 0.05 and result.gain < 0 for result in run) for run in runs])
    covered, gain, truth = (np.mean([getattr(one, part) for one in every]) for part in ("is_covered", "gain", "truth"))
    width = np.mean([result.high - result.low for result in every])
    return (
        f"coverage {covered:.3f} of {len(every)} intervals, mean width {width:.3f}, gain {gain:+.4f} ({truth:+.4f});"
        f" any significant gain in {gains:.1%} and loss in {losses:.1%} of {len(runs)} runs"
    )


def simulated(
    scenario: str,
    seeds: Sequence[int],
    objectives: Sequence[str],
    repeats: int = 10,
    *,
    null: bool = False,
    file: Path | None = None,
) -> list[list[Result]]:
    """Return the results of a run for each seed. Those that the file holds, by the same code, are not made again."""
    kept = kept_results(file)
    runs = []
    for seed in seeds:
        about = [_code(), scenario, seed, list(objectives), repeats, null]
        if (results := kept.get(json.dumps(about))) is None:
            results = simulate(scenario, seed, objectives, repeats, null=null)
            if file is not None:
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"about": about, "results": [asdict(one) for one in results]}) + "\n")
        runs.append(results)
    return runs


def kept_results(file: Path | None) -> dict[str, list[Result]]:
    """Return the results in a file, by what they are about; a line that was cut off is left out."""
    kept: dict[str, list[Result]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file is not None and file.is_file() else []:
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        kept[json.dumps(entry["about"])] = [Result(**one) for one in entry["results"]]
    return kept


@cache
def _code() -> str:
    """A hash of the code that results depend on."""
    root = Path(__file__).parents[1]
    files = [Path(__file__), *sorted(root.glob("harness/probes/*.py")), *sorted(root.glob("harness/stats/*.py"))]
    return sha256_of_all(files)


def draw(scenario: str, seed: int) -> tuple[Samples, Samples]:
    """Return the samples of a run, and those of new problems; outliers are a tenth of the samples, and always fail."""
    samples = plant(PROBLEMS + NEW, SAMPLES, WIDTH, signal=SIGNALS[scenario], seed=seed).samples
    if scenario == "none with outliers":
        generator = torch.Generator().manual_seed(seed + 7)
        far_PN = torch.rand(samples.mask_PN.shape, generator=generator) < 0.1
        vectors_PND = torch.where(far_PN[..., None], 8 * samples.vectors[PLANTED], samples.vectors[PLANTED])
        rewards_PN = samples.rewards_PN.masked_fill(far_PN, 0.0)
        samples = replace(samples, vectors={PLANTED: vectors_PND}, rewards_PN=rewards_PN)
    return samples.take(range(PROBLEMS)), samples.take(range(PROBLEMS, PROBLEMS + NEW))


def simulate(
    scenario: str, seed: int, objectives: Sequence[str] = ("pg",), repeats: int = 10, *, null: bool = False
) -> list[Result]:
    """Return the result of each objective in one run."""
    samples, new = draw(scenario, seed)
    if null:
        samples, new = (part.shuffled(seed + 1000, within=True) for part in (samples, new))
    folds = [assign_folds(samples.problem_ids, FOLDS, repeat) for repeat in range(repeats)]
    tasks = [
        Task(objective, fold_P != fold, repeat, inner_P=fold_P)
        for repeat, fold_P in enumerate(folds)
        for objective in objectives
        for fold in range(FOLDS)
    ]
    fitted = iter(fit(samples, tasks, find_plan("nested")))
    by_objective: dict[str, list[list[Fitted]]] = {name: [] for name in objectives}
    for _ in folds:
        for name in objectives:
            by_objective[name].append([next(fitted) for _ in range(FOLDS)])
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    scores, limits, truths = {}, {}, {}
    for name, foldings in by_objective.items():
        pairs = list(zip(foldings, folds, strict=True))
        scores[name] = np.stack([held_out_scores(samples, own, fold_P, BETA).numpy() for own, fold_P in pairs])
        limits[name] = np.stack([limits_of([one.selected for one in own], fold_P) for own, fold_P in pairs])
        truths[name] = float(np.mean([true_gain(new, one) for own in foldings for one in own]))
    design = Design(torch.stack(folds).numpy())
    table = summarise(rewards_PN, mask_PN, scores, beta=BETA, limits=limits, design=design, resamples=2000)
    rows = [table[name] for name in objectives]
    return [Result(row.gain, row.gain_low, row.gain_high, row.p_holm, truths[row.name]) for row in rows]


def true_gain(new: Samples, fitted: Fitted) -> float:
    """Return the gain of one probe, by the rule that was selected with it, on new problems."""
    rewards_PN, mask_PN = new.rewards_PN.double().numpy(), new.mask_PN.numpy()
    scores_PN = scores_of(new, fitted.probe, torch.arange(NEW)).numpy() * rescale(BETA, fitted.selected)
    limits_P = np.full(NEW, fitted.selected.rule.limit)
    values_P = selection_by_limits(scores_PN, rewards_PN, mask_PN, BETA, limits_P)
    return float((values_P - pass_at_1(rewards_PN, mask_PN)).mean())


if __name__ == "__main__":
    main()
