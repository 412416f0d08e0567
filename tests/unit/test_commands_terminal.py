"""The progress line of a stage: rate, remaining time and passes on a terminal; nothing elsewhere."""

import io
import re
import time

import pytest
from rich.console import Console

from harness.commands.terminal import Terminal

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")


def work(console: Console) -> str:
    """Return the output of a stage of 30 items, of which 10 exist already."""
    terminal = Terminal()
    terminal.err = console
    with terminal.task("Grading", 30, 10) as advance:
        for passed in range(1, 11):
            time.sleep(0.03)
            advance(1, f"{passed} passed")
    return console.file.getvalue()


def test_a_bar_has_rate_remaining_time_and_passes():
    text = work(Console(file=io.StringIO(), force_terminal=True, width=80))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").splitlines()
    last = next(line for line in reversed(shown) if "Grading" in line)
    assert "20/30" in last
    assert "10 passed" in last
    assert re.search(r"\d\.\d/s", last)
    assert re.search(r"\d:\d\d|\d\d:\d\d", last), "the time that is left"
    assert all(len(line) <= 80 for line in shown)
    assert COLOUR.search(text)


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(work(Console(file=io.StringIO(), force_terminal=True, width=80)))


def test_a_file_gets_no_bar():
    assert work(Console(file=io.StringIO(), width=80)) == ""


def test_what_is_to_be_done_can_grow():
    terminal = Terminal()
    terminal.err = Console(file=io.StringIO(), force_terminal=True, width=80)
    with terminal.task("Training probes", 0) as advance:
        advance(0, more=8)
        advance(3)
    assert "3/8" in terminal.err.file.getvalue()
