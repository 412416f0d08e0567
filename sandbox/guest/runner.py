"""The candidate's process where a whole program runs: standard input, standard output, and nothing else.

What examiner and candidate say to one another is over before the program begins: the program's end of the channel is
closed by then, so nothing that it does can be taken for a message of the guest.

A Python program runs at the top of the interpreter that the supervisor was started with, after all frames of the guest
are gone: an exception, an exit, threads and what was registered for the end are handled by the interpreter itself,
so exit codes are those of `python program.py`.
"""

import _weakref
import atexit
import builtins
import gc
import os
import signal
import sys
import types
from contextlib import suppress
from typing import Any, NoReturn

from . import endless
from .candidate import SourceError, compile_program
from .channel import Channel
from .languages import LANGUAGES, Language

SYNTAX, MISSING = "syntax", "missing"
"""Sent instead of running: why the program does not compile, or what the image does not have."""

_FILE = "program.py"
_ASK_FOR_FILE = ("__file__", "argv", "inspect", "traceback", "linecache", "multiprocessing", "concurrent", "runpy")
"""Words of programs that may look for their own file."""

_RECURSION_LIMIT = sys.getrecursionlimit()  # before anything here has changed it
_LONG_BITS = 63
_FLUSH_FAILED = 120  # Python's exit code where it cannot write the rest

_TOP_FRAMES = 6
"""Frames and calls of C below the first frame of a program: it must be able to go as deep as without them."""


class StartProgram(BaseException):
    """Leaves all frames of the guest in a candidate; the top of the interpreter catches it and runs the code."""

    def __init__(self, code: types.CodeType, names: dict[str, Any]) -> None:
        """`names` are the globals of the program's `__main__`."""
        super().__init__()
        self.code = code
        self.names = names


def start(channel: Channel) -> NoReturn:
    """Take a program off the channel, and become it. Its streams are 0, 1 and 2. Raises StartProgram."""
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
    endless.watch(source, _FILE, may_print=False)
    raise StartProgram(_in_file(code), _main_names(source))


def run_program(programs: list[tuple[types.CodeType, dict[str, Any]]]) -> None:
    """Run the one program in the list, which is empty afterwards.

    An uncaught exception is left to the interpreter. Other ends are short ways to the same: the interpreter would take
    its own modules apart too, and in a forked process, where every page it touches is copied, that costs most.
    """
    code, names = programs.pop()
    try:
        exec(code, names)
        exit_code = 0
    except _EXIT as error:
        if type(error) is not _EXIT or (error.code is not None and type(error.code) is not int):
            raise
        exit_code = error.code or 0
        if exit_code.bit_length() > _LONG_BITS:
            raise
    del code, names  # or its objects would outlive it
    os._exit(_end() or exit_code & 0xFF)


_EXIT = SystemExit  # which a program may replace


def _end() -> int:
    """Do what `Py_FinalizeEx` does with a program. Returns its exit code, or 0 for the program's."""
    threading: Any = sys.modules.get("threading")
    with suppress(BaseException):
        threading._shutdown()
    atexit._run_exitfuncs()
    failed = _flush()
    main = _weakref.ref(sys.modules.pop("__main__", sys))
    gc.collect()
    if main() not in (None, sys):
        names = main().__dict__
        for private in (True, False):
            for name in [name for name in names if _is_private(name) is private and name != "__builtins__"]:
                names[name] = None
        gc.collect()
    return _FLUSH_FAILED if _flush() or failed else 0


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _flush() -> bool:
    """Flush the standard streams. Returns whether one of them failed."""
    failed = False
    for name in ("stdout", "stderr"):
        file = getattr(sys, name, None)
        try:
            if file is not None and not file.closed:
                file.flush()
        except BaseException:  # noqa: BLE001 - it may be an object of the program
            failed = True
    return failed


def _become(language: Language, source: str, channel: Channel) -> NoReturn:
    """Replace this process by the language's interpreter; the channel closes with that."""
    _write(language.file, source)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would what it starts
        signal.signal(number, signal.SIG_DFL)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    with suppress(OSError):
        os.execvpe(language.command[0], language.command, environment)
    channel.send([MISSING, language.command[0]])
    os._exit(1)


def _in_file(code: types.CodeType) -> types.CodeType:
    """The same code, as if compiled from the program's file."""
    constants = tuple(_in_file(item) if isinstance(item, types.CodeType) else item for item in code.co_consts)
    return code.replace(co_filename=_FILE, co_consts=constants)


def _main_names(source: str) -> dict[str, Any]:
    """The globals of a new `__main__`."""
    if any(word in source for word in _ASK_FOR_FILE):
        _write(_FILE, source)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = [_FILE]
    names = module.__dict__
    names.update(__file__=_FILE, __builtins__=builtins)
    for name in ("exit", "quit"):  # made by `site`, which is not loaded
        setattr(builtins, name, sys.exit)
    sys.setrecursionlimit(_RECURSION_LIMIT + _TOP_FRAMES)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return names


def _write(path: str, source: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:  # noqa: PTH123 - see processes.py
        file.write(source)
