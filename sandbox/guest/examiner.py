"""The examiner's process: reads the job, runs its tests against the candidate, and gives the verdict.

The tests and what they expect exist in this process only. The candidate is asked over a channel that carries plain
values, so that whatever it does, it can only ever answer a question.
"""

import builtins
import json
import os
import secrets
import traceback
from typing import Any, NoReturn

from . import wire
from .channel import Channel, Lost
from .mutation import restore
from .peer import CROSSED, Peer, StandIn
from .wire import Kind, Verdict

_TESTS = "<tests>"


def main(fd: int, inlet: int, outlet: int, verdict_fd: int, header: wire.JobHeader) -> NoReturn:
    """Examine the candidate at the other end of `fd`, write the verdict, and leave."""
    try:
        job = json.loads(wire.read_exact(inlet, header.body_bytes))
        verdict, detail = examine(job, Channel(fd, header.answer_bytes))
        payload = " ".join(detail.split()).encode("utf-8", "backslashreplace")[: wire.DETAIL_BYTES]
        wire.write_all(outlet, wire.pack_frame(Kind.DETAIL, header.number, payload))
        os.write(verdict_fd, bytes([verdict]))
    finally:
        os._exit(0)


def examine(job: dict[str, Any], channel: Channel) -> tuple[Verdict, str]:
    """The verdict on one job, and one line of reasons."""
    examination = _Examination(channel, job)
    try:
        return examination.run()
    except Lost as error:
        return Verdict.EXITED, f"the program left before its tests had ended: {error}"
    except MemoryError:
        return Verdict.MEMORY, "MemoryError"
    except AssertionError as error:
        if not hasattr(error, CROSSED):
            return Verdict.FAILED, _where(error, job)
        return Verdict.ERROR, _describe(error, job)
    except BaseException as error:  # noqa: BLE001 - whatever comes out of the tests is a verdict
        return (Verdict.UNTESTED if examination.before_program else Verdict.ERROR), _describe(error, job)


class _Examination:
    """One run of a job's tests."""

    def __init__(self, channel: Channel, job: dict[str, Any]) -> None:
        self._job = job
        self._peer = _StickyPeer(channel, job.get("by_reference", False))
        self.before_program = False  # whether the tests are at fault for what was raised

    def run(self) -> tuple[Verdict, str]:
        job = self._job
        self._peer.post("load", None, job["program"], job["entry_point"])
        if job["mode"] == "shared":
            return self._run_together()
        try:
            tests = compile(job["tests"], _TESTS, "exec", dont_inherit=True)
            setup = compile(job["setup"], "<setup>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            return Verdict.UNTESTED, f"the tests do not compile: {error}"
        state, *rest = self._peer.answer()
        if state == "syntax":
            return Verdict.SYNTAX, str(rest[0])
        self._run_apart(setup, tests, rest)
        return self._conclusion()

    def _run_together(self) -> tuple[Verdict, str]:
        """The shared mode: the program's own process runs the tests and says how it went."""
        job = self._job
        state, *rest = self._peer.answer()
        if state == "syntax":
            return Verdict.SYNTAX, str(rest[0])
        if not has_tests(job["tests"]):
            return Verdict.UNTESTED, "no test ran"
        nonce = secrets.token_hex(16)
        try:
            back = self._peer.ask("together", None, job["setup"] + "\n" + job["tests"], job["entry_point"], nonce)
        except AssertionError as error:
            return Verdict.FAILED, f"AssertionError: {error}"
        self._peer.touched = back == nonce
        return self._conclusion()

    def _run_apart(self, setup: Any, tests: Any, entry: list[Any]) -> None:
        job = self._job
        names = _Names(self._peer)
        names.update(__name__="tests", __builtins__=builtins)
        if entry:
            names[job["entry_point"]] = entry[0]
        exec(setup, names)
        exec(tests, names)
        check = dict.get(names, "check")
        if callable(check) and not isinstance(check, StandIn) and job["entry_point"]:
            check(names[job["entry_point"]])

    def _conclusion(self) -> tuple[Verdict, str]:
        if self._peer.lost is not None:
            return Verdict.EXITED, self._peer.lost
        if not self._peer.touched:
            return Verdict.UNTESTED, "no test ran"
        return Verdict.PASSED, ""


class _StickyPeer(Peer):
    """A peer that stays lost once it was lost, whatever the tests catch, and knows whether it was used."""

    def __init__(self, channel: Channel, by_reference: bool) -> None:
        super().__init__(
            channel, {"call": self._call_back, "next": self._next_back}, frozenset({"function", "iterator"})
        )
        self._by_reference = by_reference
        self.lost: str | None = None
        self.touched = False

    def ask(self, operation: str, target: Any, *operands: Any) -> Any:
        self.touched = True
        if operation == "call" and self._by_reference:
            return self._call_by_reference(target, *operands)
        return super().ask(operation, target, *operands)

    def post(self, operation: str, target: Any, *operands: Any) -> None:
        if self.lost is not None:
            raise Lost(self.lost)
        super().post(operation, target, *operands)

    def answer(self) -> Any:
        try:
            return super().answer()
        except Lost as error:
            self.lost = str(error)
            raise

    def _call_by_reference(self, target: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        result, after, named_after, same = super().ask("call_by_reference", target, positional, named)
        arguments = [restore(old, new) for old, new in zip(positional, after, strict=True)]
        for key, old in named.items():
            restore(old, named_after[key])
        return result if same < 0 else arguments[same]

    def _call_back(self, target: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return self.owned(target)(*positional, **named)

    def _next_back(self, target: Any) -> Any:
        return next(self.owned(target))

    _next_back.may_stop = True  # type: ignore[attr-defined]


class _Names(dict[str, Any]):
    """The tests' globals. A name that neither the tests nor Python know is asked for in the program."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._peer = peer

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        value = self[name] = self._peer.ask("name", None, name)
        return value


def has_tests(source: str) -> bool:
    """Whether the tests do anything at all besides defining names."""
    import ast

    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Assert | ast.Call | ast.Raise) for node in ast.walk(tree))


def _where(error: AssertionError, job: dict[str, Any]) -> str:
    """The assertion that did not hold, in the words of the tests."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _TESTS]
    source = job["tests"].splitlines()
    text = source[lines[-1] - 1].strip() if lines and lines[-1] and lines[-1] <= len(source) else "assert"
    message = str(error)
    return f"{text}  # {message}" if message and message not in text else text


def _describe(error: BaseException, job: dict[str, Any]) -> str:
    return f"{type(error).__name__}: {_safe_text(error)}"


def _safe_text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a description is not worth a verdict
        return ""
