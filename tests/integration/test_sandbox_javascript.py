"""Whole programs in JavaScript, in an image made here: references pass, cheats fail."""

from collections.abc import Iterator

import pytest

from benchmarks.doctor import examine
from benchmarks.registry import open_benchmark
from sandbox import Job, Limits, Sandbox, SandboxError, Status, open_sandbox
from sandbox.docker.image import build_with
from tests.command import qprobe
from tests.engine import require_engine
from tests.stdio_programs import SECRET, SUMS, jobs_of, read_whole

pytestmark = pytest.mark.docker
LIMITS = Limits(cpu_seconds=2.0, wall_seconds=6.0)
PATIENT = Limits(cpu_seconds=1.0, wall_seconds=60.0)  # a machine that does much else must not turn one into the other


@pytest.fixture(scope="module")
def image() -> str:
    """An image with node."""
    require_engine()
    return build_with(languages=["javascript"])


@pytest.fixture(scope="module")
def sandbox(image: str) -> Iterator[Sandbox]:
    with open_sandbox("docker", image=image) as opened:
        yield opened


@pytest.mark.parametrize(
    ("program", "status", "detail"),
    [
        ("console.log(3 + 39);", Status.FAILED, "case 1 of 2: token 1 is '42', not '3'"),
        ("foo(", Status.ERROR, "SyntaxError"),
        ("null.x", Status.ERROR, "TypeError: Cannot read properties of null"),
        ("process.exit(3);", Status.ERROR, "exit code 3"),
        ("for (;;);", Status.TIMEOUT, "of CPU time"),
        ("setTimeout(() => {}, 1e9)", Status.TIMEOUT, "on the clock"),
        ("process.kill(process.pid, 'SIGSEGV');", Status.EXITED, "killed by signal 11"),
    ],
)
def test_how_programs_end(sandbox: Sandbox, program: str, status: Status, detail: str):
    limits = LIMITS if "setTimeout" in program else PATIENT
    ((_, outcome),) = sandbox.run([Job("one", program, SUMS, language="javascript", limits=limits)])
    assert outcome.status is status
    assert detail in outcome.detail


def test_every_honest_program_scores(sandbox: Sandbox):
    outcomes = sandbox.run(jobs_of(read_whole("honest_js"), SUMS, LIMITS, "javascript"))
    assert {job.key: outcome for job, outcome in outcomes if outcome.reward != 1.0} == {}


def test_no_cheat_scores(sandbox: Sandbox):
    outcomes = list(sandbox.run(jobs_of(read_whole("cheats_js"), SECRET, LIMITS, "javascript", times=2)))
    assert len(outcomes) >= 30
    assert {job.key: outcome for job, outcome in outcomes if outcome.reward != 0.0} == {}


def test_the_doctor_is_content_with_our_own_problems(sandbox: Sandbox):
    benchmark = open_benchmark("mini-programs-js")
    checks = list(examine(benchmark, sandbox, limits=PATIENT, of_references=PATIENT, repeats=1))
    assert {check.name: check.findings for check in checks if check.findings} == {}


def test_without_the_language_one_sentence_says_what_to_do():
    done = qprobe("benchmarks", "check", "mini-programs-js")
    assert done.returncode == 1
    assert "the image has no node" in done.stderr
    assert "qprobe sandbox build --language javascript" in done.stderr


def test_the_command_makes_the_same_image(image: str):
    done = qprobe("sandbox", "build", "--language", "javascript")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{image}\n", "")


def test_a_language_of_which_nothing_is_known():
    with pytest.raises(SandboxError, match="Unknown language 'cobol'"):
        build_with(languages=["cobol"])
