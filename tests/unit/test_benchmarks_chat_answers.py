"""The program in a chat model's answer, however the answer is written in Markdown."""

import pytest

from benchmarks import Problem
from benchmarks.chat_answers import answered_program
from benchmarks.contests import Contest
from benchmarks.extraction import whole_program
from benchmarks.markdown import Block, fenced_blocks

ADD = Problem("f/1", 'def add(x: int) -> int:\n    """Return x plus two."""\n', "add", "assert add(1) == 3")
WHOLE = Problem("w/1", "Read two integers. Print their sum.\n", "", "", language="python")
SCRIPT = Problem("w/2", "Read two integers. Print their sum.\n", "", "", language="javascript")

RIGHT = "def add(x):\n    return x + 2\n"
WRONG = "def add(x):\n    return x + 1\n"
SUM = "a, b = map(int, input().split())\nprint(a + b)\n"
SUM_JS = "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);\n"


def added(program: str) -> int:
    """The value of `add(1)` in a program."""
    names: dict[str, object] = {}
    exec(program, names)
    return names["add"](1)  # type: ignore[operator]


def indented(text: str, by: str) -> str:
    return "".join(by + line for line in text.splitlines(keepends=True))


ADD_HELPED = "```python\ndef add(x):\n    return x + two()\n```\n"
FENCED = f"```python\n{RIGHT}```\n"
DOCUMENTED = (
    'def add(x):\n    """Add two.\n\n    Example:\n    ```python\n    >>> add(1)\n    3\n    ```\n    """\n'
    "    return x + 2\n"
)
LEFT_DOCUMENTED = 'def add(x):\n    """Add two.\n```\nadd(1)\n```\n    """\n    return x + 2\n'

