"""Program identity: programs are the same when they differ in comments, blank lines, quotes and spacing alone.

Programs are parsed in worker processes: parsing is work for every core, and a program that crashes the parser ends a
worker and not the harness. A worker is the source of `hash_worker` run by `python -I`: it imports neither the caller's
main module, which may have no main guard, nor modules of the caller's folder, which may share our modules' names.
"""

import inspect
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain

import multiprocess
from multiprocess.pool import ThreadPool

from harness.errors import QprobeError
from harness.runs import hash_worker
from harness.runs.hash_worker import READY, fingerprint, text_fingerprint
from harness.runs.provenance import cores

__all__ = ["fingerprint", "fingerprints"]

CHUNK = 1000
PARSE_SECONDS = 30.0
"""CPU seconds for one program. CPU time: a busy machine changes no digest."""

log = logging.getLogger("qprobe")


def fingerprints(programs: Sequence[str], seconds: float = PARSE_SECONDS) -> list[str]:
    """Return the digest of every program.

    Programs that Python's parser cannot take in `seconds` of CPU time, or at all, get a digest of their text; the log
    says how many. Raises QprobeError where no worker can be started.
    """
    distinct = list(dict.fromkeys(programs))
    chunks = [distinct[start : start + CHUNK] for start in range(0, len(distinct), CHUNK)]
    with ThreadPool(max(1, min(len(chunks), cores()))) as pool:  # a thread waits for each worker
        hashes = list(chain.from_iterable(pool.imap(lambda chunk: _hash(chunk, seconds), chunks)))
    if unparsed := hashes.count(None):
        log.warning("%d programs are too deep or too long to parse: they are compared by their text.", unparsed)
    digests = {
        program: text_fingerprint(program) if digest is None else digest
        for program, digest in zip(distinct, hashes, strict=True)
    }
    return [digests[program] for program in programs]


def _hash(chunk: Sequence[str], seconds: float) -> list[str | None]:
    """Return the chunk's digests, None for each program at which two workers ended; another takes the rest.

    Two, because a worker may also have been killed from outside, for lack of memory say.
    """
    hashes: list[str | None] = []
    while len(hashes) < len(chunk):
        hashes += _hash_until_end(chunk[len(hashes) :], seconds)
        if len(hashes) < len(chunk):
            hashes += _hash_until_end([chunk[len(hashes)]], seconds) or [None]
    return hashes


def _hash_until_end(programs: Sequence[str], seconds: float) -> list[str]:
    """Return the digests that one worker sends before it ends."""
    hashes: list[str] = []
    with _worker() as pipe, suppress(EOFError, ConnectionError):
        pipe.send_bytes(json.dumps([seconds, programs]).encode())
        while len(hashes) < len(programs):
            hashes.append(pipe.recv_bytes().decode())
    return hashes


@contextmanager
def _worker() -> "Iterator[multiprocess.connection.Connection]":
    """The pipe to a new worker, which ends with the context."""
    ours, theirs = multiprocess.Pipe()
    with ours:
        with theirs:
            process = _start(theirs.fileno())
        try:
            _expect_ready(ours, process)
            yield ours
        finally:
            process.kill()
            process.wait()


def _start(descriptor: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-I", "-S", "-c", inspect.getsource(hash_worker), str(descriptor)]
    null = subprocess.DEVNULL
    try:
        return subprocess.Popen(command, pass_fds=[descriptor], stdin=null, stdout=null, stderr=null)
    except OSError as error:
        raise QprobeError(f"No process to parse programs could be started: {error}.") from error


def _expect_ready(pipe: "multiprocess.connection.Connection", process: "subprocess.Popen[bytes]") -> None:
    try:
        pipe.recv_bytes(len(READY))
    except (OSError, EOFError) as error:
        ending = f"{sys.executable} ended with status {process.wait()}"
        raise QprobeError(f"No process to parse programs could be started: {ending}.") from error
