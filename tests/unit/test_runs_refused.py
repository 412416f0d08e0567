"""A command that is refused before it keeps anything leaves no run behind; one that kept something loses nothing."""

import os
import threading
from pathlib import Path

import pytest

from benchmarks import Problem
from harness.errors import QprobeError
from harness.runs import reading
from harness.runs.store import Store
from harness.stages.run import Run
from tests.command import qprobe

SAMPLE = '{"task_id": "HumanEval/0", "completion": "    return 1"}'
REFUSED = {
    "import RUN --benchmark humaneval --samples none.jsonl": "no such file",
    "import RUN --benchmark humaneval --samples empty.jsonl": "holds no samples",
    "import RUN --benchmark humaneval --samples odd.jsonl": "Unknown format of samples",
    "import RUN --benchmark humaneval --samples one.jsonl --complete": "samples of 1 of 164 problems",
    "generate RUN --benchmark mini --model hf:no-model --k 2": "no-model",
    "preferences RUN --pairs odd.jsonl --embedder hf:no-model": "the field 'chosen' is missing",
}


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("command", REFUSED)
def test_a_refused_command_leaves_no_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("empty", ""), ("odd", '{"a": 1}'), ("one", SAMPLE)):
        (tmp_path / f"{name}.jsonl").write_text(text)
    before = names(tmp_path)
    done = qprobe(*command.replace("RUN", "run").split())
    assert REFUSED[command] in done.stderr
    assert done.returncode == 1
    assert names(tmp_path) == before


def refuse(folder: Path, *problems: Problem) -> None:
    def refused() -> None:
        with Run(folder) as run:
            run.store.add_problems(problems)
            raise QprobeError("refused")

    with pytest.raises(QprobeError, match="refused"):
        refused()


def test_a_users_files_stay(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    refuse(tmp_path)
    assert names(tmp_path) == ["notes.txt"]


def test_what_was_kept_stays(tmp_path: Path):
    refuse(tmp_path / "run", Problem("P/0", "def f():\n", "f", "assert f()"))
    with Store(tmp_path / "run") as store:
        assert len(store.problems()) == 1


def test_an_earlier_run_stays(tmp_path: Path):
    with Store(tmp_path / "run", create=True):
        pass
    refuse(tmp_path / "run")
    assert (tmp_path / "run" / "run.sqlite").is_file(), "made before, though it is empty"


def test_a_lock_that_is_removed_while_it_is_waited_for_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "_PATIENCE_SECONDS", 10.0)
    path = tmp_path / ".lock"
    first = reading.hold(path)

    def remove() -> None:
        path.unlink()
        os.close(first)

    timer = threading.Timer(0.2, remove)
    timer.start()
    second = reading.hold(path)
    timer.join()
    assert os.path.samestat(os.fstat(second), path.stat())
    os.close(second)
