"""Seconds, processor time and memory of commands on runs of very many samples.

    python -m scripts.bench_store                                 # 100,000 and 1,000,000 samples: half an hour, 10 GB
    python -m scripts.bench_store --counts 2000 20000 --folder /tmp

Each command is a separate process, as a user starts it. A run holds 200 samples of each problem, 100 tokens and some
350 characters each, every other with the verdict "passed"; samples and verdicts are invented, but for the first few,
which the bundled model draws, so that `generate` has a run to resume. Processor time that grows faster than the
samples is marked.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import Problem
from benchmarks.mini import MODEL
from harness.errors import QprobeError
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.stages.grade import Budget, grader_key, plan_problems
from sandbox import Outcome, Sandbox, Status, open_sandbox

REPOSITORY = Path(__file__).resolve().parents[1]
EACH = 200
TOKENS = 100
LINES = 9
SLACK = 1.3


class Cost(NamedTuple):
    """The time and the memory of a command."""

    seconds: float
    cpu: float  # of its processes
    mebibytes: float  # the most that its main process held


def main() -> None:
    """Measure runs of each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="folder for the temporary runs")
    options = parser.parse_args()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    costs: dict[int, dict[str, Cost]] = {}
    for count in options.counts:
        with tempfile.TemporaryDirectory(prefix="qprobe-store-", dir=options.folder) as folder:
            costs[count] = measured(Path(folder), count)
    Console(width=40 + 45 * len(costs)).print(table(costs))


def table(costs: dict[int, dict[str, Cost]]) -> Table:
    """A row per command, with its costs at each number of samples."""
    titles = ("", "s", "CPU s", "MiB")
    shown = Table("command", *(f"{count:,}{': ' * bool(title)}{title}" for count in costs for title in titles[1:]))
    for name in next(iter(costs.values())):
        row = [name]
        for count, at_count in costs.items():
            cost = at_count[name]
            row += [f"{cost.seconds:.1f}", f"{cost.cpu:.1f}{mark(costs, name, count)}", f"{cost.mebibytes:,.0f}"]
        shown.add_row(*row)
    return shown


def mark(costs: dict[int, dict[str, Cost]], name: str, count: int) -> str:
    """Return a mark where processor time has grown faster than the samples since the smallest run."""
    first = min(costs)
    return " !" if costs[count][name].cpu > SLACK * count / first * costs[first][name].cpu else ""


# -- the commands ------------------------------------------------------------------------------------------------------


def measured(folder: Path, count: int) -> dict[str, Cost]:
    """Return what each command costs with so many samples."""
    benchmark, samples = folder / "benchmark.jsonl", folder / "samples.jsonl"
    write(benchmark, map(as_row, problems(count)))
    write(samples, ({"task_id": one.problem_id, "completion": one.text} for one in completions(count)))
    drawn, imported = folder / "drawn", folder / "imported"
    importing = ["import", imported, "--benchmark", benchmark, "--samples", samples]
    generating = ["generate", drawn, "--benchmark", benchmark, "--model", f"hf:{MODEL}", "--k", EACH]
    first, costs = f"store/{count // EACH // 2}", {}
    costs["import"] = run(importing)
    costs["import again"] = run(importing)
    samples.unlink()
    costs["generate, until killed"] = start_and_kill(generating, drawn)
    fill(drawn, count)
    costs["generate, nothing to do"] = run(generating)
    run(["grade", drawn, "--sandbox", "process"])  # grades 200 programs again, once
    commands = {
        "grade, nothing to do": ["grade", drawn, "--sandbox", "process"],
        "show": ["show", drawn],
        "show PROBLEM": ["show", drawn, first],
        "show PROBLEM/INDEX": ["show", drawn, f"{first}/7"],
        "report": ["report", drawn],
        "report, nothing new": ["report", drawn],
        "export": ["export", drawn, "-o", folder / "export.jsonl"],
    }
    costs |= {name: run(command) for name, command in commands.items()}
    check(drawn, count)
    return costs


def run(command: Sequence[object]) -> Cost:
    """Run a command of qprobe to its end, and print what it took."""
    began = time.monotonic()
    process = start(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"qprobe {' '.join(map(str, command))} ended with status {process.returncode}")
    cost = Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    print(f"{seconds:8.1f} s {cost.cpu:8.1f} s of processor time {cost.mebibytes:8,.0f} MiB  {command[0]}", flush=True)
    return cost


