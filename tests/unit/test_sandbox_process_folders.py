"""Folders of guests of the process sandbox: they are removed, those too whose process was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import process
from sandbox.process import PREFIX, ProcessBackend

HOLD = """
import sys, time
from sandbox.process import ProcessGuest
guest = ProcessGuest(None, False)
print(guest._folder, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(process.tempfile, "tempdir", None)


def test_a_stopped_guest_leaves_no_folder(tmp_path: Path):
    guest = ProcessBackend().start(None)
    assert [folder.name.startswith(PREFIX) for folder in tmp_path.iterdir()] == [True]
    for _ in range(2):
        guest.stop()
        assert not list(tmp_path.iterdir())


def test_the_folder_of_a_killed_process_is_removed_by_a_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "ABANDONED_SECONDS", 0.0)
    driver = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    folder = Path(driver.stdout.readline().strip())
    ProcessBackend().open()
    assert folder.is_dir(), "its process lives"
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    ProcessBackend().open()
    assert not folder.exists()


def test_a_new_folder_and_one_of_another_name_stay(tmp_path: Path):
    new, old, other = (tmp_path / name for name in (f"{PREFIX}new", f"{PREFIX}old", "qprobe-run-old"))
    for folder in (new, old, other):
        folder.mkdir()
        (folder / "file").write_text("")
    for folder in (old, other):
        os.utime(folder, (time.time() - 3600, time.time() - 3600))
    ProcessBackend().open()
    assert sorted(folder.name for folder in tmp_path.iterdir()) == sorted([new.name, other.name])


def test_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "ABANDONED_SECONDS", 0.0)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "kept")
    ProcessBackend().open()
    assert (tmp_path / "kept" / "file").exists()
