"""The page of all commands and options is the one that the code gives."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_page_of_commands_is_current():
    command = [sys.executable, "-m", "typer", "harness.commands.main", "utils", "docs", "--name", "qprobe"]
    done = subprocess.run(
        [*command, "--title", "Commands"], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True
    )
    page = REPOSITORY.joinpath("docs", "commands.md").read_text(encoding="utf-8")
    assert done.stdout.split() == page.split(), "run make -B docs/commands.md"
