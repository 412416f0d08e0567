"""Verdicts on real programs equal the recorded ones, on a busy machine too; every reference passes apart."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import Job, Limits, Sandbox
from sandbox.grading_mode import plan_grading
from scripts.memory import memory_bytes
from scripts.recorded_verdicts import (
    chat_samples,
    humaneval_references,
    mbpp_references,
    qwen_samples,
    sanitized_references,
)

pytestmark = pytest.mark.docker

LIVE = {"MBPP/367", "MBPP/601", "MBPP/927"}
"""Their tests build trees and pairs of the program's own classes."""

GENEROUS = Limits(cpu_seconds=20.0, wall_seconds=60.0)


@pytest.mark.parametrize("references", [humaneval_references, mbpp_references, sanitized_references])
def test_every_reference_passes_with_the_tests_apart(docker_sandbox: Sandbox, shared_data: Path, references):  # noqa: ANN001
    jobs = [replace(job, limits=GENEROUS) for job in references(shared_data)]
    plans = {job.key: plan for job, plan in plan_grading(docker_sandbox, jobs)}
    assert len(plans) == len(jobs)
    assert {key: plan for key, plan in plans.items() if plan.trouble or plan.mode == "shared"} == {}
    assert {key for key, plan in plans.items() if plan.mode == "live"} <= LIVE
    assert {key for key, plan in plans.items() if plan.by_reference} == set()


def test_only_the_slow_reference_needs_more_time(docker_sandbox: Sandbox, shared_data: Path):
    jobs = [replace(job, limits=Limits(cpu_seconds=1.0)) for job in mbpp_references(shared_data) if job.key not in LIVE]
    assert {job.key for job, outcome in docker_sandbox.run(jobs) if outcome.reward != 1.0} <= {"MBPP/123"}


def differences(sandbox: Sandbox, samples: Iterable[tuple[Job, bool]]) -> dict[str, object]:
    """Programs whose verdict is not the recorded one."""
    recorded: dict[str, bool] = {}

    def jobs() -> Iterator[Job]:
        for job, passed in samples:
            recorded[job.key] = passed
            yield job

    outcomes = {job.key: outcome for job, outcome in sandbox.run(jobs())}
    assert outcomes.keys() == recorded.keys()
    return {key: outcome for key, outcome in outcomes.items() if (outcome.reward == 1.0) != recorded[key]}


def test_some_recorded_verdicts(docker_sandbox: Sandbox, shared_data: Path):
    samples = itertools.chain(qwen_samples(shared_data), chat_samples(shared_data))
    assert differences(docker_sandbox, itertools.islice(samples, 0, None, 29)) == {}


@pytest.mark.slow
def test_all_recorded_verdicts_on_mbpp(docker_sandbox: Sandbox, shared_data: Path):
    assert differences(docker_sandbox, qwen_samples(shared_data)) == {}


@pytest.mark.slow
def test_all_recorded_verdicts_on_humaneval(docker_sandbox: Sandbox, shared_data: Path):
    assert differences(docker_sandbox, chat_samples(shared_data)) == {}


@pytest.mark.slow
def test_a_busy_machine_changes_no_verdict(docker_sandbox: Sandbox, shared_data: Path):
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        assert differences(docker_sandbox, chat_samples(shared_data)) == {}
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.slow
def test_ten_gradings_are_identical(docker_sandbox: Sandbox, shared_data: Path):
    jobs = [job for job, _ in itertools.islice(chat_samples(shared_data), 0, None, 11)]
    seen = [{job.key: outcome.status for job, outcome in docker_sandbox.run(jobs)} for _ in range(10)]
    assert all(one == seen[0] for one in seen)


@pytest.mark.slow
def test_cost_and_memory_stay_flat(docker_sandbox: Sandbox, shared_data: Path):
    references = humaneval_references(shared_data)
    count = int(os.environ.get("QPROBE_MANY", "100000"))
    before = memory_bytes("VmRSS")
    endless = (replace(job, key=str(n)) for n, job in enumerate(itertools.islice(itertools.cycle(references), count)))
    assert sum(outcome.reward == 1.0 for _, outcome in docker_sandbox.run(endless)) == count
    assert memory_bytes("VmRSS") - before < 50_000 * 1024
