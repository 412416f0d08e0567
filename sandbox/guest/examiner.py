"""The examiner's process: reads the job, runs its tests against the candidate, and gives the verdict.

The tests and what they expect exist in this process only. The candidate is asked over a channel that carries plain
values, so that whatever it does, it can only ever answer a question.
"""

import json
import os
import random
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any

from . import cases, failures, guard, purity, pytest_like
from .channel import Channel, Lost, TooLong
from .exceptions import CROSSED
from .library import UnsendableError
from .namespace import Namespace
from .stand_ins import RemoteValue, StandIn
from .tests_peer import ANYWHERE, TestsPeer, labels
from .wire import Verdict

_SEED_BYTES = 4

Another = Callable[[], Channel]
"""Ends the present candidate, and has another made of the same program. Returns the channel to it."""


@lru_cache(maxsize=16)
def _compile(source: str, name: str) -> CodeType:
    # Kept: the samples of one problem come one after another, and their tests are the same.
    return compile(source, name, "exec", dont_inherit=True)


def _compiled(job: dict[str, Any]) -> tuple[CodeType | None, ...]:
    """The reference, the setup and the tests as code; None for all where one does not compile."""
    try:
        return (
            _compile(job["reference"], "<reference>"),
            _compile(job["setup"], "<setup>"),
            _compile(job["tests"], pytest_like.TESTS),
        )
    except (SyntaxError, ValueError):
        return None, None, None


def is_pure(job: dict[str, Any], whole: bool) -> bool:
    """Return True where this process will be as good as new after these tests."""
    if whole:
        checker = cases.checker_code(job)
        return checker is None or purity.is_pure(checker)
    if job["mode"] == "shared" and not job["apart"]:
        return True
    return all(code is None or purity.is_pure(code) for code in _compiled(job))


def examine(job: dict[str, Any], channel: Channel, another: Another) -> tuple[Verdict, str]:
    """The verdict on one job, and one line of reasons.

    A program is run once for each way in which it must pass, and the first that it does not decides.
    """
    seed = int.from_bytes(os.urandom(_SEED_BYTES), "big") if job["seed"] is None else job["seed"]
    verdict, detail = Verdict.PASSED, ""
    examination: _Examination | None = None
    for run in _runs(job):
        if run == "copies" and examination is not None and not examination.shared_objects:
            continue
        if examination is not None:
            channel = another()
        random.seed(seed)
        examination = _Examination(channel, job, graph=run == "graph")
        verdict, detail = _outcome(examination, job, run)
        if verdict is not Verdict.PASSED:
            break
    if examination is not None and examination.too_long and _passes_together(another(), job, seed):
        return Verdict.UNSUPPORTED, f"{detail}; with its tests in its own process the program passes"
    return verdict, _with_seed(detail, seed, job) if verdict in (Verdict.FAILED, Verdict.ERROR) else detail


def _passes_together(channel: Channel, job: dict[str, Any], seed: int) -> bool:
    """Return whether a program passes in the shared mode: only then has it failed for the sake of a limit."""
    random.seed(seed)
    verdict, _ = _outcome(_Examination(channel, job, graph=False), job, "shared")
    return verdict is Verdict.PASSED


def _runs(job: dict[str, Any]) -> list[str]:
    """The ways in which a program must pass. "copies" may be left out after "graph", where nothing was shared."""
    if job["mode"] == "shared" and not job["apart"]:
        return ["shared"]
    apart = ["graph", "copies"] if job["graph"] and not job["by_reference"] else ["graph"]
    if not job["graph"] and not job["by_reference"]:
        apart = ["copies"]
    return [*apart, "shared"] if job["mode"] == "shared" else apart


def _with_seed(detail: str, seed: int, job: dict[str, Any]) -> str:
    """Random tests can be run again with their seed."""
    return f"{detail} (random seed {seed})" if "random" in job["tests"] or "random" in job["setup"] else detail


def _outcome(examination: "_Examination", job: dict[str, Any], run: str) -> tuple[Verdict, str]:
    try:
        verdict, detail = examination.run(run == "shared")
    except Lost as error:
        examination.too_long = isinstance(error, TooLong)
        return Verdict.EXITED, f"the program left before its tests had ended: {error}"
    except MemoryError:
        return Verdict.MEMORY, "MemoryError"
    except pytest_like.UnsupportedError as error:
        return Verdict.UNSUPPORTED, str(error)
    except BaseException as error:  # noqa: BLE001 - whatever comes out of the tests is a verdict
        verdict, detail = _verdict_of(error, examination, job)
        if isinstance(error, guard.NotPlainError | UnsendableError):
            examination.meet_limit(str(error))
    if verdict in (Verdict.FAILED, Verdict.ERROR):
        limit = "the program changes or keeps what it is given" if run == "copies" and job["graph"] else ""
        limit = examination.limit or limit
        if limit and job["unsure"]:
            return Verdict.UNSUPPORTED, f"{limit}, and no solution says whether that is right: {detail}"
        detail = f"{detail} ({limit})" if limit and limit not in detail else detail
    return verdict, detail


