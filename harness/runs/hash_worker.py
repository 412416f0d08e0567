"""The process that hashes programs for `program_hash`. It needs the standard library alone and imports nothing else."""

import ast
import hashlib
import json
import signal
import sys
import warnings
from multiprocessing.connection import Connection

READY = b"ready"
"""The first message: the interpreter has started, so what ends it from now on is a program."""


def fingerprint(program: str) -> str:
    """Return a digest of the program's syntax tree, or of its text where it is not Python.

    Raises RecursionError or MemoryError where the program is Python's but nested too deeply for its parser.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.dump(ast.parse(program))
    except (SyntaxError, ValueError):
        return text_fingerprint(program)
    return _digest(tree)


def text_fingerprint(program: str) -> str:
    """Return a digest of the program's text."""
    return _digest(program.strip())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def serve(pipe: Connection) -> None:
    """Receive CPU seconds per program and a list of programs, and send each program's digest once it is made.

    The process ends at a program that the parser cannot take, or takes too long for: the missing answer tells which.
    """
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    pipe.send_bytes(READY)
    seconds, programs = json.loads(pipe.recv_bytes())
    for program in programs:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        pipe.send_bytes(fingerprint(program).encode())


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
