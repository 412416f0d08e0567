"""The help of `run`: every option of every stage, under the heading of its stage."""

import re

import pytest
from typer.testing import CliRunner

from harness.commands.main import app

STAGES = {
    "generate": "Generation",
    "import": "Existing samples",
    "grade": "Grading",
    "embed": "Hidden states",
    "probe": "Probes",
}
"""Command of a stage -> the heading of its options."""
SHARED = ["Arguments", "Benchmark", "Randomness", "Device", "Cluster"]


def headings(command: str) -> dict[str, list[str]]:
    """Return the options below each heading of a command's help."""
    done = CliRunner().invoke(app, [command, "--help"], prog_name="qprobe")
    assert done.exit_code == 0
    sections: dict[str, list[str]] = {}
    for line in done.output.splitlines():
        if re.fullmatch(r"[A-Z][\w ]*:", line):
            options = sections.setdefault(line[:-1], [])
        elif match := re.match(r"  (?:-\w, )?(--[\w-]+)", line):
            options.append(match[1])
    return sections


def test_the_stages_come_in_their_order():
    assert list(headings("run")) == [*SHARED, *STAGES.values(), "Report", "Options"]


@pytest.mark.parametrize("command", STAGES)
def test_run_lists_a_stages_options_under_the_stages_heading(command: str):
    own, in_run = headings(command), headings("run")
    heading = STAGES[command]
    assert own[heading] == in_run[heading] != []
    assert set(own) <= {*SHARED, heading, "Options"}


def test_no_option_of_run_is_listed_twice():
    listed = [option for options in headings("run").values() for option in options]
    assert len(listed) == len(set(listed)) > 40
