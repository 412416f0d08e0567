"""Cheats never score, honest programs always do, and a naive grader shows that the cheats are real."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox_programs import TARGETS, Program, read_corpus

from sandbox import Job, Limits, Sandbox

CHEATS, HONEST = read_corpus("cheats"), read_corpus("honest")

BEYOND_A_PROCESS = {"an old answer from shared memory"}
"""Cheats that only a container stops: plain processes share /dev/shm with the machine."""


def job(program: Program, mode: str = "separate") -> Job:
    target = TARGETS[program.target]
    key = f"{program.family}/{program.name}"
    return Job(
        key, program.source, target.tests, "solve", target.setup, Limits(cpu_seconds=4.0, wall_seconds=20.0), mode
    )


def test_the_corpora_are_large():
    assert len(CHEATS) >= 80
    assert len(HONEST) >= 60
    assert len({program.family for program in CHEATS}) >= 7


def test_every_target_can_be_solved(any_sandbox: Sandbox):
    jobs = [Job(name, target.solution, target.tests, "solve", target.setup) for name, target in TARGETS.items()]
    assert {job.key for job, outcome in any_sandbox.run(jobs) if outcome.reward != 1.0} == set()


def test_no_cheat_scores(any_sandbox: Sandbox):
    backend = any_sandbox.identity.partition(":")[0]
    cheats = [cheat for cheat in CHEATS if backend == "docker" or cheat.name not in BEYOND_A_PROCESS]
    # Twice: what the first left behind must not help the second.
    outcomes = [(job.key, outcome) for job, outcome in any_sandbox.run(job(cheat) for cheat in cheats for _ in (1, 2))]
    assert len(outcomes) == 2 * len(cheats)
    assert {key: outcome for key, outcome in outcomes if outcome.reward != 0.0} == {}


def test_every_honest_program_scores(any_sandbox: Sandbox):
    outcomes = any_sandbox.run(job(program) for program in HONEST)
    assert {job.key: outcome for job, outcome in outcomes if outcome.reward != 1.0} == {}


def test_a_naive_grader_is_beaten_by_most_cheats(tmp_path: Path):
    with ThreadPoolExecutor(8) as threads:  # most of the time is spent on those that hang
        passes = threads.map(lambda n: _naively_passes(CHEATS[n], tmp_path / str(n)), range(len(CHEATS)))
        beaten = [cheat.name for cheat, passed in zip(CHEATS, passes, strict=True) if passed]
    assert len(beaten) > len(CHEATS) / 2, beaten


def _naively_passes(program: Program, folder: Path) -> bool:
    """The negative control: program and tests in one file, and the exit code decides."""
    target = TARGETS[program.target]
    folder.mkdir()
    script = folder / "program.py"
    script.write_text(f"{target.setup}\n{program.source}\n{target.tests}\ncheck(solve)\n", encoding="utf-8")
    # Through a shell: some cheats stop the process that started them, and that must not be this one; others leave
    # daemons behind, which would never be stopped.
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'ulimit -t 2; "$0" -I -S "$1"; exit $?', sys.executable, str(script)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=5) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == 0
