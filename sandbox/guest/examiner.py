"""The examiner's process: reads the job, runs its tests against the candidate, and gives the verdict.

The tests and what they expect exist in this process only. The candidate is asked over a channel that carries plain
values, so that whatever it does, it can only ever answer a question.
"""

import builtins
import os
from functools import lru_cache
from importlib import import_module
from types import CodeType
from typing import Any

from . import cases, purity
from .channel import Channel, Lost
from .mutation import restore
from .peer import CROSSED, Peer, StandIn
from .purity import MODULES
from .wire import Verdict

_TESTS = "<tests>"
_OBJECT_OPERATIONS = frozenset({"attribute", "assign"})


@lru_cache(maxsize=16)
def _compile(source: str, name: str) -> CodeType:
    # Kept: the samples of one problem come one after another, and their tests are the same.
    return compile(source, name, "exec", dont_inherit=True)


def _compiled(job: dict[str, Any]) -> tuple[CodeType | None, CodeType | None]:
    """The setup and the tests as code; None where they do not compile."""
    try:
        return _compile(job["setup"], "<setup>"), _compile(job["tests"], _TESTS)
    except (SyntaxError, ValueError):
        return None, None


def is_pure(job: dict[str, Any], whole: bool) -> bool:
    """Whether this process will be as good as new after these tests."""
    if whole:
        checker = cases.checker_code(job)
        return checker is None or purity.is_pure(checker)
    return job["mode"] == "shared" or all(code is None or purity.is_pure(code) for code in _compiled(job))


def examine(job: dict[str, Any], channel: Channel) -> tuple[Verdict, str]:
    """The verdict on one job, and one line of reasons."""
    examination = _Examination(channel, job)
    try:
        return examination.run()
    except Lost as error:
        return Verdict.EXITED, f"the program left before its tests had ended: {error}"
    except MemoryError:
        return Verdict.MEMORY, "MemoryError"
    except BaseException as error:  # noqa: BLE001 - whatever comes out of the tests is a verdict
        return _verdict_of(error, examination, job)


def _verdict_of(error: BaseException, examination: "_Examination", job: dict[str, Any]) -> tuple[Verdict, str]:
    programs_own = hasattr(error, CROSSED)
    if isinstance(error, AssertionError) and not programs_own:
        verdict, detail = Verdict.FAILED, _where(error, job)
    else:
        verdict, detail = Verdict.ERROR, f"{type(error).__name__}: {_safe_text(error)}"
    # Raised when the program was ready and had not been asked anything, it is the tests' own fault.
    tests_own = examination.ready and not examination.touched and not programs_own
    return (Verdict.UNTESTED if tests_own else verdict), detail


class _Examination:
    """One run of a job's tests."""

    def __init__(self, channel: Channel, job: dict[str, Any]) -> None:
        self._job = job
        self._peer = _StickyPeer(channel, job["by_reference"], job["mode"] == "live")
        self.ready = False  # whether the program has loaded, and has what the tests are about

    @property
    def touched(self) -> bool:
        """Whether the program has been asked anything."""
        return self._peer.touched

    def run(self) -> tuple[Verdict, str]:
        """Load the program and run the tests."""
        job = self._job
        self._peer.post("load", None, job["program"], job["entry_point"])
        if job["mode"] == "shared":
            return self._run_together()
        setup, tests = _compiled(job)
        if setup is None or tests is None:
            return Verdict.UNTESTED, "the tests do not compile"
        state, *rest = self._loaded()
        if state == "syntax":
            return Verdict.SYNTAX, str(rest[0])
        self._run_apart(setup, tests, rest)
        return self._conclusion()

    def _loaded(self) -> Any:
        """What `candidate.Program.load` returned, or whatever the program would have us believe."""
        answer = self._peer.answer()
        self.ready = answer[0] == "loaded" and (len(answer) > 1 or self._job["entry_point"] is None)
        return answer

    def _run_together(self) -> tuple[Verdict, str]:
        """The shared mode: the program's own process runs the tests and says how it went."""
        job = self._job
        state, *rest = self._loaded()
        if state == "syntax":
            return Verdict.SYNTAX, str(rest[0])
        if not has_tests(job["tests"]):
            return Verdict.UNTESTED, "no test ran"
        nonce = os.urandom(16).hex()
        try:
            back = self._peer.ask("together", None, job["setup"] + "\n" + job["tests"], job["entry_point"], nonce)
        except AssertionError as error:
            return Verdict.FAILED, f"AssertionError: {error}"
        if back != nonce:
            return Verdict.EXITED, "the tests did not come to their end"
        return self._conclusion()

    def _run_apart(self, setup: CodeType, tests: CodeType, entry: list[Any]) -> None:
        job = self._job
        names = _Names(self._peer)
        names.update(__name__="tests", __builtins__=builtins)
        if entry:
            names[job["entry_point"]] = entry[0]
            self._peer.touched = not isinstance(entry[0], StandIn)  # a plain value is used without asking
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

    def __init__(self, channel: Channel, by_reference: bool, live: bool) -> None:
        super().__init__(
            channel,
            {"call": self._call_back, "call_named": self._call_back_named, "next": self._next_back},
            frozenset({"function", "iterator"}),
        )
        self._by_reference = by_reference
        self._live = live
        self.lost: str | None = None
        self.touched = False

    def ask(self, operation: str, target: Any, *operands: Any) -> Any:
        self.touched = True
        if operation in _OBJECT_OPERATIONS and not self._live:
            # `f(x).startswith("a")` would be decided by whatever the program returned.
            raise TypeError("an object of the program may not be asked for attributes")
        if self.lost is not None:
            raise Lost(self.lost)
        try:
            if self._by_reference and operation == "call":
                return self._call_by_reference(target, operands, {})
            if self._by_reference and operation == "call_named":
                return self._call_by_reference(target, operands[1:], operands[0])
            return super().ask(operation, target, *operands)
        except Lost as error:
            self.lost = str(error)
            raise

    def _call_by_reference(self, target: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        result, after, named_after, same = super().ask("call_by_reference", target, positional, named)
        arguments = [restore(old, new) for old, new in zip(positional, after, strict=True)]
        for key, old in named.items():
            restore(old, named_after[key])
        return result if same < 0 else arguments[same]

    def _call_back(self, target: Any, *positional: Any) -> Any:
        return self.owned(target)(*positional)

    def _call_back_named(self, target: Any, named: dict[str, Any], *positional: Any) -> Any:
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
        # A module that the tests forgot to import must not come from the program: `math.isclose` would be its own.
        value = import_module(name) if name in MODULES or name == "sys" else self._peer.ask("name", None, name)
        self[name] = value
        return value


def has_tests(source: str) -> bool:
    """Whether the tests do anything at all besides defining names."""
    import ast  # rarely needed, and large

    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Assert | ast.Call | ast.Raise) for node in ast.walk(tree))


def _where(error: AssertionError, job: dict[str, Any]) -> str:
    """The assertion that did not hold, in the words of the tests."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == _TESTS else line
        trace = trace.tb_next
    source = job["tests"].split("\n")
    text = source[line - 1].strip() if 0 < line <= len(source) else "assert"
    message = _safe_text(error)
    return f"{text}  # {message}" if message and message not in text else text


def _safe_text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - a description is not worth a verdict, and the program may have to be asked
        return ""
