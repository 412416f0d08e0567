"""Whole programs: what they read and print decides, on every backend. Cheats never score, honest ones always do."""

import shutil
from dataclasses import replace

import pytest

from sandbox import Job, Limits, Outcome, Sandbox, SandboxError, Status
from sandbox.cases import Case, Checker, Compare, program_tests
from tests.stdio_programs import ANSWERS, SECRET, SUMS, jobs_of, read_whole

ADD = "a, b = map(int, input().split())\nprint(a + b)"
QUICK = Limits(cpu_seconds=1.0, wall_seconds=3.0)
BRIEF = Limits(cpu_seconds=1.5, wall_seconds=3.0)


def run_one(sandbox: Sandbox, program: str, tests: str = SUMS, language: str = "python", **fields: object) -> Outcome:
    job = replace(Job("one", program, tests, language=language, limits=QUICK), **fields)
    ((_, outcome),) = sandbox.run([job])
    return outcome


@pytest.mark.parametrize(
    ("program", "status", "detail"),
    [
        (ADD, Status.PASSED, ""),
        ("print(3)", Status.FAILED, "case 2 of 2: token 1 is '3', not '42'"),
        ("print(3, 4)", Status.FAILED, "case 1 of 2: 2 tokens, not 1"),
        ("", Status.FAILED, "case 1 of 2: 0 tokens, not 1"),
        ("a b", Status.SYNTAX, "case 1 of 2: SyntaxError"),
        (ADD + "\nraise ValueError('late')", Status.ERROR, "case 1 of 2: exit code 1: ValueError: late"),
        (ADD + "\nexit(3)", Status.ERROR, "case 1 of 2: exit code 3"),
        (ADD + "\nimport os\nos.abort()", Status.EXITED, "case 1 of 2: killed by signal 6"),
        ("x = bytearray(2 ** 40)", Status.MEMORY, "MemoryError"),
        ("import itertools\nfor _ in itertools.count(): pass", Status.TIMEOUT, "case 1: 1."),
        ("import time\ntime.sleep(60)", Status.TIMEOUT, "on the clock"),
        ("while True: print('x' * 1000)", Status.FAILED, "printed more than"),
        (ADD + "\nimport sys\nsys.exit('no')", Status.ERROR, "exit code 1: no"),
    ],
)
def test_how_whole_programs_end(any_sandbox: Sandbox, program: str, status: Status, detail: str):
    outcome = run_one(any_sandbox, program)
    assert outcome.status is status
    assert detail in outcome.detail
    assert outcome.reward == float(status is Status.PASSED)


@pytest.mark.parametrize(
    ("compare", "printed", "passes"),
    [
        ("tokens", "1  2\n\n3", True),
        ("tokens", "1 2 3.0", False),
        ("lines", "1 2 \n3\n\n", True),
        ("lines", "1  2\n3", False),
        ("numbers", "1.0 2 2.9999999", True),
        ("numbers", "1 2 3.1", False),
    ],
)
def test_how_outputs_are_compared(any_sandbox: Sandbox, compare: Compare, printed: str, passes: bool):
    tests = program_tests([Case("", "1 2\n3\n")], compare)
    assert run_one(any_sandbox, f"print({printed!r})", tests).reward == float(passes)


CHECKER = """
def divides(given, printed, expected):
    number, divisor = int(given), int(printed)
    return 1 < divisor < number and number % divisor == 0
"""


@pytest.mark.parametrize(
    ("printed", "status"), [("3", Status.PASSED), ("5", Status.PASSED), ("4", Status.FAILED), ("x", Status.FAILED)]
)
def test_a_checker_decides(any_sandbox: Sandbox, printed: str, status: Status):
    tests = program_tests([Case("15", "")], Checker(CHECKER, "divides"))
    assert run_one(any_sandbox, f"print({printed!r})", tests).status is status


@pytest.mark.parametrize("checker", ["def other(): pass", "def (", "1 / 0", "raise SystemExit"])
def test_a_broken_checker_is_no_programs_fault(any_sandbox: Sandbox, checker: str):
    outcome = run_one(any_sandbox, ADD, program_tests([Case("1 2", "3")], Checker(checker, "divides")))
    assert (outcome.status, outcome.reward) == (Status.UNTESTED, None)


def test_a_checker_that_exits_has_refused(any_sandbox: Sandbox):
    tests = program_tests([Case("", "")], Checker("def check(*_):\n    raise SystemExit(0)", "check"))
    assert run_one(any_sandbox, "", tests).status is Status.FAILED


def test_a_checker_that_hangs_is_a_timeout(any_sandbox: Sandbox):
    tests = program_tests([Case("", "")], Checker("def check(*_):\n    while True: pass", "check"))
    assert run_one(any_sandbox, "", tests).status is Status.TIMEOUT


def test_no_case_is_no_reward(any_sandbox: Sandbox):
    assert run_one(any_sandbox, ADD, program_tests([])).status is Status.UNTESTED


