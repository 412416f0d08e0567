"""How each problem is to be graded, decided from its tests and its reference solution and never from a candidate.

A problem gets the least trust with which its reference passes:

1. The tests run apart, and arguments cross by value. Functions and modules of the reference that the tests use come
   from the reference, not from the program, which could have redefined them.
2. The same, and the arguments come back as the program left them.
3. The tests may ask objects of the program's own for attributes and methods (`mode="live"`).
4. The tests run in the program's own process, which a program can fool (`mode="shared"`).

The verdict says which mode it was.
"""

import ast
import builtins
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sandbox.job import Job, Limits, Mode, Outcome, Sandbox, Status

FACTOR = 20.0
FLOOR_SECONDS = 0.5
CEILING_SECONDS = 10.0
"""A program may use FACTOR times the CPU time of its problem's reference, within these bounds.

Of 3,143 passing programs of four models (HumanEval and MBPP, allowed 3 s) none used more than 0.03 s. Most time goes to
programs that never end, and each of those costs the floor.
"""


@dataclass(frozen=True, slots=True)
class GradingPlan:
    """How the programs of one problem are graded."""

    mode: Mode = "separate"
    by_reference: bool = False
    setup: str = ""
    reference_seconds: float | None = None  # CPU time of the reference; None where there is none, or it does not pass
    trouble: str = ""  # why the reference does not pass

    def limits(
        self,
        base: Limits,
        factor: float = FACTOR,
        floor: float = FLOOR_SECONDS,
        ceiling: float = CEILING_SECONDS,
    ) -> Limits:
        """`base` with `factor` times the CPU time of the reference, within bounds; `base` itself if unknown."""
        if self.reference_seconds is None:
            return base
        cpu_seconds = min(max(floor, factor * self.reference_seconds), ceiling)
        return replace(base, cpu_seconds=cpu_seconds, wall_seconds=max(5 * cpu_seconds, base.wall_seconds / 3))

    def apply(self, job: Job) -> Job:
        """The job of a candidate, graded this way."""
        return replace(job, mode=self.mode, by_reference=self.by_reference, setup=self.setup)


def plan_grading(sandbox: Sandbox, references: Iterable[Job]) -> Iterator[tuple[Job, GradingPlan]]:
    """GradingPlan each problem. The jobs' programs are the reference solutions; "" where there is none.

    All references run with the same limits, which should be generous. Yields in any order.
    """
    waiting = []
    for job in references:
        if job.program:
            waiting.append(job)
        else:
            yield job, GradingPlan(by_reference=_drops_results(job), setup=job.setup)
    failed: list[tuple[Job, Outcome]] = []
    for plan_of in (_apart, _by_reference, _live, _together):
        # Whole programs are graded in one way, whatever became of their reference.
        failed = [(job, outcome) for job, outcome in failed if job.language]
        waiting = [job for job in waiting if plan_of is _apart or not job.language]
        plans = {job.key: plan_of(job) for job in waiting}
        originals = {job.key: job for job in waiting}
        for tried, outcome in sandbox.run(plans[job.key].apply(job) for job in waiting):
            job = originals[tried.key]
            if outcome.status is Status.PASSED:
                yield job, replace(plans[job.key], reference_seconds=outcome.cpu_seconds)
            else:
                failed.append((job, outcome))
        waiting = [job for job, _ in failed]
    for job, outcome in failed:
        yield job, replace(_apart(job), trouble=f"{outcome.status}: {outcome.detail}")


def _apart(job: Job) -> GradingPlan:
    if job.language:
        return GradingPlan()
    return GradingPlan(setup=_join(_helpers(job), job.setup))


def _by_reference(job: Job) -> GradingPlan:
    return replace(_apart(job), by_reference=True)


def _live(job: Job) -> GradingPlan:
    return replace(_apart(job), mode="live")


def _together(job: Job) -> GradingPlan:
    return GradingPlan(mode="shared", setup=job.setup)


def _join(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _helpers(job: Job) -> str:
    """The part of the reference that the tests use besides its entry point: functions, imports and constants.

    Not its classes, since what the program makes is of its own, nor anything made of them.
    """
    tests, reference = _parse(_join(job.setup, job.tests)), _parse(job.program)
    if tests is None or reference is None:
        return ""
    wanted = _free_names(tests) - {job.entry_point}
    if job.entry_point is None or not any(wanted & _bound(node) for node in reference.body if _is_apart(node)):
        return ""
    kept = [node for node in reference.body if job.entry_point not in _bound(node)]
    return ast.unparse(ast.Module([node for node in kept if not isinstance(node, ast.ClassDef)], []))


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement of a module defines, imports or assigns."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {(alias.asname or alias.name).partition(".")[0] for alias in names}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
    return set()


def _is_apart(node: ast.stmt) -> bool:
    """Whether what a statement binds is none of the program's own objects."""
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Lambda | ast.Constant)
    return not isinstance(node, ast.ClassDef)


def _parse(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a program's odd escapes are none of our user's business
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _free_names(tree: ast.AST) -> set[str]:
    """Names that are used and neither bound in `tree` nor built in."""
    used: set[str] = set()
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return used - bound


def _drops_results(job: Job) -> bool:
    """Whether the tests call the program and drop what it returns: then they must look at the arguments."""
    tree = None if job.language else _parse(job.tests)
    names = {job.entry_point, "candidate"}
    calls = [node.value for node in ast.walk(tree or ast.Module([], [])) if isinstance(node, ast.Expr)]
    return any(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in names for call in calls
    )
