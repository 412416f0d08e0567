"""The mechanical rules for English in this repository: `python -m tests.english [PATH ...]` prints every breach.

Words are checked in docstrings, comments, string literals and text files; beginnings in docstrings and help texts. Data
is exempt: benchmark problems, recorded results, the corpus of cheating programs, the phrases of the mini benchmark.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

if TYPE_CHECKING:
    import click

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("harness", "benchmarks", "sandbox", "qprobe", "scripts", "tests", "docs", ".ci")
SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".txt", ".toml", ".yml", ".cff"}
NAMES = {"Makefile", "run"}
DATA = ("benchmarks/errata", "scripts/mini/families", "scripts/mini/parts.toml", "tests/corpus")
OWN = ("tests/english.py", "tests/unit/test_english.py", "tests/english_backlog.txt")

BODY = "some|any|every|no"
UNIT = (
    "problem sample program probe completion token group batch minibatch epoch feature vector layer view row line file"
    " fold core worker guest job run test second objective stage model request word byte node page table set"
).replace(" ", "|")
NOUN = (
    r"samples|programs|completions|problems|tokens|vectors|numbers|groups|batches|epochs|rows|bytes|tests|seconds|times"
)
OTHER = r"(?!(?:is|was|has|as|in|of|on|for|to|by|at|with|from|makes|or|and|that|not|than|while|where|when|if|per)\b)"
A = r"(?-i:an?)"  # in lower case: not the first word of a sentence
WORDS = {
    r"of\s+ours": "built-in, or name the thing",
    r"of\s+(?:its|their|his|your|one's)\s+own": "its own x, or separate",
    rf"(?:{BODY})body(?!:)|whoever|whomever": "a user, a caller, nothing",
    r"mend(?:s|ed|ing|able)?": "fix",
    r"(?:go|goes|went|going)\s+on": "continue, resume, happen",
    r"there\s+(?:is|are|was|were)\s+none": "say what is missing",
    r"skylines?": "oracle",
    r"deals?|dealt|dealing": "permute, permutation",
    r"rooms?": "isolation, sandbox",
    r"shelf|shelves|shelved": "vector store, shard",
    r"brooms?": "reap, clean up",
    r"bury|buries|buried|begets?|begot|begotten": "end, start",
    rf"(?:{NOUN}|one)\s+{A}\s+(?:{UNIT})": "per",
    rf"(?:an?|one|k|\d[\d,]*)\s+{OTHER}\w+\s+{A}\s+(?:{UNIT})": "per",
}
PATTERNS = {re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): advice for pattern, advice in WORDS.items()}
QUESTION = re.compile(r"\s*(?:What|Whether|How|Which|Who|Where|When|Why)\b")
FRAGMENT = re.compile(r"\s*(?:of|but|and)\s", re.IGNORECASE)


class Breach(NamedTuple):
    """One place where a rule is broken."""

    path: str  # relative to the repository, or the command line of a help text
    line: int
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text!r} ({self.advice})"


def files() -> Iterator[Path]:
    """Yield every file with prose of this repository."""
    top = [path for path in REPOSITORY.iterdir() if path.is_file()]
    below = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*")]
    for path in sorted([*top, REPOSITORY / "results/README.md", *below]):
        name = path.relative_to(REPOSITORY).as_posix()
        is_prose = path.suffix in SUFFIXES or path.name in NAMES
        if path.is_file() and is_prose and not name.startswith(DATA) and name not in OWN:
            yield path


def all_breaches(app: typer.Typer) -> Iterator[Breach]:
    """Yield the breaches of every file and of every help text."""
    for path in files():
        yield from breaches(path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8"))
    yield from help_breaches(app)


def breaches(name: str, source: str) -> Iterator[Breach]:
    """Yield the breaches in a file of that name with that text."""
    is_python = name.endswith(".py")
    passages = list(python_passages(source)) if is_python else [(1, source)]
    for first, text in passages:
        for pattern, advice in PATTERNS.items():
            for match in pattern.finditer(text):
                line = first + text.count("\n", 0, match.start())
                yield Breach(name, line, " ".join(match[0].split()), advice)
    if is_python:
        for first, text in docstrings(source):
            if match := QUESTION.match(text):
                yield Breach(name, first, f"{text.strip()[:40]}...", "a noun or an imperative, not a question")


def python_passages(source: str) -> Iterator[tuple[int, str]]:
    """Yield the first line and the text of every string and of every block of comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if block and token.start[0] != last + 1:
                yield last + 1 - len(block), "\n".join(block)
                block = []
            block.append(token.string.lstrip("#: "))
            last = token.start[0]
    if block:
        yield last + 1 - len(block), "\n".join(block)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every docstring, those of fields and constants included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def help_breaches(app: typer.Typer) -> Iterator[Breach]:
    """Yield the help texts of commands, arguments and options that cannot stand alone."""
    for words, command in _commands(typer.main.get_command(app), ("qprobe",)):
        texts = {"": command.help or ""}
        for parameter in command.params:
            texts[parameter.opts[0]] = getattr(parameter, "help", "") or ""
        for name, text in texts.items():
            if FRAGMENT.match(text):
                yield Breach(" ".join((*words, name)).strip(), 1, text, "a text that stands alone")


def _commands(command: "click.Command", words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], "click.Command"]]:
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, (*words, name))


def main() -> None:
    """Print every breach, or those below the paths on the command line."""
    from harness.commands.main import app

    prefixes = tuple(sys.argv[1:]) or ("",)
    for breach in all_breaches(app):
        if breach.path.startswith(prefixes):
            print(breach)


if __name__ == "__main__":
    main()
