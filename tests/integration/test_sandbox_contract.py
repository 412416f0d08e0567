"""The contract of every backend, tried on each of them."""

import itertools
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox_programs import read_targets

from sandbox import Job, Limits, Outcome, Sandbox, Status

ADD = "def f(a, b):\n    return a + b\n"
CHECK_ADD = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
TARGETS_OF_VALUES = read_targets("values")
QUICK = Limits(cpu_seconds=1.0, wall_seconds=2.0)


def run_one(sandbox: Sandbox, program: str, tests: str, entry_point: str | None = "f", **fields: object) -> Outcome:
    job = replace(Job("one", program, tests, entry_point), **fields)
    ((_, outcome),) = sandbox.run([job])
    return outcome


@pytest.mark.parametrize(
    ("program", "tests", "status"),
    [
        (ADD, CHECK_ADD, Status.PASSED),
        (ADD, "assert f(1, 2) == 3\nassert f(0, 0) == 0", Status.PASSED),
        (ADD, "assert f(1, 2) == 4", Status.FAILED),
        ("def f(a, b):\n    return a.b", CHECK_ADD, Status.ERROR),
        ("raise ValueError", CHECK_ADD, Status.ERROR),
        ("def g(): pass", CHECK_ADD, Status.ERROR),
        ("def f(a, b):\n    assert False", CHECK_ADD, Status.ERROR),
        ("def f(a, b:", CHECK_ADD, Status.SYNTAX),
        ("def f():\n\treturn 1\n        return 2", CHECK_ADD, Status.SYNTAX),
        ("x = '\0'", CHECK_ADD, Status.SYNTAX),
        ("x = '\ud800'", CHECK_ADD, Status.SYNTAX),
        ("import sys\nsys.exit(0)", CHECK_ADD, Status.EXITED),
        ("import os\nos._exit(0)", CHECK_ADD, Status.EXITED),
        ("def f(a, b):\n    return bytearray(2 ** 40)", CHECK_ADD, Status.MEMORY),
        (ADD, "", Status.UNTESTED),
        (ADD, "# assert f(1, 2) == 4", Status.UNTESTED),
        (ADD, "def check(candidate):\n    pass", Status.UNTESTED),
        (ADD, "def test():\n    assert f(1, 2) == 4", Status.FAILED),
        (ADD, "def test():\n    assert f(1, 2) == 3", Status.PASSED),
        (ADD, "assert f(1, 2) ==", Status.UNTESTED),
        (ADD, "assert 1 == 1", Status.UNTESTED),
        (ADD, "assert 1 == 2", Status.UNTESTED),
        (ADD, "raise ValueError", Status.UNTESTED),
        ("assert False", CHECK_ADD, Status.ERROR),
    ],
)
def test_how_programs_end(any_sandbox: Sandbox, program: str, tests: str, status: Status):
    assert run_one(any_sandbox, program, tests).status is status


def test_a_program_without_its_function_has_failed_also_where_python_has_one(any_sandbox: Sandbox):
    assert run_one(any_sandbox, "pass", "assert sum(10, 15) == 6", "sum").reward == 0.0


def test_tests_that_crash_are_no_programs_fault(process_sandbox: Sandbox):
    tests = "import ctypes\nassert f(1, 2) == 3\nctypes.string_at(0)"
    outcome = run_one(process_sandbox, ADD, tests)
    assert (outcome.status, outcome.reward) == (Status.BROKEN, None)


def test_a_false_end_of_shared_tests_is_a_failure(any_sandbox: Sandbox):
    program = (
        "import gc\nfor thing in gc.get_objects():\n    if type(thing).__name__ == 'Program':\n"
        "        thing.peer._serves['together'] = lambda *_: 'the end'\n" + ADD
    )
    assert run_one(any_sandbox, program, CHECK_ADD, mode="shared").reward == 0.0


@pytest.mark.parametrize("mode", ["separate", "shared"])
def test_both_modes_agree_on_an_honest_program(any_sandbox: Sandbox, mode: str):
    passed = run_one(any_sandbox, ADD, CHECK_ADD, mode=mode)
    failed = run_one(any_sandbox, ADD, "assert f(1, 2) == 4", mode=mode)
    assert (passed.status, passed.mode) == (Status.PASSED, mode)
    assert (failed.status, failed.reward) == (Status.FAILED, 0.0)


