"""Files of a run: whole or not at all, and readable for whom the umask says."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.errors import QprobeError
from harness.runs.atomic import atomic_write
from harness.runs.problem_sets import DATABASE, load_set
from harness.runs.store import Store


@pytest.fixture(params=[0o022, 0o027, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_mode_is_the_umasks_whatever_wrote_the_file(tmp_path: Path, umask: int):
    with atomic_write(tmp_path / "scores.safetensors") as draft:
        save_file({"a": np.zeros(3)}, draft)
    with atomic_write(tmp_path / "text") as draft:
        draft.write_text("text")
    with atomic_write(tmp_path / "text") as draft:
        draft.write_text("again")
    modes = {S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~umask}
    assert (tmp_path / "text").read_text() == "again"


def test_a_failure_leaves_nothing(tmp_path: Path):
    (tmp_path / "kept").write_text("kept")

    def fail() -> None:
        with atomic_write(tmp_path / "kept") as draft:
            draft.write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]
    with pytest.raises(QprobeError, match="cannot be written"), atomic_write(tmp_path / "absent" / "file"):
        pass


@pytest.mark.parametrize("name", ["plain", "exp #1", "really?", "100%", "%23", "a&b=c", "mode=rw?mode=rw", "ä ö"])
def test_a_run_is_found_by_its_benchmark_whatever_its_folder_is_called(tmp_path: Path, name: str):
    with Store(tmp_path / "results" / name, create=True) as store:
        store.settle("benchmark", "adds")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(QprobeError, match=r"has no verdicts|no problems|has no"):
        load_set("adds", tmp_path / "results")
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == []


def test_what_is_no_database_is_no_run(tmp_path: Path):
    folder = tmp_path / "results" / "odd"
    folder.mkdir(parents=True)
    (folder / DATABASE).write_text("not a database")
    with pytest.raises(QprobeError, match="neither a run nor the benchmark of one"):
        load_set("adds", tmp_path / "results")