def test_a_checker_leaves_nothing_behind(any_sandbox: Sandbox):
    patch = "import json\ndef check(*_):\n    json.loads = lambda _: {}\n    return True"
    jobs = [Job("patch", ADD, program_tests([Case("1 2", "")], Checker(patch, "check")), language="python")] * 6
    mixed = (job for patcher in jobs for job in (patcher, Job("wrong", "print(4)", SUMS, language="python")))
    outcomes = [(job.key, outcome.status) for job, outcome in any_sandbox.run(mixed)]
    assert sorted(outcomes) == [("patch", Status.PASSED)] * 6 + [("wrong", Status.FAILED)] * 6


def test_large_inputs_and_outputs(any_sandbox: Sandbox):
    text = "0123456789abcdef\n" * 150_000
    tests = program_tests([Case(text, text)] * 2, "lines")
    assert run_one(any_sandbox, "import sys\nfor line in sys.stdin: print(line, end='')", tests).reward == 1.0
    unread = program_tests([Case(text, "done")])
    assert run_one(any_sandbox, "print('done')", unread).reward == 1.0


def test_a_program_of_many_cases_is_not_taken_for_a_hanging_guest(any_sandbox: Sandbox):
    tests = program_tests([Case(f"{n} 1", str(n + 1)) for n in range(200)])
    assert run_one(any_sandbox, ADD, tests).reward == 1.0


def test_limits_hold_for_each_case_and_times_are_the_slowest(any_sandbox: Sandbox):
    program = "n = int(input())\nimport time\nwhile time.process_time() < n / 10: pass\nprint(n)"
    tests = program_tests([Case(str(n), str(n)) for n in (3, 4, 3, 1)])
    outcome = run_one(any_sandbox, program, tests, limits=Limits(0.8, 30.0))
    assert outcome.status is Status.PASSED
    assert 0.4 <= outcome.cpu_seconds < 0.8


def test_each_run_begins_anew(any_sandbox: Sandbox):
    program = "import os\nassert os.listdir() == []\nopen('seen', 'w')\n" + ADD
    assert run_one(any_sandbox, program, program_tests([Case("1 2", "3")] * 5)).reward == 1.0


def test_functions_and_programs_take_turns(any_sandbox: Sandbox):
    function = Job("function", "def f(x):\n    return x", "assert f(1) == 1", "f")
    jobs = [function, Job("program", ADD, SUMS, language="python"), Job("late", "while True: pass", SUMS, None)]
    jobs[2] = replace(jobs[2], language="python", limits=QUICK)
    outcomes = [(job.key, outcome.status) for job, outcome in any_sandbox.run(jobs * 4)]
    wanted = {"function": Status.PASSED, "program": Status.PASSED, "late": Status.TIMEOUT}
    assert all(wanted[key] is status for key, status in outcomes)
    assert len(outcomes) == 12


def test_an_unknown_language(any_sandbox: Sandbox):
    with pytest.raises(SandboxError, match="Unknown language 'pyhton'"):
        run_one(any_sandbox, ADD, language="pyhton")


@pytest.mark.docker
def test_an_image_without_the_language_is_no_programs_fault(docker_sandbox: Sandbox):
    outcome = run_one(docker_sandbox, "console.log(1)", language="javascript")
    assert (outcome.status, outcome.reward) == (Status.UNTESTED, None)
    assert "the image has no node" in outcome.detail


def test_every_honest_program_scores(any_sandbox: Sandbox):
    outcomes = any_sandbox.run(jobs_of(read_whole("honest"), SUMS, BRIEF, "python"))
    assert {job.key: outcome for job, outcome in outcomes if outcome.reward != 1.0} == {}


def test_no_cheat_scores(any_sandbox: Sandbox):
    cheats = read_whole("cheats")
    assert len(cheats) >= 30
    if any_sandbox.identity.startswith("process"):  # only a container holds these back
        for name in ("as many processes as it can", "fills the disk"):
            del cheats[name]
    outcomes = [
        (job.key, outcome) for job, outcome in any_sandbox.run(jobs_of(cheats, SECRET, BRIEF, "python", times=2))
    ]
    assert len(outcomes) == 2 * len(cheats)
    assert {key: outcome for key, outcome in outcomes if outcome.reward != 0.0} == {}


def test_what_the_cheats_know_would_pass(any_sandbox: Sandbox):
    assert run_one(any_sandbox, f"print({ANSWERS}[input().strip()])", SECRET).reward == 1.0


@pytest.mark.skipif(shutil.which("node", path="/bin:/usr/bin") is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);", "passed"),
        ("require('fs').writeFileSync('/dev/stdout', '3');", "failed"),
        ("foo(", "error"),
        ("while (true);", "timeout"),
        ("process.exit(3);", "error"),
    ],
)
def test_javascript_in_a_process(process_sandbox: Sandbox, program: str, status: str):
    assert run_one(process_sandbox, program, language="javascript").status == Status(status)