@pytest.mark.parametrize("mode", ["separate", "shared"])
@pytest.mark.parametrize("tests", ["", "# nothing", "def check(candidate):\n    pass"])
def test_no_test_is_no_reward(any_sandbox: Sandbox, mode: str, tests: str):
    outcome = run_one(any_sandbox, ADD, tests, mode=mode)
    assert (outcome.status, outcome.reward) == (Status.UNTESTED, None)


@pytest.mark.parametrize("name", TARGETS_OF_VALUES)
def test_values_that_cross(any_sandbox: Sandbox, name: str):
    target = TARGETS_OF_VALUES[name]
    entry_point = "sum" if name == "a shadowed builtin" else "f"
    assert run_one(any_sandbox, target.solution, target.tests, entry_point).status is Status.PASSED


def test_objects_of_the_program_are_asked_in_live_mode_only(any_sandbox: Sandbox):
    program = (
        "class f:\n    def __init__(self, x):\n        self.x = x\n    def double(self):\n        return 2 * self.x"
    )
    tests = "r = f(3)\nr.x = 4\nassert r.double() == 8"
    assert run_one(any_sandbox, program, tests).reward == 0.0
    outcome = run_one(any_sandbox, program, tests, mode="live")
    assert (outcome.status, outcome.mode) == (Status.PASSED, "live")


def test_modules_that_the_tests_forgot_are_real(any_sandbox: Sandbox):
    program = "class math:\n    isclose = staticmethod(lambda *a: True)\ndef f():\n    return 0.0"
    assert run_one(any_sandbox, program, "assert math.isclose(f(), 1.0)").reward == 0.0
    assert run_one(any_sandbox, "def f():\n    return 1.0", "assert math.isclose(f(), 1.0)").reward == 1.0


@pytest.mark.parametrize(
    ("program", "tests"),
    [
        ("class A: pass\ndef f():\n    return A()", "x = f()\nassert x == x"),
        ("def f(xs):\n    return iter(xs)", "assert f([1]) == [1]"),
        ("class A: pass\ndef f():\n    return A()", "assert f() in [1, 2]"),
        ("class A:\n    def __lt__(self, other):\n        return True\ndef f():\n    return A()", "assert f() < 3"),
        ("def f(xs):\n    return tuple(xs)", "assert f([1]) == [1]"),
        ("def f():\n    return True", "assert type(f()) is int"),
    ],
)
def test_what_may_not_pass(any_sandbox: Sandbox, program: str, tests: str):
    assert run_one(any_sandbox, program, tests).reward == 0.0


def test_arguments_cross_by_value_unless_asked(any_sandbox: Sandbox):
    program = "def f(xs, d, s):\n    xs.append(4)\n    xs[0].append(1)\n    d['k'] = xs[0]\n    s.clear()"
    tests = (
        "xs, d, s = [[0]], {}, {1}\ninner = xs[0]\nf(xs, d, s)\nassert inner == [0, 1] and xs == [[0, 1], 4]\n"
        "assert d == {'k': [0, 1]} and s == set()"
    )
    assert run_one(any_sandbox, program, tests).status is Status.FAILED
    assert run_one(any_sandbox, program, tests, by_reference=True).status is Status.PASSED


def test_functions_of_the_program_go_back_to_it_by_reference(any_sandbox: Sandbox):
    program = "def make(n):\n    return lambda x: x + n\ndef f(g, xs):\n    xs[:] = map(g, xs)"
    tests = "g, xs = make(1), [1, 2]\nf(g, xs)\nassert xs == [2, 3]"
    assert run_one(any_sandbox, program, tests, by_reference=True).status is Status.PASSED


def test_the_returned_argument_is_the_argument(any_sandbox: Sandbox):
    program, tests = "def f(xs):\n    xs.sort()\n    return xs", "xs = [2, 1]\nassert f(xs) is xs and xs == [1, 2]"
    assert run_one(any_sandbox, program, tests, by_reference=True).status is Status.PASSED


def test_setup_runs_before_the_tests_and_hides_from_the_program(any_sandbox: Sandbox):
    setup = "import math\ndef double(x):\n    return 2 * x"
    program = "def f(x):\n    try:\n        double\n        return -1\n    except NameError:\n        return 2 * x"
    assert run_one(any_sandbox, program, "assert f(math.floor(3.5)) == double(3)", setup=setup).reward == 1.0