def _verdict_of(error: BaseException, examination: "_Examination", job: dict[str, Any]) -> tuple[Verdict, str]:
    programs_own = hasattr(error, CROSSED)
    if isinstance(error, AssertionError) and not programs_own:
        detail = failures.assertion(error, job["tests"], _safe_text(error), examination.asked)
        verdict = Verdict.FAILED
    else:
        detail = f"{type(error).__name__}: {_safe_text(error)}{failures.cause(examination.asked)}"
        verdict = Verdict.ERROR
    # Raised when the program was ready and had not been asked anything, it is the tests' own fault.
    tests_own = examination.ready and not examination.touched and not programs_own
    return (Verdict.UNTESTED if tests_own else verdict), detail


class _Examination:
    """One run of a job's tests."""

    def __init__(self, channel: Channel, job: dict[str, Any], graph: bool) -> None:
        objects = job["objects"] or ([ANYWHERE] if job["mode"] == "live" else [])
        self._job = job
        self._peer = TestsPeer(channel, graph, objects)
        self._graph = graph
        self.too_long = False  # whether an answer was longer than may cross
        self.ready = False  # whether the program has loaded, and has what the tests are about

    @property
    def touched(self) -> bool:
        """Return whether the program has been asked anything."""
        return self._peer.touched

    @property
    def asked(self) -> failures.Asked | None:
        """Return the last question to the program, with its answer."""
        asked = self._peer.asked
        return (*asked[:2], failures.CHANGED, asked[3]) if asked and self.shared_objects else asked

    def meet_limit(self, limit: str) -> None:
        """Note what the tests wanted and cannot have."""
        self._peer.limit = self._peer.limit or limit

    @property
    def limit(self) -> str:
        """The limit that the tests have met; "" where they met none."""
        return self._peer.limit

    @property
    def shared_objects(self) -> bool:
        """Return whether the program changed an object of the tests, or gave one back."""
        return self._peer.graph is not None and self._peer.graph.touched

    def run(self, together: bool) -> tuple[Verdict, str]:
        """Load the program and run the tests."""
        job = self._job
        self._peer.post("load", None, job["program"], job["entry_point"], self._graph)
        if together:
            return self._run_together()
        reference, setup, tests = _compiled(job)
        if setup is None or tests is None:
            return Verdict.UNTESTED, "the tests do not compile"
        state, *rest = self._loaded()
        if state == "syntax":
            return Verdict.SYNTAX, str(rest[0])
        names = Namespace(self._peer, job, reference if job["reference"] else None)
        self._run_apart(names, setup, tests, rest)
        return self._conclusion(names)

    def _loaded(self) -> Any:
        """The answer of `candidate.Program.load`, or whatever the program would have us believe."""
        answer = self._peer.answer(label=self._job["entry_point"] or "")
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
        asked = [name for name in job["asked"] if name != ANYWHERE]
        sources = [job["reference"], job["setup"], job["tests"], *asked]
        try:
            back = self._peer.ask("together", None, sources, job["entry_point"], nonce)
        except AssertionError as error:
            return Verdict.FAILED, str(error)
        if back != nonce:
            return Verdict.EXITED, "the tests did not come to their end"
        return self._conclusion(None)

    def _run_apart(self, names: Namespace, setup: CodeType, tests: CodeType, entry: list[Any]) -> None:
        job = self._job
        if entry:
            names[job["entry_point"]] = entry[0]
            # A plain value is used without asking.
            self._peer.touched = not isinstance(entry[0], StandIn | RemoteValue)
        if job["mode"] != "evaluating" and any(word in job["tests"] for word in guard.WORDS):
            names["__builtins__"] = guard.guarded_builtins()
            if "pickle" in job["tests"] and not purity.is_pure(tests):  # in a process that is not used again
                guard.guard_pickle()
        pytest_like.prepare(job["tests"])
        exec(setup, names)
        exec(tests, names)
        pytest_like.run(names, job["tests"], job["entry_point"])

    def _conclusion(self, names: Namespace | None) -> tuple[Verdict, str]:
        if self._peer.lost is not None:
            return Verdict.EXITED, self._peer.lost
        if not self._peer.touched:
            return Verdict.UNTESTED, "no test ran"
        if not self._job["trace"]:
            return Verdict.PASSED, ""
        used = names is not None and names.used_reference
        trace = {"objects": labels(self._peer.met), "names": used, "shares": self.shared_objects}
        trace["slowest"] = self._peer.ask("slowest", None)
        return Verdict.PASSED, json.dumps(trace)


def has_tests(source: str) -> bool:
    """Return whether the tests do anything at all besides defining names."""
    import ast  # rarely needed, and large

    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Assert | ast.Call | ast.Raise) for node in ast.walk(tree))


def _safe_text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - a description is not worth a verdict, and the program may have to be asked
        return ""
