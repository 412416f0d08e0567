"""Prompts by name, including those that show a model its successes in another run."""

import hashlib
import re
from pathlib import Path

from benchmarks import Benchmark
from benchmarks.data_files import user_path
from benchmarks.prompt import Prompt
from benchmarks.prompts import Shot, open_prompt, shot_of, with_shots
from harness.errors import QprobeError
from harness.runs.store import Store
from harness.runs.training_problems import training_problems, training_samples


def find_prompt(spec: str, benchmark: Benchmark) -> Prompt:
    """Return the prompt that a user names. Raises QprobeError or BenchmarkError for an unknown name."""
    named = re.fullmatch(r"successes-(\d+)(?::(.+))?", spec)
    if named is None:
        return open_prompt(spec, benchmark)
    if named.group(2) is None:
        raise QprobeError(f"{spec} needs a graded run of training problems; write {spec}:RUN.")
    count, run = int(named.group(1)), user_path(named.group(2))
    return with_shots(f"successes-{count}", benchmark, _successes(run, count))


def _successes(run: Path, count: int) -> list[Shot]:
    """The shortest passing sample of `count` training problems of a run, in an order that depends on the ids alone.

    The shortest, because a model that is shown what follows a function, such as calls and asserts, writes it too.
    """
    with Store(run, read_only=True) as store:
        passed: dict[str, list[Shot]] = {}
        for problem, completion, reward in training_samples(store, training_problems(store)):
            if reward:
                passed.setdefault(problem.id, []).append(shot_of(problem, completion.program, problem.stop))
    chosen = sorted(passed, key=lambda name: hashlib.sha256(name.encode()).digest())[:count]
    if count < 1 or len(chosen) < count:
        raise QprobeError(
            f"{run} has passing samples of {len(passed)} training problems; it cannot show {count} successes."
        )
    return [min(passed[name], key=lambda shot: (len(shot.solution.strip()), shot.solution)) for name in chosen]
