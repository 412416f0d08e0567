"""The languages that whole programs may be written in, and how a program is run in each."""

from typing import NamedTuple


class Language(NamedTuple):
    """One language. Whatever interpreter it needs, the image must have."""

    file: str  # where the program is written, in the room; "" where it is run without
    command: tuple[str, ...]  # what runs it; () for this interpreter, which needs no start
    greeting: str  # a program that prints "ready"
    reserved_bytes: int = 0  # address space that the interpreter takes and does not use, on top of a program's memory


LANGUAGES = {
    "python": Language("", (), "print('ready')"),
    # With a seed of its own the interpreter would draw other numbers each time, and a verdict might change.
    "javascript": Language(
        "program.js", ("node", "--random-seed=1", "program.js"), "console.log('ready')", 640 * 2**20
    ),
}
