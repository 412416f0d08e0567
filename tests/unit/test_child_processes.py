"""Child processes import nothing from the folder that a command is called in."""

import zipfile
from pathlib import Path

import pytest

from sandbox.docker import image


def test_pip_is_not_led_astray_by_the_callers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Packages of an image are installed by a Python of which the user's own json.py or pip.py is no part."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    caller = tmp_path / "caller"
    caller.mkdir()
    for name in ("pip", "json", "email", "random", "sandbox"):
        (caller / f"{name}.py").write_text("raise SystemExit('a decoy was imported')")
    monkeypatch.chdir(caller)
    image._install([str(wheel)], str(tmp_path / "packages"))
    assert (tmp_path / "packages" / "tiny.py").is_file()
