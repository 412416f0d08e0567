"""Code that a program has its examiner run, since the tests evaluate its answers: it decides about itself at most."""

from collections.abc import Iterator

import pytest
from sandbox_programs import read_plain

from sandbox import Job, Limits, Sandbox, Status, open_sandbox
from tests.engine import require_engine

TAKEOVERS = read_plain("takeovers")
LIMITS = Limits(cpu_seconds=1.0, wall_seconds=4.0)
EVALUATING = {
    "eval": "assert eval(solve(3)) == 9",
    "pickle": "import pickle\nassert pickle.loads(solve(3)) == 9",
}
CHECK = "def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(4) == 16\n"
VICTIMS = {"wrong": ("def solve(n):\n    return -1", False), "right": ("def solve(n):\n    return n * n", True)}


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"], scope="module")
def lone_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One guest: others would not meet what a takeover leaves."""
    if request.param == "docker":
        require_engine()
    with open_sandbox(request.param, workers=1) as sandbox:
        yield sandbox


def _program(takeover: str, way: str) -> str:
    if way == "pickle":
        return f"import pickle\nclass A:\n    def __reduce__(self):\n        return exec, ({takeover!r},)\n" + (
            "def solve(n):\n    return pickle.dumps(A())"
        )
    return f"def solve(n):\n    return {f'exec({takeover!r})'!r}"


@pytest.mark.parametrize("name", TAKEOVERS)
def test_a_takeover_decides_about_itself_at_most(lone_sandbox: Sandbox, name: str):
    jobs = []
    for way, tests in EVALUATING.items():
        program = _program(TAKEOVERS[name], way)
        jobs.append(Job(f"{way} takeover", program, tests, "solve", limits=LIMITS, mode="evaluating"))
        jobs += [Job(f"{way} {victim}", program, CHECK, "solve") for victim, (program, _) in VICTIMS.items()]
    outcomes = {job.key: outcome for job, outcome in lone_sandbox.run(jobs)}
    assert len(outcomes) == len(jobs)
    for key, outcome in outcomes.items():
        victim = key.split()[1]
        if victim in VICTIMS:
            assert outcome.reward == float(VICTIMS[victim][1]), (key, outcome)
        else:
            assert outcome.reward is not None, (key, outcome)  # it cannot leave itself ungraded either


def test_honest_programs_pass_such_tests(lone_sandbox: Sandbox):
    programs = {
        "eval": "def solve(n):\n    return repr(n * n)",
        "pickle": "import pickle\ndef solve(n):\n    return pickle.dumps(n * n)",
    }
    jobs = [Job(way, programs[way], tests, "solve", mode="evaluating") for way, tests in EVALUATING.items()] * 2
    assert {outcome.status for _, outcome in lone_sandbox.run(jobs)} == {Status.PASSED}
