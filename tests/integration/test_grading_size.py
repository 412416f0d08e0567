"""A few programs graded by scripts/bench_grading_size.py, which then says what a million of them take."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runs.store import Store
from sandbox import Outcome, Status
from scripts.bench_grading_size import TENTHS, fill, problems_of, wrong_counts
from tests.command import REPOSITORY

COUNT = 1200


def test_rate_and_memory_are_printed_for_each_tenth(tmp_path: Path):
    command = [sys.executable, "-m", "scripts.bench_grading_size", "--sandbox", "process", "--folder", str(tmp_path)]
    command += ["--count", str(COUNT)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r" +[\d,]+ +[\d.]+ ", line)]
    assert 1 <= len(rows) <= TENTHS
    assert rows[-1][0] == f"{COUNT:,}"
    assert all(float(row[1]) > 0 for row in rows), "programs per second"
    assert all(float(row[4]) > 5 for row in rows), "MiB of the driver"
    assert float(rows[0][5]) > 5, "MiB of the guests"
    assert f"{COUNT:,} graded, 0 broken" in done.stdout
    assert re.search("last tenth against the second: |Too few programs to compare", done.stdout)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_verdict_that_is_not_as_it_should_be_is_found(wrong: int, tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, problems_of(None, COUNT), COUNT)
        right = {sample: sample.sample % 2 == 0 for sample in store.sample_ids()}
        for sample in list(right)[:wrong]:
            right[sample] = not right[sample]
        outcomes = {sample: Outcome(Status.PASSED if passes else Status.FAILED) for sample, passes in right.items()}
        store.add_verdicts("grader", outcomes)
        assert len({(one.problem_id, one.program) for one in store.completions()}) == COUNT, "none is run once for two"
        assert len(wrong_counts(store, "grader")) == wrong
