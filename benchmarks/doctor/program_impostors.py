"""Whole programs that must not pass, in every language: they know nothing, or only the cases in the prompt."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.problem import Problem
from sandbox.cases import Case, cases_of


class Phrases(NamedTuple):
    """The parts of impostors in one language. A JSON string is a string literal in each of the languages."""

    say: Callable[[str], str]  # a program that prints a given text
    echo: str  # a program that prints its input
    look_up: Callable[[str], str]  # a program that prints the entry of a table for its input, or else the last entry
    cheats: dict[str, str]  # programs that deceive a careless grader


def _python_table(table: str) -> str:
    return f"import sys\nTABLE = {table}\nprint(TABLE.get(sys.stdin.read(), list(TABLE.values())[-1]))\n"


def _javascript_table(table: str) -> str:
    return (
        f"const table = {table};\nconst given = require('fs').readFileSync(0, 'utf8');\n"
        "console.log(given in table ? table[given] : Object.values(table).pop());\n"
    )


PHRASES = {
    "python": Phrases(
        lambda text: f"print({json.dumps(text)})\n",
        "import sys\nprint(sys.stdin.read())\n",
        _python_table,
        {
            "leaves at once": "import os\nos._exit(0)\n",
            "writes to every descriptor": (
                "import os\nfor fd in range(64):\n    try:\n        os.write(fd, b'passed\\x01')\n"
                "    except OSError:\n        pass\n"
            ),
            "patches the comparison": (
                "import sys\nfor name, module in list(sys.modules.items()):\n"
                "    for attribute in ('difference', 'examine'):\n"
                "        if name.startswith('guest') and hasattr(module, attribute):\n"
                "            setattr(module, attribute, lambda *_: '')\n"
            ),
        },
    ),
    "javascript": Phrases(
        lambda text: f"console.log({json.dumps(text)});\n",
        "process.stdout.write(require('fs').readFileSync(0));\n",
        _javascript_table,
        {
            "leaves at once": "process.exit(0);\n",
            "writes to every descriptor": (
                "for (let fd = 0; fd < 64; fd++) {\n  try { require('fs').writeSync(fd, 'passed\\x01'); } catch {}\n}\n"
            ),
            "patches objects": "Object.prototype.valueOf = Object.prototype.toString = () => 'passed';\n",
        },
    ),
}


def empty(_problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield the empty program."""
    yield "no program", ""


def constant(problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield programs that always print the same, or their input."""
    phrases = PHRASES[problem.language]
    expected = Counter(case.output.strip() for case in cases_of(problem.tests)).most_common(1)
    for text in dict.fromkeys(["0", "1", "-1", "YES", "NO", *(text for text, _ in expected)]):
        yield f"print {text[:20]!r}", phrases.say(text)
    yield "print its input", phrases.echo


def knowing(problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield a program that looks up the cases that the prompt shows."""
    if shown := cases_in_prompt(problem):
        table = json.dumps(dict(shown))
        yield f"a table of {len(shown)} shown cases", PHRASES[problem.language].look_up(table)


def cheating(problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield programs that try to pass without an answer."""
    yield from PHRASES[problem.language].cheats.items()


def cases_in_prompt(problem: Problem) -> list[Case]:
    """Return the cases whose input and output are both in the prompt."""
    return [
        case
        for case in cases_of(problem.tests)
        if all(text.strip() and text.strip() in problem.prompt for text in case)
    ]
