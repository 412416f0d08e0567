"""Reasoning is removed from answers, whichever way a model marks it."""

import pytest

from benchmarks import Problem
from benchmarks.chat_answers import answered_program
from benchmarks.reasoning import without_reasoning

IDEA = "First idea:\n```python\ndef add(x):\n    return x + 1\n```\nThat is wrong.\n"
RIGHT = "def add(x):\n    return x + 2\n"
ANSWER = f"```python\n{RIGHT}```\n"
ADD = Problem("f/1", 'def add(x: int) -> int:\n    """Return x plus two."""\n', "add", "assert add(1) == 3")

SECTIONS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<Thought>\n", "\n</Thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<analysis>", "</analysis>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ('<think time="3 s">', "</think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>\n<|begin_of_solution|>"),
    ("<|think|>", "<|/think|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final <|constrain|>code<|message|>"),
    ("analysisWe need to add. ", "assistantfinal"),
    ("Here is my thought process:\n", "Here is my response:\n"),
]


@pytest.mark.parametrize(("begin", "end"), SECTIONS)
def test_the_answer_behind_the_reasoning_counts(begin: str, end: str):
    assert answered_program(ADD, f"{begin}{IDEA}{end}\n{ANSWER}") == RIGHT
    assert answered_program(ADD, f"\n{begin}{IDEA}{end}{ANSWER}") == RIGHT


@pytest.mark.parametrize(("begin", "end"), SECTIONS)
def test_reasoning_without_an_end_leaves_nothing(begin: str, end: str):
    assert without_reasoning(f"{begin}{IDEA}").strip() == ""


@pytest.mark.parametrize("end", ["</think>", "</thought>", "</seed:think>", "[/THINK]", "◁/think▷", "<|END_THINKING|>"])
def test_the_chat_template_may_have_opened_the_section(end: str):
    assert answered_program(ADD, f"{IDEA}{end}\n{ANSWER}") == RIGHT
    assert answered_program(ADD, f"Let me see.\n```python\ndef add(x):\n    return\n{end}\n{ANSWER}") == RIGHT


def test_several_sections():
    assert without_reasoning("a <think>b</think> c <think>d</think> e") == "a  c  e"
    assert without_reasoning("<think>a<think>b</think>c</think>e") == "e"
    assert without_reasoning("<think>a</think>b<thought>c") == "b"
    assert without_reasoning("<thinking>a</think>b") == "b", "another end is better than none"
    assert without_reasoning("opened in the prompt</think> e") == " e"


@pytest.mark.parametrize(
    "answer",
    [
        "Use `<think>` for the reasoning.\n",
        'The tags are "<think>" and "</think>".\n',
        "```python\nreturn re.sub(r'<think>.*?</think>', '', text)\n```\n",
        '```python\nTEXT = """\n<p><think>a</think></p>\n"""\n```\n',
        "```xml\n<a><reasoning>b</reasoning></a>\n```\n",
        "a < think > b\n",
        "x[THINKING_TIME] <|im_start|>\n",
        "analysis\nof the problem\n",
    ],
)
def test_tags_that_are_part_of_the_answer_stay(answer: str):
    assert without_reasoning(answer) == answer
    assert without_reasoning(f"<think>{IDEA}</think>{answer}") == answer


def test_code_that_handles_such_tags_is_found_behind_reasoning():
    program = 'def add(x):\n    return x + 2 if "</think>" else len("<think>")\n'
    assert answered_program(ADD, f"<think>{IDEA}</think>\n```python\n{program}```\n") == program


@pytest.mark.parametrize(
    "piece",
    [
        *("Wait, let me check. ", "<think>\n", "</think>\n", "<think>a</think>", "'<think>a</think>'", "<", "```\n"),
        *("<|channel|>", "<|channel|>a", "<think ", "<a:", "[THINK]", "◁", "<|a", "\n", " ", "</", "Here is my ", "> "),
    ],
)
def test_a_long_answer_is_read_once(piece: str):
    """Two million characters: a search whose time grows with the square of the length would take hours."""
    assert isinstance(without_reasoning(piece * (2_000_000 // len(piece))), str)
    assert isinstance(without_reasoning("<think>" + piece * (2_000_000 // len(piece))), str)
