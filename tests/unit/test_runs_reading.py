"""Reading a run while a command writes to it, and on a disk that cannot be written to."""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks import Problem
from harness.errors import QprobeError
from harness.runs.completion import Completion
from harness.runs.reading import hold, is_held, open_read_only, open_writable
from harness.runs.run_progress import run_progress, unfinished
from harness.runs.store import SCHEMA, Store
from sandbox import Outcome, Status
from tests.made_run import fill
from tests.read_only import require_mounts, run_on_read_only_disk

COUNT = "from pathlib import Path\nfrom harness.runs.store import Store\nprint(Store(Path({!r})).count_samples())"


def some(number: int) -> tuple[Problem, list[Completion]]:
    problem = Problem(f"T/{number}", "def f():\n", "f", "assert f() == 1")
    return problem, [Completion(problem.id, index, "def f():\n", "", "def f(): pass") for index in range(4)]


def add(store: Store, number: int) -> None:
    problem, completions = some(number)
    store.add_problems([problem])
    store.add_completions(completions)


def test_a_reader_sees_the_run_as_it_was_while_another_command_writes(tmp_path: Path):
    with Store(tmp_path, create=True) as writer:
        add(writer, 1)
        with Store(tmp_path, read_only=True) as reader, Store(tmp_path, read_only=True) as other:
            add(writer, 2)
            assert (reader.count_samples(), other.count_samples(), writer.count_samples()) == (4, 4, 8)
            assert len(reader.problems()) == 1
        with Store(tmp_path, read_only=True) as reader:
            assert reader.count_samples() == 8
            with pytest.raises(QprobeError, match="cannot be written to"):
                add(reader, 3)


def test_a_reader_keeps_no_writer_away(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        add(store, 1)
    with Store(tmp_path, read_only=True) as reader, Store(tmp_path) as writer:
        add(writer, 2)
        assert reader.count_samples() == 4
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


def test_a_reader_waits_for_the_tables_of_a_run_that_is_being_made(tmp_path: Path):
    path = tmp_path / "run.sqlite"
    path.touch()
    with pytest.raises(QprobeError, match="cannot be read as the database of a run"):
        open_read_only(path, SCHEMA)  # no command is at work
    lock = hold(tmp_path / ".lock")
    thread = threading.Timer(0.2, lambda: open_writable(path, SCHEMA).close())
    thread.start()
    try:
        open_read_only(path, SCHEMA).close()
    finally:
        thread.join()
        os.close(lock)


def test_a_writer_starts_while_others_look_whether_one_is_at_work(tmp_path: Path):
    Store(tmp_path, create=True).close()
    child = os.fork()
    if child == 0:
        while True:
            is_held(tmp_path)
    try:
        for _ in range(50):
            Store(tmp_path).close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_folder_that_is_no_run_is_refused_and_not_made(tmp_path: Path):
    with pytest.raises(QprobeError, match="is not a run"):
        Store(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()
    (tmp_path / "run.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(QprobeError, match=r"run.sqlite cannot be read as the database of a run"):
        Store(tmp_path, read_only=True)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("text", [b"CREATE TABLE settings", b"tablesettings", b"CREATE TABLE problems"])
def test_a_damaged_schema_is_one_sentence_and_locks_nothing(text: bytes, read_only: bool, tmp_path: Path):
    """SQLite quotes the damaged text, which need not be UTF-8."""
    Store(tmp_path / "run", create=True).close()
    whole = (tmp_path / "run" / "run.sqlite").read_bytes()
    assert text in whole
    (tmp_path / "run" / "run.sqlite").write_bytes(whole.replace(text, text[:-3] + b"\x80" + text[-2:]))
    with pytest.raises(QprobeError, match=r"run\.sqlite (cannot be read|is damaged|holds)"):
        Store(tmp_path / "run", read_only=read_only)
    (tmp_path / "run" / "run.sqlite").write_bytes(whole)
    Store(tmp_path / "run").close()


def test_a_run_of_an_earlier_version_is_read_as_it_is(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        add(store, 1)
        store._db.execute("ALTER TABLE problems DROP COLUMN language")
        store._db.execute("DROP TABLE tokens")
    with Store(tmp_path, read_only=True) as store:
        assert store.problems() == [some(1)[0]]
        assert list(store.completions()) == some(1)[1]


def test_a_read_only_disk(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        add(store, 1)
    require_mounts(tmp_path)
    done = run_on_read_only_disk(tmp_path, sys.executable, "-c", COUNT.format(str(tmp_path / "run")))
    assert done.stdout == "4\n", done.stderr


def test_rows_that_a_killed_command_left_in_the_log_are_read_from_a_read_only_disk(tmp_path: Path):
    run = tmp_path / "run"
    with Store(tmp_path / "work", create=True) as store:
        add(store, 1)
        shutil.copytree(tmp_path / "work", run)  # as `kill -9` leaves it
    assert (run / "run.sqlite-wal").stat().st_size
    (run / "run.sqlite-shm").unlink()
    require_mounts(tmp_path)
    done = run_on_read_only_disk(tmp_path, sys.executable, "-c", COUNT.format(str(run)))
    assert done.stdout == "4\n", done.stderr
    with Store(run, read_only=True) as reader:
        assert reader.count_samples() == 4


def test_progress_of_a_run(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        for number in range(3):
            add(store, number)
        store.note("k", 6)
        store.note("grading", "g")
        store.add_verdicts("g", {sample: Outcome(Status.PASSED) for sample in store.sample_ids()[:5]})
        assert unfinished(store) == (
            f"A command is at work in {tmp_path}: 12 of 18 samples are there, 5 of 18 are graded so far."
        )
    with Store(tmp_path, read_only=True) as store:
        progress = run_progress(store)
        assert (progress.at_work, progress.samples, progress.expected, progress.graded) == (False, 12, 18, 5)
        assert unfinished(store) == f"{tmp_path} is not finished: 12 of 18 samples are there, 5 of 18 are graded."


def test_nothing_is_said_of_a_run_that_is_complete(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        fill(store)
    with Store(tmp_path, read_only=True) as store:
        assert unfinished(store) == ""


def test_opening_for_reading_is_quick(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        add(store, 1)
    started = time.monotonic()
    open_read_only(tmp_path / "run.sqlite", SCHEMA).close()
    assert time.monotonic() - started < 1


def test_a_reader_leaves_no_files(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        add(store, 1)
    before = sorted(tmp_path.iterdir())
    with Store(tmp_path, read_only=True) as store:
        assert store.count_samples() == 4
    assert sorted(tmp_path.iterdir()) == before
