"""The documentation's site builds without a warning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import REPOSITORY


def test_the_site_builds_without_a_warning(tmp_path: Path):
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdicts = (tmp_path / "verdicts" / "index.html").read_text()
    assert "How a verdict is made" in verdicts
    assert "walls.txt" in verdicts
    assert 'href="walls.txt"' not in verdicts, "a link to a file that the site does not hold"
    assert "cross_validate" in (tmp_path / "python" / "index.html").read_text()
