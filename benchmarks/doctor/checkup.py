"""The whole examination, check by check."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.doctor.check import Check, Finding, Progress
from benchmarks.doctor.running import Trial, run_checks
from benchmarks.doctor.static_checks import read_checks
from benchmarks.errata import Errata, errata_of
from benchmarks.problem import Benchmark
from sandbox import Limits, Sandbox
from sandbox.languages import check_languages

CANDIDATES = Limits()
REFERENCES = Limits(cpu_seconds=10.0, wall_seconds=60.0)
REPEATS = 4
"""The number of runs of each reference after the first."""


@contextmanager
def _silent(title: str, total: int) -> Iterator[Callable[..., None]]:
    yield lambda *_: None


def examine(
    benchmark: Benchmark,
    sandbox: Sandbox,
    *,
    limits: Limits = CANDIDATES,
    of_references: Limits = REFERENCES,
    repeats: int = REPEATS,
    progress: Progress = _silent,
) -> Iterator[Check]:
    """Examine a benchmark in an open sandbox and yield what each check found, cheap ones first.

    `limits` are a candidate's where the reference tells nothing. Raises BenchmarkError where the data cannot be had,
    SandboxError where the sandbox lacks a language.
    """
    problems = benchmark.problems()
    errata = errata_of(benchmark)
    reading = list(read_checks(problems))
    yield from (_sorted_out(check, errata) for check in reading)
    if reading[0].fails:  # what was run could not be told apart
        return
    check_languages(sandbox, {problem.language for problem in problems if problem.language})
    for check in run_checks(benchmark, problems, Trial(sandbox, limits, of_references, progress), repeats):
        yield _sorted_out(check, errata)


def _sorted_out(check: Check, errata: Errata | None) -> Check:
    """The check with what is known apart from what is not."""
    if errata is None:
        return check
    whys = {finding: errata.known(finding.problem_id, check.name) for finding in check.findings}
    known_findings = tuple(
        Finding(finding.problem_id, f"{finding.detail} ({why})") for finding, why in whys.items() if why
    )
    return replace(check, findings=tuple(finding for finding, why in whys.items() if not why), known=known_findings)
