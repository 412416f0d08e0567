"""The endings of stdin/stdout programs: the exit code is that of `python program.py`, whatever the program does."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import Job, Limits, Outcome, Sandbox, Status
from sandbox.cases import Case, program_tests
from tests.stdio_programs import read_whole

ENDINGS = read_whole("endings")
PRINTED = "3\n"
TESTS = program_tests([Case("1 2\n", PRINTED)])
LIMITS = Limits(cpu_seconds=3.0, wall_seconds=10.0)


@pytest.fixture(scope="module")
def real_codes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The exit code of each program, run by the interpreter of this machine."""
    return {name: _exit_code(tmp_path_factory.mktemp("ending"), source) for name, source in ENDINGS.items()}


def _exit_code(folder: Path, source: str) -> int:
    Path(folder, "program.py").write_text(_printing(source))
    command = [sys.executable, "-s", "program.py"]
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=folder, env=environment, input="1 2\n", text=True, capture_output=True, timeout=60, check=False
    )
    assert done.stdout == PRINTED, done
    return done.returncode


def _printing(source: str) -> str:
    """A program whose output is right before it comes to its end."""
    return f"print({PRINTED!r}, end='', flush=True)\n{source}"


def _code_of(outcome: Outcome) -> int | str:
    """The exit code that an outcome tells of."""
    words = outcome.detail.replace(":", " ").split()
    if outcome.status is Status.PASSED:
        return 0
    if "signal" in words:
        return -int(words[words.index("signal") + 1])
    return int(words[words.index("code") + 1]) if "code" in words else str(outcome)


def test_exit_codes_are_those_of_the_interpreter(any_sandbox: Sandbox, real_codes: dict[str, int]):
    jobs = [Job(name, _printing(source), TESTS, language="python", limits=LIMITS) for name, source in ENDINGS.items()]
    codes = {job.key: _code_of(outcome) for job, outcome in any_sandbox.run(jobs)}
    assert len(codes) >= 85
    assert {name: code for name, code in codes.items() if code != real_codes[name]} == {}


def test_real_endings_are_of_many_kinds(real_codes: dict[str, int]):
    assert {0, 1, 3, 120, 255, -2, -6, -15} <= set(real_codes.values())
