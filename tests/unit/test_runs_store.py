"""The run store: rows that are whole or absent, settings that hold, one command at a time."""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import Problem
from harness.errors import QprobeError
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.runs.vector_file import VectorFile
from sandbox import Outcome, Status
from sandbox.cases import Case, program_tests


def problem(number: int, prompt: str = "def f():\n") -> Problem:
    return Problem(f"T/{number}", prompt, "f", "assert f() == 1", stop=("\ndef", "\n#"))


def completion(number: int, index: int) -> Completion:
    return Completion(
        f"T/{number}", index, "def f():\n", "    return 1\n", "def f():\n    return 1\n", tokens=5, logprob=-1.5
    )


def test_what_is_added_is_there_again(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        store.add_problems([problem(2), problem(1)])
        assert store.add_completions([completion(1, 1), completion(1, 0), completion(2, 0)]) == 3
        store.add_verdicts("g", {SampleId("T/1", 0): Outcome(Status.PASSED, "", 0.5, 0.6, "shared")})
    with Store(tmp_path / "run") as store:
        assert store.problems() == [problem(2), problem(1)]
        assert list(store.completions()) == [completion(2, 0), completion(1, 0), completion(1, 1)]
        assert store.sample_ids() == [c.id for c in store.completions()]
        assert store.verdicts("g") == {SampleId("T/1", 0): Outcome(Status.PASSED, "", 0.5, 0.6, "shared")}
        assert [c.id for c in store.ungraded("g")] == [("T/2", 0), ("T/1", 1)]
        assert len(list(store.ungraded("another grader"))) == 3


def test_whole_programs_keep_their_language(tmp_path: Path):
    whole = Problem("T/1", "Print 1.", "", program_tests([Case("", "1")]), language="javascript")
    with Store(tmp_path, create=True) as store:
        store.add_problems([whole, problem(2)])
        assert store.problems() == [whole, problem(2)]


def test_a_run_from_before_whole_programs_opens(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        store.add_problems([problem(1)])
        store._db.execute("ALTER TABLE problems DROP COLUMN language")
    with Store(tmp_path) as store:
        store.add_problems([problem(1), problem(2)])
        assert store.problems() == [problem(1), problem(2)]


def test_nothing_is_there_twice(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        store.add_problems([problem(1)])
        assert store.add_completions([completion(1, 0)]) == 1
        assert store.add_completions([completion(1, 0), completion(1, 1)]) == 1
        store.add_problems([problem(1)])
        assert len(store.problems()) == 1


def test_a_problem_that_reads_differently_is_refused(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        store.add_problems([problem(1)])
        with pytest.raises(QprobeError, match="T/1 reads differently"):
            store.add_problems([problem(1, "def g():\n")])


def test_other_settings_are_refused_and_named(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        store.settle("generation", {"temperature": 0.8, "top_p": 0.95})
        store.settle("generation", {"top_p": 0.95, "temperature": 0.8})
        with pytest.raises(QprobeError, match=r'"temperature": 0.8}, not {"temperature": 0.2}'):
            store.settle("generation", {"temperature": 0.2, "top_p": 0.95})


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(QprobeError, match="is not a run"):
        Store(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(QprobeError, match="cannot be made"):
        Store(tmp_path / "file" / "run", create=True)


def test_one_command_at_a_time(tmp_path: Path):
    with Store(tmp_path, create=True), pytest.raises(QprobeError, match="Another qprobe command"):
        Store(tmp_path)
    Store(tmp_path).__exit__(None, None, None)


def _write_for_ever(folder: Path) -> None:
    """Be the child that is killed: add one more problem, its samples, its vectors, again and again."""
    with Store(folder, create=True) as store:
        file = VectorFile(folder / "v.f32", (1, 4))
        while True:
            number = len(store.problems())
            store.add_problems([problem(number)])
            store.add_completions([completion(number, i) for i in range(20)])
            first = store.next_vector_row("v")
            file.write(first, np.full((20, 1, 4), number, np.float32))
            store.add_vector_rows({"v": {SampleId(f"T/{number}", i): first + i for i in range(20)}})


def test_kill_9_at_any_moment_loses_nothing_and_tears_nothing(tmp_path: Path):
    """Forty children are killed at random moments of their writing; every row that is there is whole and right."""
    rng, kept = random.Random(0), 0
    for _ in range(40):
        child = os.fork()
        if child == 0:
            _write_for_ever(tmp_path)
        time.sleep(rng.uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with Store(tmp_path, create=True) as store:
            assert len(store.problems()) >= kept
            kept = len(store.problems())
            per_problem: dict[str, list[int]] = {}
            for sample in store.sample_ids():
                per_problem.setdefault(sample.problem_id, []).append(sample.sample)
            assert all(indices == list(range(20)) for indices in per_problem.values())
            rows = store.vector_rows("v")
            if rows:
                vectors = VectorFile(tmp_path / "v.f32", (1, 4)).read()
                assert all(vectors[row, 0, 0] == int(sample.problem_id[2:]) for sample, row in rows.items())
    assert kept >= 10


def test_a_setting_noted_again_leaves_the_file_as_it_is(tmp_path: Path):
    """So that a report of an unchanged run is known to be current."""
    with Store(tmp_path / "run", create=True) as store:
        store.note("k", 3)
    file = tmp_path / "run" / "run.sqlite"
    before = (file.stat().st_mtime_ns, file.read_bytes())
    with Store(tmp_path / "run") as store:
        store.note("k", 3)
        store.settle("k", 3)
    assert (file.stat().st_mtime_ns, file.read_bytes()) == before
    with Store(tmp_path / "run") as store:
        store.note("k", 4)
        assert store.about.k == 4
