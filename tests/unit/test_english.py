"""The text of this repository keeps the rules in tests/english.py, and the rules tell good text from bad."""

from collections import Counter

import pytest
import typer

from harness.commands.main import app
from tests.english import REPOSITORY, all_breaches, breaches, help_breaches

BACKLOG = REPOSITORY / "tests/english_backlog.txt"
"""Files and help texts that are not yet cleaned, one per line. The list may only shrink."""


def test_the_rules_hold():
    backlog = set(BACKLOG.read_text(encoding="utf-8").splitlines()) if BACKLOG.exists() else set()
    new = [str(breach) for breach in all_breaches(app) if breach.path not in backlog]
    assert not new, "\n".join(["", *new])


BAD = [
    "An error of ours.",
    "Each has a stream of its own.",
    "They have folders of their\nown.",
    "Somebody else drew it.",
    "Nobody knows.",
    "For whoever asks.",
    "The user can mend it.",
    "It mends itself.",
    "The run goes\n    on where it stopped.",
    "None where there is none.",
    "The skyline.",
    "Rewards are dealt anew.",
    "A broom sweeps the room.",
    "Vectors on a shelf.",
    "k programs a problem",
    "It samples 20 programs\na problem.",
    "100 samples a problem",
    "One file an objective.",
    "a row a sample",
    "Settings, one a line.",
]
GOOD = [
    "The headroom is small; we recommend this.",
    "A probe gives a sample a score.",
    "The samples of a problem.",
    "One is a problem, and one has a vector.",
    "Its own folder.",
    "Somehow the broomstick is ideal.",
    "Many programs. A problem has k of them.",
    "It continues, and there is no other.",
]


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("name", ["page.md", "string.py", "comment.py", "docstring.py"])
def test_bad_text_is_found(text: str, name: str):
    assert len(list(breaches(name, source(name, text)))) >= 1


@pytest.mark.parametrize("text", GOOD)
@pytest.mark.parametrize("name", ["page.md", "string.py", "comment.py", "docstring.py"])
def test_good_text_is_left_alone(text: str, name: str):
    assert list(breaches(name, source(name, text))) == []


def source(name: str, text: str) -> str:
    """A file of that kind with that text on its third line."""
    lines = {
        "page.md": f"# Title\n\n{text}\n",
        "string.py": f"x = 1\n\nraise ValueError(f{text!r} f'{{x}}')\n",
        "comment.py": "x = 1\n\n" + "\n".join(f"# {line.strip()}" for line in text.splitlines()) + "\ny = 2\n",
        "docstring.py": f'x = 1\n\n"""{text}"""\n',
    }
    return lines[name]


def test_a_breach_has_its_line():
    for name in ("page.md", "string.py", "comment.py", "docstring.py"):
        assert [breach.line for breach in breaches(name, source(name, "A skyline."))] == [3]


def test_names_in_code_are_not_text():
    assert list(breaches("names.py", "room = nobody(whoever=1)\n")) == []


@pytest.mark.parametrize("word", ["What", "Whether", "How", "Which", "Where"])
def test_no_docstring_is_an_indirect_question(word: str):
    code = f'''"""{word} it is."""\nclass A:\n    """{word} it is."""\n    x = 1\n    """{word} it is."""\n'''
    code += f'''    def f(self):\n        """\n        {word} it is."""\n        return "{word} it is."\n'''
    assert [breach.line for breach in breaches("questions.py", code)] == [1, 3, 5, 7]
    assert list(breaches("nouns.py", code.replace(f"{word} it is", "The whole"))) == []


def test_help_texts_stand_alone():
    wrong = typer.Typer()

    @wrong.command()
    def first(
        name: str = typer.Argument(help="of the run"),
        seed: int = typer.Option(0, help="but not so large"),
        fine: int = typer.Option(0, help="offset of the first line"),
    ) -> None:
        """And so on."""

    @wrong.command()
    def second() -> None:
        """Do it."""

    paths = Counter(breach.path for breach in help_breaches(wrong))
    assert paths == Counter(["qprobe first", "qprobe first name", "qprobe first --seed"])
