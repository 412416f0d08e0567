"""The short form of scripts/torture.py: faults, and the report of an undisturbed run after each.

Full and read-only disks have other tests, and a jumping clock is left out to save time.
"""

import subprocess
import sys

from tests.command import REPOSITORY

FAULTS = ["kills", "pages", "seconds", "servers"]


def test_runs_bear_faults():
    command = [sys.executable, "-m", "scripts.torture", "--short", "--only", ",".join(FAULTS)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert list(lines) == FAULTS
    for name, line in lines.items():
        assert "equal reports" in line, name
        assert not line.strip().startswith("0 faults"), name
