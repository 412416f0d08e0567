"""The candidate's process where a whole program runs: standard input, standard output, and nothing else.

What examiner and candidate say to one another is over before the program begins: the program's end of the channel is
closed by then, so nothing that it does can be taken for a word of ours.
"""

import builtins
import gc
import os
import signal
import sys
import types
from contextlib import suppress
from typing import Any, NoReturn

from .candidate import SourceError, compile_program
from .channel import Channel
from .languages import LANGUAGES, Language

SYNTAX, MISSING = "syntax", "missing"
"""What may be said instead of running: why the program does not compile, or what the image does not have."""

_OWN_FRAMES = 16
"""Frames of the guest below a program's first: it must be able to go as deep as if there were none."""

_FLUSH_FAILED = 120  # what Python exits with where it cannot write the rest


def run(channel: Channel) -> NoReturn:
    """Take a program off the channel, and be it. Its streams are 0, 1 and 2."""
    name, source = channel.receive()
    language = LANGUAGES[name]
    if language.command:
        _become(language, source, channel)
    try:
        code = compile_program(source)
    except SourceError as error:
        channel.send([SYNTAX, str(error)])
        os._exit(1)
    channel.close()
    os._exit(_main(code))


def _become(language: Language, source: str, channel: Channel) -> NoReturn:
    """Replace this process by the language's interpreter; the channel closes with that."""
    with open(language.file, "w", encoding="utf-8", errors="surrogatepass") as file:  # noqa: PTH123 - see clocks.py
        file.write(source)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would what it starts
        signal.signal(number, signal.SIG_DFL)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    with suppress(OSError):
        os.execvpe(language.command[0], language.command, environment)
    channel.send([MISSING, language.command[0]])
    os._exit(1)


def _main(code: types.CodeType) -> int:
    """Run a Python program as the interpreter would. Returns its exit code."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program.py"]
    names = module.__dict__
    names.update(__file__="program.py", __builtins__=builtins)
    for name in ("exit", "quit"):  # made by `site`, which is not loaded
        setattr(builtins, name, sys.exit)
    sys.setrecursionlimit(sys.getrecursionlimit() + _OWN_FRAMES)
    try:
        exec(code, names)
        return _end(names, 0)
    except SystemExit as error:
        return _end(names, _exit_code(error.code))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the interpreter would print it
        below = error.__traceback__.tb_next if error.__traceback__ else None  # from the program's first frame on
        sys.excepthook(type(error), error, below)
        return _end(names, 1)


def _exit_code(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _end(names: dict[str, Any], code: int) -> int:
    """What the interpreter does at its end: wait for threads, call what was registered, write what waits."""
    import atexit  # by few programs' ends only, but it is built in

    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    failed = not _flush()
    names.clear()  # files that the program opened are written when they are collected
    gc.collect()
    return _FLUSH_FAILED if failed or not _flush() else code


def _flush() -> bool:
    """Write what waits in the standard streams. Returns whether standard output took it."""
    with suppress(Exception):
        sys.stderr.flush()
    try:
        if not sys.stdout.closed:
            sys.stdout.flush()
    except Exception:  # noqa: BLE001 - it may be an object of the program's own
        return False
    return True
