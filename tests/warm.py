"""`qprobe` in a separate process that need not import torch and transformers, which takes seconds each time.

A server imports the dependencies once, and forks for each call; the child has the caller's arguments, environment,
folder and open files, imports the project's packages anew, and runs the command line as `python -m harness` would.
"""

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

SECONDS = 300
"""A call that takes longer is ended by SIGALRM."""
LENGTH = 4
"""Bytes that say how long the request is, and as many that bring the exit status."""


def call(
    server: str, arguments: Sequence[str], folder: str, environment: Mapping[str, str], files: Sequence[int] = (0, 1, 2)
) -> int:
    """Run a command in a child of the server and return its exit status, negative for the signal that ended it.

    `server` is the path of its socket; `files` become the command's standard input, output and error.
    """
    request = json.dumps([list(arguments), folder, dict(environment)]).encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(server)
        socket.send_fds(line, [len(request).to_bytes(LENGTH, "big")], files)
        line.sendall(request)
        status = line.recv(LENGTH, socket.MSG_WAITALL)
    if len(status) < LENGTH:
        raise ConnectionError("the server that runs commands has ended: it says why on standard error")
    return int.from_bytes(status, "big", signed=True)


def serve(listener: socket.socket) -> None:
    """Answer calls until standard input ends, which it does when the process that started the server ends."""
    _import_what_is_slow()
    gc.freeze()  # what is there already is never looked through again, and so not copied into the children
    running: dict[int, tuple[ForkProcess, socket.socket]] = {}
    while sys.stdin not in (ready := wait([listener, sys.stdin, *running])):
        for ready_object in ready:
            if ready_object is listener:
                process, line = _started(listener)
                running[process.sentinel] = process, line
            else:
                process, line = running.pop(ready_object)
                process.join()
                with line, suppress(OSError):  # the caller may have gone
                    line.sendall((process.exitcode or 0).to_bytes(LENGTH, "big", signed=True))


def _import_what_is_slow() -> None:
    import docker  # noqa: F401
    import torch  # noqa: F401
    import typer  # noqa: F401
    from transformers import AutoModel, AutoTokenizer, BertModel, LlamaForCausalLM  # noqa: F401


def _started(listener: socket.socket) -> tuple[ForkProcess, socket.socket]:
    """Start the requested command and return it, with the socket on which its caller waits."""
    line, _ = listener.accept()
    head, files, _, _ = socket.recv_fds(line, LENGTH, 3)
    request = json.loads(line.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
    process = ForkProcess(target=_become, args=(files, *request))
    process.start()
    for file in files:
        os.close(file)
    return process, line


def _become(files: Sequence[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be the command."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    signal.alarm(SECONDS)
    sys.argv = ["qprobe", *arguments]
    sys.path[0] = folder
    from harness.commands.main import main

    main()


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(socket.socket(fileno=int(sys.argv[2])))
    else:
        sys.exit(call(sys.argv[1], sys.argv[2:], str(Path.cwd()), os.environ))