def start(command: Sequence[object]) -> "subprocess.Popen[bytes]":
    """Start a command of qprobe."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    words = [sys.executable, "-m", "qprobe", *map(str, command), "--quiet"]
    return subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def start_and_kill(command: Sequence[object], folder: Path) -> Cost:
    """Run a command until it has kept its first samples, kill it, and return what that took."""
    began = time.monotonic()
    process = start(command)
    while process.poll() is None and not has_samples(folder):
        time.sleep(0.1)
    process.kill()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = -9
    cost = Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    print(f"{cost.seconds:8.1f} s {cost.cpu:8.1f} s of processor time {cost.mebibytes:8,.0f} MiB  generate", flush=True)
    return cost


def has_samples(folder: Path) -> bool:
    """Return whether a run that another process is making has samples."""
    with suppress(QprobeError), Store(folder, read_only=True) as store:
        return store.count_samples() > 0
    return False  # it is being made


def check(folder: Path, count: int) -> None:
    """Raise SystemExit unless a run has so many samples, and as many verdicts."""
    with Store(folder, read_only=True) as store:
        grader = store.about.grader or ""
        numbers = (store.count_samples(), store.count_verdicts(grader))
    if numbers != (count, count):
        raise SystemExit(f"{numbers[0]:,} samples and {numbers[1]:,} verdicts where {count:,} belong")


# -- the samples -------------------------------------------------------------------------------------------------------


def problems(count: int) -> Iterator[Problem]:
    """The problems of so many samples."""
    for n in range(-(-count // EACH)):
        prompt = f"def f{n}(x):\n"
        tests = f"def check(candidate):\n    assert candidate(2) == {n + 2}\n"
        yield Problem(f"store/{n}", prompt, f"f{n}", tests, f"{prompt}    return x + {n}\n")


def as_row(problem: Problem) -> dict[str, object]:
    """The problem as a row of a benchmark's file."""
    names = ("id", "prompt", "entry_point", "tests", "solution")
    return {name: getattr(problem, name) for name in names}


def completions(count: int) -> Iterator[Completion]:
    """So many samples."""
    for problem in problems(count):
        for n in range(EACH):
            text = "".join(f"    value_{line} = x * {n} + {line} * {n % 7}\n" for line in range(LINES))
            text += f"    return x + {problem.entry_point[1:]} + {n % 2}\n"
            logprob, tokens = -(n % 17) - 1.5, tuple(range(n, n + TOKENS))
            yield Completion(
                problem.id, n, problem.prompt, text, problem.prompt + text, "stop", TOKENS, logprob, n, tokens,
                logprob / 3, 2.0,
            )  # fmt: skip


def write(file: Path, rows: Iterator[dict[str, object]]) -> None:
    """Write rows as JSON Lines."""
    with file.open("w", encoding="utf-8") as opened:
        opened.writelines(json.dumps(row) + "\n" for row in rows)


def fill(folder: Path, count: int) -> None:
    """Add to a run the samples that it lacks, and a verdict of each."""
    sandbox = open_sandbox("process")
    with Store(folder) as store, sandbox:
        grader = grader_key(sandbox, Budget())
        add_plans(store, grader, sandbox)
        store.note("grader", grader)
        batch: list[Completion] = []
        for one in completions(count):
            batch.append(one)
            if len(batch) == 50 * EACH:
                add(store, grader, batch)
        add(store, grader, batch)


def add_plans(store: Store, grader: str, sandbox: Sandbox) -> None:
    """Plan the first problem from its reference, and the others, which are like it, in the same way."""
    listed = store.problems()
    (plan,) = plan_problems(listed[:1], sandbox, Budget()).values()
    store.add_plans(grader, {problem.id: plan for problem in listed})


def add(store: Store, grader: str, batch: list[Completion]) -> None:
    """Add samples with their verdicts, and empty the list."""
    store.add_completions(batch)
    outcomes = (Outcome(Status.PASSED, "", 0.01, 0.02), Outcome(Status.FAILED, "AssertionError", 0.01, 0.02))
    verdicts: dict[SampleId, Outcome] = {one.id: outcomes[one.index % 2] for one in batch}
    store.add_verdicts(grader, verdicts)
    batch.clear()


if __name__ == "__main__":
    main()