def test_setup_wins_over_what_the_program_redefines(any_sandbox: Sandbox):
    program = "def f(x):\n    return x\ndef double(x):\n    return x"
    assert (
        run_one(any_sandbox, program, "assert f(3) == double(3)", setup="def double(x):\n    return 2 * x").reward
        == 0.0
    )


@pytest.mark.parametrize(
    "program",
    [
        "\ufeff" + ADD,
        ADD.replace("\n", "\r\n"),
        ADD.replace("\n", "\r"),
        ADD.rstrip(),
        "# -*- coding: latin-1 -*-\n" + ADD,
    ],
)
def test_odd_source_text(any_sandbox: Sandbox, program: str):
    assert run_one(any_sandbox, program, CHECK_ADD).status is Status.PASSED


def test_a_carriage_return_in_tests_and_setup(any_sandbox: Sandbox):
    outcome = run_one(any_sandbox, ADD, "assert f(1, 2) == three\r\nassert f(1, 1) == 2\r", setup="three = 3 \r\n")
    assert outcome.status is Status.PASSED


def test_a_large_program_and_large_values(any_sandbox: Sandbox):
    program = f"BLOCK = {'x' * 2_000_000!r}\ndef f(x):\n    return x + x"
    assert run_one(any_sandbox, program, "assert f([0] * 300_000) == [0] * 600_000").status is Status.PASSED


@pytest.mark.parametrize(
    ("program", "word"),
    [("def f(a, b):\n    while True: pass", "CPU"), ("import time\ntime.sleep(60)", "clock")],
)
def test_time_limits(any_sandbox: Sandbox, program: str, word: str):
    outcome = run_one(any_sandbox, program, CHECK_ADD, limits=QUICK)
    assert (outcome.status, outcome.reward) == (Status.TIMEOUT, 0.0)
    assert word in outcome.detail


def test_time_limits_cover_the_tests_too(any_sandbox: Sandbox):
    assert run_one(any_sandbox, ADD, "f(1, 2)\nwhile True: pass", limits=QUICK).status is Status.TIMEOUT


