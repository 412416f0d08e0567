"""Examining a stdin/stdout program: it runs once per case, and its output is compared here when it has ended.

A case is over when the program's first process has ended and the supervisor has ended all others: what is compared can
no longer change. The exit code comes from the supervisor and the output from a pipe; the program has no other say.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from types import CodeType
from typing import Any

from . import runner
from .assignment import Assignment
from .channel import Channel, Lost
from .failures import text_of
from .outputs import converse, difference
from .wire import Verdict

_CHECKER = "checker"
_Judge = Callable[[str, bytes, str], str]
"""From input, output and expected output to what is wrong, "" for nothing."""


def examine(assignment: Assignment) -> tuple[Verdict, str]:
    """The verdict on one program, and one line of reasons."""
    try:
        return _Examination(assignment).run()
    except MemoryError:
        return Verdict.MEMORY, "its cases and what it printed do not fit in the memory limit"


def checker_code(job: dict[str, Any]) -> CodeType | None:
    """The code of the checker that comes with a program's cases; None where it is missing or does not compile."""
    return _compile(_read(job["tests"])["checker"])


class _Examination:
    """All runs of one program."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._job = assignment.job
        self._limit = assignment.header.answer_bytes

    def run(self) -> tuple[Verdict, str]:
        """Run the program on one case after another until one fails."""
        tests = _read(self._job["tests"])
        cases, judge = tests["cases"], _judge(tests)
        if not cases or judge is None:
            for fd in self._assignment.fds:
                os.close(fd)
            return Verdict.UNTESTED, "the checker does not run, or lacks its function" if cases else "no test ran"
        for number, (given, expected) in enumerate(cases, start=1):
            fds = self._assignment.next_run() if number > 1 else self._assignment.fds
            verdict, detail = self._run_case(fds, given, expected, judge)
            if verdict is not Verdict.PASSED:
                return verdict, f"case {number} of {len(cases)}: {detail}"
        return Verdict.PASSED, ""

    def _run_case(self, fds: list[int], given: str, expected: str, judge: _Judge) -> tuple[Verdict, str]:
        """One run. The candidate is at the other ends of `fds`, which are closed here."""
        channel = Channel(fds[0], self._limit)
        with suppress(Lost):  # if it could not even start, its exit code says so
            channel.send([self._job["language"], self._job["program"]])
        printed, complaint = converse((fds[1], fds[2], fds[3]), _encode(given), self._limit)
        exit_code = self._assignment.exit_code()
        if refusal := _last_words(channel):
            return _refused(*refusal)
        if printed is None:
            return Verdict.FAILED, f"it printed more than {self._limit:,} bytes"
        if exit_code:
            return _crash(exit_code, complaint)
        wrong = judge(given, printed, expected)
        if not wrong:
            return Verdict.PASSED, ""
        return (
            Verdict.FAILED,
            f"{wrong}  # input {text_of(given)}; output {text_of(printed.decode('utf-8', 'replace'))}",
        )


def _last_words(channel: Channel) -> list[str]:
    """The message that the candidate sent instead of running; [] where it ran."""
    try:
        return channel.receive()
    except Lost:
        return []
    finally:
        channel.close()


@lru_cache(maxsize=2)
def _read(text: str) -> Any:
    # Kept: the samples of one problem come one after another. Few, because they may be large.
    return json.loads(text)


@lru_cache(maxsize=4)
def _compile(source: str) -> CodeType | None:
    try:
        return compile(source, "<checker>", "exec", dont_inherit=True) if source else None
    except (SyntaxError, ValueError):
        return None


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _refused(kind: str, detail: str) -> tuple[Verdict, str]:
    if kind == runner.SYNTAX:
        return Verdict.SYNTAX, detail
    return Verdict.UNTESTED, f"the image has no {detail}"


def _crash(exit_code: int, complaint: bytes) -> tuple[Verdict, str]:
    if b"out of memory" in complaint:  # node says so, and aborts
        return Verdict.MEMORY, "out of memory"
    if exit_code < 0:
        return Verdict.EXITED, f"killed by signal {-exit_code}"
    reason = _reason(complaint.decode("utf-8", "replace"))
    verdict = Verdict.MEMORY if reason.startswith("MemoryError") else Verdict.ERROR
    return verdict, f"exit code {exit_code}: {reason}" if reason else f"exit code {exit_code}"


def _reason(complaint: str) -> str:
    """The line that says what happened: the last that names an error, or the last at all."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    named = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception"))]
    return (named or lines or [""])[-1]


def _judge(tests: dict[str, Any]) -> _Judge | None:
    if tests["compare"] != _CHECKER:
        rule = tests["compare"]
        return lambda _, printed, expected: difference(rule, printed, _encode(expected))
    code = _compile(tests["checker"])
    if code is None:
        return None
    names: dict[str, Any] = {"__name__": "checker"}
    try:
        exec(code, names)
    except (Exception, SystemExit):  # noqa: BLE001 - a benchmark's checker may fail in any way
        return None
    check = names.get(tests["function"])
    return _asking(check) if callable(check) else None


def _asking(check: Callable[[str, str, str], object]) -> _Judge:
    def judge(given: str, printed: bytes, expected: str) -> str:
        try:
            return "" if check(given, printed.decode("utf-8", "replace"), expected) else "the checker says no"
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a checker chokes on what it can't read
            return f"the checker says {type(error).__name__}: {error}"

    return judge
