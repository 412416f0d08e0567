"""The languages of stdin/stdout programs, and how a program is run in each."""

from typing import NamedTuple


class Language(NamedTuple):
    """One language. The image must have the interpreter it needs."""

    file: str  # where the program is written; "" where it is run without a file
    command: tuple[str, ...]  # what runs it; () for this interpreter, which needs no start
    greeting: str  # a program that prints "ready"
    reserved_bytes: int = 0  # address space that the interpreter takes and does not use, on top of a program's memory


LANGUAGES = {
    # Competitors ask for stacks of 512 MiB, of which little is used; what is used is bounded by the container.
    "python": Language("", (), "print('ready')", 640 * 2**20),
    # With a random seed the interpreter would draw other numbers each time, and a verdict might change.
    "javascript": Language(
        "program.js", ("node", "--random-seed=1", "program.js"), "console.log('ready')", 640 * 2**20
    ),
}