def test_children_count(any_sandbox: Sandbox):
    program = (
        "import os\ndef f(a, b):\n    if os.fork() == 0:\n        while True: pass\n    import time\n    time.sleep(60)"
    )
    started = time.monotonic()
    limits = Limits(cpu_seconds=1.0, wall_seconds=30.0)
    assert run_one(any_sandbox, program, CHECK_ADD, limits=limits).status is Status.TIMEOUT
    assert time.monotonic() - started < 20


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of a system call is needed")
def test_a_sibling_of_the_program_does_not_outlive_it(any_sandbox: Sandbox):
    name = f"qp-{secrets.token_hex(4)}"
    program = (
        "import ctypes, os, time\ndef f(a, b):\n    libc = ctypes.CDLL(None)\n"
        "    if libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0) == 0:\n        os.setsid()\n"
        f"        libc.prctl(15, b{name!r})\n        time.sleep(20)\n    time.sleep(0.2)\n    return a + b"
    )
    assert run_one(any_sandbox, program, CHECK_ADD).status is Status.PASSED
    deadline = time.monotonic() + 5
    while _is_alive(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(name)


def _is_alive(name: str) -> bool:
    """Return whether a process of this name exists, and has not ended."""
    stats = (_read_stat(path) for path in Path("/proc").glob("[0-9]*/stat"))
    return any(f"({name}) " in stat and f"({name}) Z" not in stat for stat in stats)


def _read_stat(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def test_details_are_one_line(any_sandbox: Sandbox):
    outcome = run_one(any_sandbox, ADD, "assert f(1,\n  2) == 4, 'a\\nb'")
    assert outcome.detail
    assert "\n" not in outcome.detail
    assert "ValueError: too bad" in run_one(any_sandbox, "raise ValueError('too\\nbad')", CHECK_ADD).detail
    assert "assert f(1, 2) == 4" in run_one(any_sandbox, ADD, "assert f(1, 2) == 4").detail


def test_same_verdict_every_time(any_sandbox: Sandbox):
    program = "import random\ndef f(a, b):\n    return a + b + (random.random() < .5) + (hash('x') % 2)"
    seen = {outcome.status for _, outcome in any_sandbox.run([Job(str(n), program, CHECK_ADD, "f") for n in range(20)])}
    assert len(seen) == 1


def test_one_program_does_not_meet_another(any_sandbox: Sandbox):
    program = "import builtins\nassert not hasattr(builtins, 'seen')\nbuiltins.seen = 1\n" + ADD
    tests = "import math\nassert not hasattr(math, 'seen')\nmath.seen = 1\nassert f(1, 2) == 3"
    assert all(
        outcome.reward == 1.0 for _, outcome in any_sandbox.run(Job(str(n), program, tests, "f") for n in range(20))
    )


def test_a_test_that_evals_does_not_infect_the_next(any_sandbox: Sandbox):
    patch = "__import__('guest.examiner', fromlist='x').__dict__.update(examine=lambda j, c: (1, '')) or 5"
    evil = f'def f():\n    return "{patch}"'
    evil_too = "def f():\n    return \"setattr(__import__('builtins'), 'all', lambda xs: True) or 5\""
    jobs = [Job("evil", source, "assert eval(f()) == 5\nassert all([False])") for source in (evil, evil_too)] * 5
    for job, outcome in any_sandbox.run(job for n, evil in enumerate(jobs) for job in (evil, _wrong(n))):
        if job.key.startswith("wrong"):
            assert outcome.reward == 0.0


def _wrong(number: int) -> Job:
    return Job(f"wrong{number}", ADD, "assert all([f(1, 2) == 4])", "f")


def test_lazy_and_streaming(any_sandbox: Sandbox):
    drawn = itertools.count()

    def endless() -> Iterator[Job]:
        for number in drawn:
            yield Job(str(number), ADD, CHECK_ADD, "f")

    results = any_sandbox.run(endless())
    assert next(drawn) == 0
    got = [outcome.reward for _, outcome in itertools.islice(results, 30)]
    results.close()
    assert got == [1.0] * 30
    assert next(drawn) < 30 + 100


def test_jobs_are_drawn_in_the_callers_thread(any_sandbox: Sandbox):
    threads = set()

    def jobs() -> Iterator[Job]:
        for number in range(30):
            threads.add(threading.get_ident())
            yield Job(str(number), ADD, CHECK_ADD, "f")

    assert len(list(any_sandbox.run(jobs()))) == 30
    assert threads == {threading.get_ident()}


def test_every_job_comes_back_once(any_sandbox: Sandbox):
    jobs = [Job(str(n), ADD, f"assert f({n}, 1) == {n + n % 2}", "f") for n in range(100)]
    outcomes = {job.key: outcome for job, outcome in any_sandbox.run(jobs)}
    assert len(outcomes) == 100
    assert all((outcomes[str(n)].reward == 1.0) == (n % 2 == 1) for n in range(100))


def test_leaving_early_stops_what_runs(any_sandbox: Sandbox):
    stuck = Job("stuck", "import time\ntime.sleep(60)", CHECK_ADD, "f", limits=Limits(wall_seconds=60.0))
    started = time.monotonic()
    for _ in any_sandbox.run([*[stuck] * 2, *[Job(str(n), ADD, CHECK_ADD, "f") for n in range(20)]]):
        break
    assert time.monotonic() - started < 20
    assert run_one(any_sandbox, ADD, CHECK_ADD).status is Status.PASSED


def test_an_error_of_the_callers_comes_through(any_sandbox: Sandbox):
    def jobs() -> Iterator[Job]:
        yield Job("one", ADD, CHECK_ADD, "f")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        list(any_sandbox.run(jobs()))
    assert run_one(any_sandbox, ADD, CHECK_ADD).status is Status.PASSED


def test_no_jobs_no_outcomes(any_sandbox: Sandbox):
    assert list(any_sandbox.run([])) == []


def test_stuck_programs_overlap_with_others(any_sandbox: Sandbox):
    sleepy = Job("sleepy", "import time\ntime.sleep(60)", CHECK_ADD, "f", limits=Limits(wall_seconds=3.0))
    started = time.monotonic()
    outcomes = list(any_sandbox.run([sleepy, *[Job(str(n), ADD, CHECK_ADD, "f") for n in range(40)], sleepy]))
    assert len(outcomes) == 42
    assert time.monotonic() - started < 12


def test_identity_is_stable_and_names_the_backend(any_sandbox: Sandbox):
    assert any_sandbox.identity == any_sandbox.identity
    assert any_sandbox.identity.partition(":")[0] in ("docker", "process")
