"""The wheel holds all that a command needs, and is not led astray by folders of the same names."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.command import REPOSITORY

COMMAND = "import sys; sys.argv[0] = 'qprobe'; from harness.commands.main import main; main()"


def test_the_wheel_runs_beside_decoys(tmp_path: Path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    site = tmp_path / "site"
    (wheel,) = tmp_path.glob("qprobe-*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    for name in (
        "benchmarks/mini/model/model.safetensors",
        "sandbox/walls.txt",
        "benchmarks/doctor/cheats.txt",
        "benchmarks/skeleton/benchmark.txt",
        "harness/py.typed",
    ):
        assert (site / name).is_file(), name
    elsewhere = tmp_path / "elsewhere"
    for name in ("benchmarks", "sandbox", "harness"):
        (elsewhere / name).mkdir(parents=True)
        (elsewhere / name / "__init__.py").write_text("raise SystemExit('a decoy was imported')")
    shown = subprocess.run(
        [sys.executable, "-P", "-c", COMMAND, "benchmarks", "show", "mini"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["problems"] >= 150