FUNCTIONS = {
    "plain": f"Here it is:\n\n{FENCED}\nIt adds two.",
    "windows line ends": f"Here it is:\n\n{FENCED}\nDone.\n".replace("\n", "\r\n"),
    "old Macintosh line ends": f"Here it is:\n\n{FENCED}\nDone.\n".replace("\n", "\r"),
    "list item": "1. The function:\n\n" + indented(FENCED, "   ") + "\n2. It adds two.\n",
    "nested list items": "- One\n  - Two\n\n" + indented(FENCED, "    ") + "\n- Three\n",
    "wide list item": "10. The function:\n" + indented(FENCED, "    "),
    "fence on the line of the list marker": f"1. ```python\n{indented(RIGHT, '   ')}   ```\n",
    "code that leaves its list item": f"1. The function:\n\n   ```python\n{RIGHT}   ```\n\n2. It adds two.",
    "tabs before the fence": "The function:\n\n" + indented(FENCED, "\t"),
    "deep indentation without a list": "The function:\n" + indented(FENCED, "      "),
    "quote": indented(FENCED, "> "),
    "quote in a quote": "As you said:\n\n" + indented(FENCED, "> > "),
    "quote in a list": "- As you said:\n\n" + indented(indented(FENCED, "> "), "  "),
    "tildes": f"~~~python\n{RIGHT}~~~",
    "tildes around backticks": f"~~~python\n{DOCUMENTED}~~~",
    "more backticks": f"````python\n{DOCUMENTED.replace('    ```', '```')}````\n",
    "more backticks at the end": f"```python\n{RIGHT}`````\n",
    "attributes": f'```python title="add.py" linenums="1"\n{RIGHT}```\n',
    "braces": f"```{{.python .numberLines}}\n{RIGHT}```\n",
    "file name": f"```python:add.py\n{RIGHT}```\n",
    "space before the language": f"``` Python3\n{RIGHT}```\n",
    "no language": f"```\n{RIGHT}```\n",
    "wrong language": f"```text\n{RIGHT}```\n",
    "unclosed": f"Here:\n```python\n{RIGHT}",
    "unclosed and cut behind the function": f"Here:\n```python\n{RIGHT}\nprint(add(",
    "prose before the fence on its line": f"Here it is: ```python\n{RIGHT}```\nDone.",
    "code before the closing fence": f"```python\n{RIGHT.rstrip()}```\nDone.",
    "prose behind the closing fence": f"```python\n{RIGHT}``` That is all.\n",
    "one line": "Use ```python def add(x): return x + 2``` here.",
    "one line without a language": "```def add(x): return x + 2```",
    "tag behind the closing fence": f"<answer>```python\n{RIGHT}```</answer>",
    "raw HTML": f"<details>\n<summary>Code</summary>\n{FENCED}</details>\n",
    "document in a fence": f"````markdown\n# Answer\n\n{FENCED}````\n",
    "fences in a docstring": f"```python\n{DOCUMENTED}```\nDone.",
    "fences at the margin in a docstring": f"```python\n{LEFT_DOCUMENTED}```\nDone.",
    "corrected below": f"```python\n{WRONG}```\nNo, wait:\n{FENCED}",
    "usage below": f"{FENCED}\nUse it:\n```python\nprint(add(1))\n```\n",
    "test below that imports it": f"{FENCED}\n```python\nfrom solution import add\nassert add(1) == 3\n```\n",
    "imported function": "```python\nfrom operator import add\nadd = lambda x, add=add: add(x, 2)\n```\n",
    "example that imports what it lacks": (
        "```python\ndef add(x):\n    return math.floor(x) + 2\n```\n"
        "```python\nimport math\n```\n```python\nimport math\nprint(add(1))\n```\n"
    ),
    "two-column docstring with a fence": (
        '```python\ndef add(x):\n  """Add two.\n  ```\n  add(1)\n  ```\n  """\n  return x + 2\n```\n'
    ),
    "more backticks at the beginning": f"````python\n{RIGHT}```\nDone.",
    "byte order mark": f"\ufeff{FENCED}",
    "quotes as a fence": f"'''python\n{RIGHT}'''\n",
    "tags without a fence": f"<answer>{RIGHT}</answer>",
    "HTML without a fence": f"<pre><code>{RIGHT}</code></pre>",
    "a definition of a link": f"[a]: b\n{FENCED}",
    "an open comment": f"<!-- a\n{FENCED}",
    "output below": f"{FENCED}\n```\n3\n```\n",
    "shell below": f"{FENCED}\n```bash\npip install add\n```\n",
    "stub below": f"{FENCED}\nIts signature:\n```python\ndef add(x: int) -> int:\n    ...\n```\n",
    "incomplete below": f"{FENCED}\nIts signature:\n```python\ndef add(x: int) -> int:\n```\n",
    "helper above": f"```python\ndef two():\n    return 2\n```\nand\n{ADD_HELPED}",
    "helper below": f"{ADD_HELPED}with\n```python\ndef two():\n    return 2\n```\n",
    "helper of a helper": f"```\nTWO = 2\n```\n```\ndef two():\n    return TWO\n```\n{ADD_HELPED}",
    "import above": "```python\nimport math\n```\n```python\ndef add(x):\n    return x + math.floor(2.5)\n```\n",
    "future import": "```python\nfrom __future__ import annotations\n\ndef add(x: Unknown):\n    return x + 2\n```\n",
    "assigned function": "```python\nadd = lambda x: x + 2\n```\n",
    "conditional function": "```python\nif True:\n    def add(x):\n        return x + 2\n```\n",
    "no fence": f"Sure! This works:\n{RIGHT}\nIt adds two.",
    "no fence and prose that looks like code": f"import it as follows:\n{RIGHT}\nIt adds two.",
    "nothing but code": RIGHT,
    "indented by four": "The function:\n\n" + indented(RIGHT, "    ") + "\nIt adds two.",
    "body alone": "```python\n    return x + 2\n```\n",
    "body alone at the margin": "```python\nreturn x + 2\n```\n",
    "body without a fence": "    return x + 2\n",
    "a block opened by the prompt": f"{RIGHT}```\n\nIt adds two.\n",
}


