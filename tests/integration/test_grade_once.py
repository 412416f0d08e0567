"""Equal programs of a problem are run once, and all their samples get the verdict."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import Problem
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.stages.grade import Budget, grade, grade_completions
from sandbox import Job, Outcome, Sandbox

RIGHT, WRONG = "def f(x):\n    return x\n", "def f(x):\n    return -x\n"
PROBLEMS = [Problem(f"P/{n}", "def f(x):\n", "f", f"assert f({n + 1}) == {n + 1}", solution=RIGHT) for n in range(2)]


class Counting:
    """A real sandbox that remembers the programs it has run."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.programs = sandbox, list[str]()
        self.identity = sandbox.identity

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        for job, outcome in self.sandbox.run(jobs):
            self.programs.append(job.program)
            yield job, outcome

    def __getattr__(self, name: str) -> object:
        return getattr(self.sandbox, name)


def completions() -> list[Completion]:
    programs = [RIGHT, WRONG, RIGHT, RIGHT, WRONG]
    return [Completion(p.id, n, p.prompt, "", program) for p in PROBLEMS for n, program in enumerate(programs)]


def rewards(outcomes: dict[SampleId, Outcome]) -> list[float | None]:
    return [outcomes[completion.id].reward for completion in completions()]


def test_equal_programs_run_once_per_problem(process_sandbox: Sandbox, tmp_path: Path):
    counting = Counting(process_sandbox)
    with Store(tmp_path / "run", create=True) as store:
        store.add_problems(PROBLEMS)
        store.add_completions(completions())
        graded = grade(store, counting, Budget())
        assert graded.new == 10
        assert len(counting.programs) == 2 + 4, "two references, and two programs of each problem"
        assert rewards(store.verdicts(graded.grader)) == [1, 0, 1, 1, 0] * 2
        assert grade(store, counting, Budget()).new == 0
    assert len(counting.programs) == 6


def test_values_are_graded_alike(process_sandbox: Sandbox):
    shuffled = sorted(completions(), key=lambda completion: -completion.index)
    assert rewards(grade_completions(shuffled, PROBLEMS, process_sandbox)) == [1, 0, 1, 1, 0] * 2
