"""Generated tests: run every program on tests that a model wrote, and keep which of them it passes.

These tests are unchecked, so they decide no reward; they are a filter for selection, as in CodeT (2207.10397).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import Problem
from benchmarks.data_files import sha256, user_path
from benchmarks.doctor.cases import CallCase
from benchmarks.written_tests import written_cases
from harness.errors import QprobeError
from harness.progress import SILENT, Progress
from harness.runs.completion import SampleId
from harness.runs.settings import GeneratedTests
from harness.runs.store import Store
from harness.stages.grade import Budget, by_program, kept
from harness.stages.sample_formats import JsonRow, ProblemFinder, numbered_rows
from sandbox import Job, Outcome, Sandbox, Status

MOST = 100
"""Tests of a problem: the most frequent ones."""

CALL_SECONDS = 0.25
"""CPU time of one test: a right program needs far less on what a model writes down, and many wrong ones never end."""

PARTS, SMALLEST = 4, 7
"""A program that one test ends is run on so many parts of the tests, down to parts of this size."""

_ENDED = (Status.TIMEOUT, Status.MEMORY, Status.EXITED)


def read_tests(path: Path, problems: Sequence[Problem]) -> tuple[dict[str, list[tuple[CallCase, int]]], float]:
    """Return the tests of each problem in a file, with their frequencies, and the mean number of texts per problem.

    Rows are `{"task_id", "tests": [...]}`, or CodeT's `{"prompt", "samples": [...]}`, whose prompts are those of the
    problems with `pass` and a comment behind them; rows of other problems are left out. Raises QprobeError, with the
    line, for a row of another form, and for a file without a usable test.
    """
    finder, texts = ProblemFinder(problems), {problem.id: list[str]() for problem in problems}
    for number, row in numbered_rows(user_path(path)):
        try:
            if isinstance(row, ValueError):
                raise row
            own = _texts_of(row)
            if problem := _problem_of(row, finder):
                texts[problem.id] += own
        except ValueError as error:
            raise QprobeError(
                f"{path}, line {number}: {error}. Give rows with task_id and tests, or prompt and samples as in CodeT."
            ) from error
    cases = {
        problem.id: written_cases(texts[problem.id], problem.entry_point, MOST) if problem.entry_point else []
        for problem in problems
    }
    if not any(cases.values()):
        raise QprobeError(f"{path} holds no test like assert f(2) == 4 of any problem of the run.")
    return cases, sum(map(len, texts.values())) / len(problems)


def _problem_of(row: JsonRow, finder: ProblemFinder) -> Problem | None:
    """The problem that a row names; None for one that is not of the run."""
    prompt = row.get("prompt")
    if "task_id" not in row and not isinstance(prompt, str):
        raise ValueError("the row names no problem")
    with suppress(ValueError):
        if "task_id" in row:
            return finder.by_id(row["task_id"])
        return finder.by_prompt(str(prompt).rpartition("    pass\n")[0] or str(prompt))
    return None


def _texts_of(row: JsonRow) -> list[str]:
    texts = row.get("tests", row.get("samples"))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("tests must be a list of texts")
    return texts


def run_generated_tests(
    store: Store, sandbox: Sandbox, budget: Budget, path: Path, progress: Progress = SILENT
) -> GeneratedTests:
    """Run every program on the tests of a file, and return what the run keeps of them.

    Equal programs of a problem are run once. Raises QprobeError for a file without usable tests.
    """
    grader = store.about.require_grader(store.folder)
    problems = {problem.id: problem for problem in store.problems()}
    cases, texts = read_tests(path, list(problems.values()))
    digest = hashlib.sha256(json.dumps([[*map(repr, own)] for own in cases.values()]).encode()).hexdigest()[:12]
    weights = {name: [count for _, count in own] for name, own in cases.items() if own}
    tests = GeneratedTests(path.name, sha256(user_path(path)), digest, texts, weights)
    answers = tests.verdicts(grader)
    plans = store.plans(grader)
    total = sum(sample.problem_id in weights for sample in store.sample_ids(greedy=True))
    present = len(store.verdicts(answers, greedy=True))
    pending = [item for item in store.ungraded(answers) if item.problem_id in weights]
    programs: list[_Program] = []
    for name in dict.fromkeys(item.problem_id for item in pending):
        own = by_program(item for item in pending if item.problem_id == name)
        limits = replace(budget.limits(plans[name], problems[name]), call_seconds=CALL_SECONDS)
        job = plans[name].apply(problems[name].job("", limits))
        asked = [case for case, _ in cases[name]]
        programs += [_Program(replace(job, program=program), ids, asked) for program, ids in own.items()]
    with progress.task("Generated tests", total, present) as advance, kept(store, answers) as keep:
        for program in _run(programs, sandbox):
            keep(program.ids, Outcome(Status.FAILED, f"answer {program.answer}"))
            advance(len(program.ids))
    store.note("generated_tests", tests.as_json())
    return tests


@dataclass(slots=True)
class _Program:
    """A program, and what is known of the tests it passes: 1, 0, or "" where they were not run yet."""

    job: Job
    ids: list[SampleId]
    cases: Sequence[CallCase]
    parts: dict[int, str] = field(default_factory=dict)  # answers by the first test of a part
    waiting: int = 0  # parts that are being run

    @property
    def answer(self) -> str:
        """A 1 for each test that it passes, a 0 for each other."""
        return "".join(self.parts[start] for start in sorted(self.parts))


def _run(programs: Sequence[_Program], sandbox: Sandbox) -> Iterator[_Program]:
    """Yield each program when all its tests are answered; one that the sandbox could not run is left out."""
    parts = [(program, 0, len(program.cases)) for program in programs]
    while parts:
        for program, _, _ in parts:
            program.waiting += 1
        jobs = (_ask(number, *part) for number, part in enumerate(parts))
        smaller: list[tuple[_Program, int, int]] = []
        for job, outcome in sandbox.run(jobs):
            program, start, end = parts[int(job.key)]
            if outcome.status is Status.BROKEN:
                continue
            program.waiting -= 1
            if outcome.status in _ENDED and end - start > SMALLEST:
                smaller += [(program, *part) for part in _split(start, end)]
                continue
            program.parts[start] = _answer(outcome, end - start)
            if not program.waiting and sum(map(len, program.parts.values())) == len(program.cases):
                yield program
        parts = smaller


def _split(start: int, end: int) -> Iterator[tuple[int, int]]:
    step = -(-(end - start) // PARTS)
    return ((first, min(first + step, end)) for first in range(start, end, step))


def _ask(number: int, program: _Program, start: int, end: int) -> Job:
    """A job whose tests always end in an assertion that says which of some cases the program passes."""
    name = program.job.entry_point
    tests = "".join(
        f"try:\n    marks += '1' if {name}({case.arguments}) == ({case.value}) else '0'\n"
        "except Exception:\n    marks += '0'\n"
        for case in program.cases[start:end]
    )
    tests = f"marks = ''\n{tests}raise AssertionError('answer ' + marks)\n"
    return replace(program.job, key=str(number), tests=tests)


def _answer(outcome: Outcome, tests: int) -> str:
    """The marks in an outcome; a program that gives none passes no test."""
    marks = outcome.detail.rpartition("answer ")[2] if outcome.status is Status.FAILED else ""
    return marks if len(marks) == tests and set(marks) <= {"0", "1"} else "0" * tests