@pytest.mark.parametrize("answer", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_the_function_is_found(answer: str):
    assert added(answered_program(ADD, answer)) == 3


@pytest.mark.parametrize("name", ["plain", "windows line ends", "list item", "future import", "helper above"])
def test_the_prompts_imports_come_before_it(name: str):
    problem = Problem("f/2", f"import math\n\n\n{ADD.prompt}", "add", ADD.tests)
    program = answered_program(problem, FUNCTIONS[name])
    assert "import math\n" in program
    assert added(program) == 3


def test_a_decorated_class_keeps_one_decorator():
    prompt = "from dataclasses import dataclass\n\n\n@dataclass\nclass Point:\n"
    problem = Problem("c/1", prompt, "Point", "")
    program = answered_program(problem, "```python\n@dataclass\nclass Point:\n    x: int = 1\n```\n")
    names: dict[str, object] = {"__name__": "program"}
    exec(program, names)
    assert program.count("@dataclass") == 1
    assert repr(names["Point"]()) == "Point(x=1)"  # type: ignore[operator]


def test_a_function_that_was_cut_is_not_completed():
    cut = "```python\ndef add(x):\n    if x < 0:\n        return 0\n    return (x +"
    assert answered_program(ADD, cut).endswith("return (x +")


WHOLES = {
    "alone": f"```python\n{SUM}```\n",
    "windows line ends": f"Here:\n```python\n{SUM}```\n".replace("\n", "\r\n"),
    "then a sample run": f"```python\n{SUM}```\n\nFor\n\n```\n1 2\n```\n\nit prints\n\n```\n3\n```\n",
    "then how to run it": f'```python\n{SUM}```\n\n```bash\necho "1 2" | python3 program.py\n```\n',
    "then a test in Python": (
        f"```python\n{SUM}```\nTest it:\n```python\nimport subprocess\n"
        'print(subprocess.run(["python3", "sum.py"], input="1 2", text=True, stdin=None).stdout)\n```\n'
    ),
    "then an example without a language": f"```\n{SUM}```\n\n```\n1 2\n```\n\n```\n3\n```\n",
    "then an annotated example": f"```\n{SUM}```\n\n```\nOutput: 3\n```\n",
    "then its table of values": f"```python\n{SUM}```\n\n```text\nx = 3\n```\n",
    "a sample before it": f"Given\n```\n1 2\n```\nthis prints 3:\n```python\n{SUM}```\n",
    "corrected below": f"```python\n{SUM.replace('+', '-')}```\nNo:\n```python\n{SUM}```\n",
    "a function and its driver": (
        "```python\ndef add(a, b):\n    return a + b\n```\n"
        "```python\na, b = map(int, input().split())\nprint(add(a, b))\n```\n"
    ),
    "explained line by line": (
        f"```python\n{SUM}```\nFirst\n```python\na, b = map(int, input().split())\n```\n"
        "then\n```python\nprint(a + b)\n```\n"
    ),
    "the same in another language": f"```python\n{SUM}```\n```cpp\nint main() {{ cin >> a; cout << a; }}\n```\n",
    "pseudocode before it": f"```\nread a, b\nprint a + b\n```\n```python\n{SUM}```\n",
    "a sketch before it": f"```python\ndef add(a, b):\n    return a + b\n```\nAs a program:\n```python\n{SUM}```\n",
    "in parts": "```python\na, b = map(int, input().split())\n```\nand then\n```python\nprint(a + b)\n```\n",
    "in a list item": "1. The program:\n\n" + indented(f"```python\n{SUM}```\n", "   "),
    "no fence": f"Here is the program.\n\n{SUM}\nIt prints the sum.",
    "nothing but code": SUM,
    "code with a fence in a docstring": f'"""\n```\n1 2\n```\n"""\n{SUM}',
    "cut behind a block": f"```python\n{SUM}```\n\nRun it:\n```",
}


@pytest.mark.parametrize("answer", WHOLES.values(), ids=list(WHOLES))
def test_the_whole_program_is_found(answer: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("builtins.input", lambda: "1 2")
    exec(answered_program(WHOLE, answer), {})
    assert capsys.readouterr().out == "3\n"


def test_the_whole_program_in_another_language():
    for answer in (
        f"```javascript\n{SUM_JS}```\n",
        f"```js\n{SUM_JS}```\n```\n3\n```\n",
        f"```\n{SUM_JS}```\n\n```\n1 2\n```\n",
        f"```js\n{SUM_JS}```\nIn Python it would be\n```python\n{SUM}```\n",
        f"```js\n{SUM_JS}```\n```sh\nnode sum.js\n```\n",
    ):
        assert answered_program(SCRIPT, answer) == SUM_JS
        assert whole_program(answer, (), "javascript") == SUM_JS


def test_a_contests_function_is_found_as_a_method_or_a_function():
    problem = Problem("c/1", "Add.", "add", "")
    method = "class Solution:\n    def add(self, x):\n        return x + 2\n"
    for answer in (f"```python\n{method}```\n```python\nprint(Solution().add(1))\n```\n", FENCED, method, RIGHT):
        assert added(Contest().program(problem, "", answer)) == 3


def test_blocks_know_their_language():
    text = "```Python3 x\na\n```\n~~~\nb\n~~~\n- ```{.js}\n  c\n  ```\n"
    assert fenced_blocks(text) == [Block("a\n", "python3"), Block("b\n"), Block("c\n", "js")]


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "Wait, let me check. ",
            "```\n",
            "```python\nx\n",
            "> ",
            "- ",
            "1. a\n",
            "import a b\n",
            "`",
            "~~~\n",
            "(",
            "\r\n",
        ),
        *("x = '''\n", "[a]: b\n", "* - + ", "def add(x):\n", "    ```\n", "```\ndef add(x):\n```\n", "\t", "<!--\n"),
    ],
)
def test_a_long_answer_is_read_once(piece: str):
    """Half a million characters: reading in time that grows with the square of the length would take an hour."""
    answer = piece * (500_000 // len(piece))
    assert isinstance(answered_program(ADD, answer), str)
    assert isinstance(answered_program(WHOLE, answer), str)
