"""The host's side without an engine: errors in one sentence, owners, plans, the profile, the speed of the import."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from sandbox import Limits, Outcome, SandboxError, Status, check_engine, open_sandbox, try_sandbox
from sandbox.docker import engine
from sandbox.docker.seccomp import profile
from sandbox.factory import TRIES
from sandbox.grading_mode import GradingPlan
from sandbox.process import ProcessBackend, ProcessGuest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("where", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:9"])
def test_no_engine_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, where: str):
    monkeypatch.setenv("DOCKER_HOST", where)
    started = time.monotonic()
    with pytest.raises(SandboxError, match="No Docker engine answers at") as caught:
        check_engine()
    assert time.monotonic() - started < 15
    assert "\n" not in str(caught.value)
    with pytest.raises(SandboxError), open_sandbox("docker"):
        pass


def test_an_engine_that_refuses_us_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert "refuses this user" in engine._why_not(PermissionError(13, "Permission denied"))


def test_a_nonsense_address_is_an_error_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "nonsense://")
    with pytest.raises(SandboxError):
        check_engine()


@pytest.mark.parametrize("option", ["image", "runtime"])
def test_an_option_of_docker_is_no_option_of_processes(option: str):
    calls: tuple[Callable[..., object], ...] = (open_sandbox, try_sandbox)
    for call in calls:
        with pytest.raises(SandboxError, match=f"The process sandbox has no {option}: leave out 'x', or choose docker"):
            call("process", **{option: "x"})


@pytest.mark.parametrize("lost", [1, TRIES])
def test_a_guest_that_is_killed_while_the_sandbox_is_tried(lost: int, monkeypatch: pytest.MonkeyPatch):
    """One may be killed by chance; where all are, programs cannot run."""
    started: list[ProcessGuest] = []

    def start(backend: ProcessBackend, place: int | None) -> ProcessGuest:
        started.append(guest := ProcessGuest(place, loopback=False))
        if len(started) <= lost:
            os.killpg(guest._process.pid, signal.SIGKILL)
        return guest

    monkeypatch.setattr(ProcessBackend, "start", start)
    with pytest.raises(SandboxError, match="sandbox cannot run programs: ") if lost == TRIES else nullcontext():
        try_sandbox("process")
    assert len(started) == min(lost + 1, TRIES)


def test_owners():
    assert not engine.is_orphan(engine.owner())
    assert not engine.is_orphan("another-boot/1:1:1")
    assert not engine.is_orphan("")
    machine = engine.owner().partition(":")[0]
    assert engine.is_orphan(f"{machine}:{os.getpid()}:1")  # the number is in use again, by a younger process
    assert engine.is_orphan(f"{machine}:999999999:1")


def test_the_import_is_fast_and_leaves_the_engine_alone():
    code = "import sys, sandbox; print('docker' in sys.modules, 'requests' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_guest_needs_the_standard_library_only():
    script = "import sys; sys.path.insert(0, 'sandbox'); import guest.examiner, guest.isolation; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import os; os.chdir({str(REPOSITORY)!r}); {script}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert tops - sys.stdlib_module_names - {"guest", "__main__"} == set()


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_the_profile_allows_by_name_only(architecture: str):
    rules = json.loads(profile(architecture) or "")
    assert rules["defaultAction"] == "SCMP_ACT_ERRNO"
    assert len(rules["architectures"]) == 1
    allowed = {name for rule in rules["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    forbidden = "ptrace process_vm_readv pidfd_getfd bpf mount unshare setns keyctl io_uring_setup shmget userfaultfd"
    assert not allowed & set(forbidden.split())
    assert {"read", "execve", "clone"} <= allowed


def test_unknown_architectures_get_the_engines_own_profile():
    assert profile("riscv64") is None


def test_rewards():
    assert Outcome(Status.PASSED).reward == 1.0
    assert Outcome(Status.FAILED).reward == 0.0
    assert Outcome(Status.BROKEN).reward is None
    assert Outcome(Status.UNTESTED).reward is None
    assert Outcome(Status.UNSUPPORTED).reward is None


def test_limits_follow_the_reference_within_bounds():
    base = Limits()
    assert GradingPlan().limits(base) == base
    assert GradingPlan(reference_seconds=0.001).limits(base).cpu_seconds == 0.5
    assert GradingPlan(reference_seconds=0.2).limits(base).cpu_seconds == 4.0
    assert GradingPlan(reference_seconds=9.0).limits(base).cpu_seconds == 10.0
    assert GradingPlan(reference_seconds=0.2).limits(base, factor=2, floor=0.1, ceiling=1).cpu_seconds == 0.4
