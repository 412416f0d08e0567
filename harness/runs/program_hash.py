"""When two programs are the same: equal once comments, blank lines, quotes and spacing are put aside.

Programs are parsed in child processes: parsing is work for every core, and a parser that a program manages to crash
takes a child down and not the harness.
"""

import ast
import hashlib
import warnings
from collections.abc import Sequence

import multiprocess

CHUNK = 1000
CHILD_SECONDS = 60.0


def fingerprint(program: str) -> str:
    """A digest of the program's syntax tree, or of its text where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = ast.dump(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        text = program.strip()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def fingerprints(programs: Sequence[str]) -> list[str]:
    """The fingerprint of every program; of those whose parsing killed a child, that of the bare text."""
    distinct = list(dict.fromkeys(programs))
    chunks = [distinct[start : start + CHUNK] for start in range(0, len(distinct), CHUNK)]
    width = min(len(chunks), multiprocess.cpu_count())
    found: dict[str, str] = {}
    for start in range(0, len(chunks), width or 1):
        children = [_Child(chunk) for chunk in chunks[start : start + width]]
        for child in children:
            found.update(zip(child.chunk, child.result(), strict=True))
    return [found[program] for program in programs]


class _Child:
    """One child process at work on one chunk."""

    def __init__(self, chunk: Sequence[str]) -> None:
        self.chunk = chunk
        context = multiprocess.get_context("spawn")  # a fork would copy the threads' locks, held or not
        self._pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(theirs, list(chunk)), daemon=True)
        self._process.start()
        theirs.close()

    def result(self) -> list[str]:
        """The chunk's fingerprints, once the child has sent them or has died."""
        try:
            answer: list[str] = self._pipe.recv() if self._pipe.poll(CHILD_SECONDS) else []
        except EOFError:
            answer = []
        self._process.kill()
        self._process.join()
        return answer or [hashlib.sha256(program.strip().encode()).hexdigest()[:16] for program in self.chunk]


def _work(pipe: "multiprocess.connection.Connection", chunk: list[str]) -> None:
    pipe.send([fingerprint(program) for program in chunk])
