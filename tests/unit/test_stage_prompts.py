"""Prompts and answers: what a model is shown, and the program in what it says."""

from pathlib import Path

import pytest

from benchmarks import BenchmarkError, Problem
from benchmarks.chat_answers import answered_program
from benchmarks.markdown import fenced_blocks
from benchmarks.prompt import Prompt
from benchmarks.prompts import open_prompt
from benchmarks.python_source import compiles
from benchmarks.reasoning import without_reasoning
from benchmarks.registry import open_benchmark
from harness.errors import QprobeError
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.prompts import find_prompt
from sandbox import Outcome, Status

ASKED = Problem("a/1", 'from typing import List\n\n\ndef f(x: List[int]):\n    """Sum."""\n', "f", "assert f([1]) == 1")
HEAD = "from typing import List\n\n\n"
WHOLE = "def f(x: List[int]):\n    return sum(x)\n"


def fenced(*programs: str, language: str = "python") -> str:
    return "Here:\n" + "\n\nand\n".join(f"```{language}\n{program}```" for program in programs) + "\nDone."


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (fenced(WHOLE), HEAD + WHOLE),
        (fenced(WHOLE, language=""), HEAD + WHOLE),
        (fenced(WHOLE).removesuffix("```\nDone."), HEAD + WHOLE),
        (fenced("print(f([1]))\n", WHOLE), HEAD + WHOLE),
        (fenced("def f(x:\n", WHOLE), HEAD + WHOLE),
        (fenced(WHOLE, "assert f([2]) == 2\n"), HEAD + WHOLE),
        (fenced("    return sum(x)\n"), ASKED.prompt + "    return sum(x)\n"),
        (f"<think>Try ```python\ndef f(x): pass\n```</think>{fenced(WHOLE)}", HEAD + WHOLE),
        (f"Let me see.\n```python\ndef f(x): pass\n```\n</think>\n{fenced(WHOLE)}", HEAD + WHOLE),
        (f"Sure! This works:\n{WHOLE}\nIt sums the list.", HEAD + WHOLE),
        (fenced("def g(x):\n    return x\n"), "def g(x):\n    return x\n"),
        ("~~~python\n" + WHOLE + "~~~", HEAD + WHOLE),
    ],
)
def test_the_program_is_found_in_an_answer(answer: str, program: str):
    assert answered_program(ASKED, answer).rstrip() == program.rstrip()


def test_reasoning_that_never_ends_leaves_nothing():
    assert without_reasoning("<think>I should\n```python\ndef f(): pass\n```") == ""
    assert without_reasoning("a <think>b</think> c <think>d</think> e") == "a  c  e"
    assert without_reasoning("opened in the prompt</think> e") == " e"


def test_answers_of_nothing_are_programs_of_nothing():
    for answer in ("", "I cannot.", "```", "```python\n```", "<think>"):
        assert isinstance(answered_program(ASKED, answer), str)
    assert fenced_blocks("no block") == []
    assert not compiles("\x00")


def test_a_whole_program_is_the_last_block():
    whole = Problem("w/1", "Read a number.", "", "", language="python")
    assert answered_program(whole, fenced("x = 1\n", "print(input())\n")) == "print(input())\n"


@pytest.fixture
def mbpp(shared_data: Path) -> str:
    return f"mbpp:{shared_data / 'mbpp' / 'mbpp.jsonl'}"


def asked(benchmark: str, number: str) -> Problem:
    return next(problem for problem in open_benchmark(benchmark).problems() if problem.id == number)


def test_the_papers_prompts(mbpp: str):
    problem = asked(mbpp, "MBPP/11")
    prompt = open_prompt("paper", open_benchmark(mbpp))
    assert prompt.identity == "mbpp/paper v1"
    assert prompt.render(problem).startswith('"""\nWrite a python function to remove first and last')
    assert prompt.render(problem).endswith('== "heo"\n"""\n')
    assert (
        prompt.extract(problem, "def remove_Occ(s, c):\n    return s\nprint(1)")
        == "def remove_Occ(s, c):\n    return s"
    )
    humaneval = open_benchmark("humaneval")
    first = humaneval.problems()[0]
    assert open_prompt("paper", humaneval).render(first) == first.prompt


def test_fewshot_shows_the_authors_problems_solved(mbpp: str):
    problem = asked(mbpp, "MBPP/11")
    prompt = open_prompt("fewshot-3", open_benchmark(mbpp))
    shown = prompt.render(problem)
    assert shown.endswith(problem.prompt)
    for number in ("MBPP/2", "MBPP/3", "MBPP/4"):
        shot = asked(mbpp, number)
        assert shot.prompt + shot.solution.rstrip() in shown
    assert asked(mbpp, "MBPP/1").prompt not in shown
    assert prompt.identity != open_prompt("fewshot-4", open_benchmark(mbpp)).identity
    assert asked(mbpp, "MBPP/2").solution not in prompt.render(asked(mbpp, "MBPP/2")), "its own solution is not shown"
    with pytest.raises(BenchmarkError, match="mbpp has 10 problems to show in a prompt"):
        open_prompt("fewshot-11", open_benchmark(mbpp))
    with pytest.raises(BenchmarkError, match="humaneval has no split of problems to show"):
        open_prompt("fewshot-3", open_benchmark("humaneval"))


def test_a_chat_is_asked_for_the_function():
    prompt = open_prompt("chat", open_benchmark("humaneval"))
    problem = open_benchmark("humaneval").problems()[0]
    assert prompt.chat
    assert (prompt.stops(problem), prompt.identity) == ((), "humaneval/chat v2")
    assert f"function `{problem.entry_point}`" in prompt.render(problem)
    assert prompt.extract(problem, fenced("def has_close_elements(a, b):\n    return 1\n")).startswith("from typing")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A graded run of three training problems; two have samples that passed."""
    with Store(tmp_path / "train", create=True) as store:
        store.add_problems(
            Problem(f"T/{n}", f"def t{n}():\n", f"t{n}", "assert True", split="train", stop=("\ndef",))
            for n in range(3)
        )
        drawn = [Completion(f"T/{n}", i, "", "", f"def t{n}():\n    return {i}\n") for n in range(3) for i in range(3)]
        store.add_completions(drawn)
        passed = {("T/0", 2), ("T/0", 1), ("T/2", 0)}
        store.note("grader", "g")
        store.add_verdicts(
            "g",
            {
                completion.id: Outcome(Status.PASSED if completion.id in passed else Status.FAILED)
                for completion in drawn
            },
        )
    return tmp_path / "train"


def test_successes_are_passing_samples_of_the_run(trained: Path):
    prompt = find_prompt(f"successes-2:{trained}", open_benchmark("humaneval"))
    problem = open_benchmark("humaneval").problems()[0]
    shown = prompt.render(problem)
    assert "def t0():\n    return 1\n\n" in shown
    assert "def t2():\n    return 0\n\n" in shown
    assert "t1" not in shown
    assert shown.endswith(problem.prompt)
    assert prompt.identity.startswith("humaneval/successes-2 v1 ")
    assert find_prompt(f"successes-1:{trained}", open_benchmark("humaneval")).digest != prompt.digest


def test_the_shortest_success_is_shown(trained: Path):
    """A model that is shown what another sample appends to a function appends it too."""
    head, body = "def t5():\n", "    return 5\n"
    texts = [f"{body}\nt5()\n", f"    five = 5\n    return five\n{10 * ' '}", f"{body}\n\n\n\n\n\n\n\n\n\n\n\n"]
    with Store(trained) as store:
        store.add_problems([Problem("T/5", head, "t5", "assert True", split="train", stop=("\ndef",))])
        drawn = [Completion("T/5", n, head, text, head + text) for n, text in enumerate(texts)]
        store.add_completions(drawn)
        store.add_verdicts("g", {one.id: Outcome(Status.PASSED) for one in drawn})
    shown = find_prompt(f"successes-3:{trained}", open_benchmark("humaneval")).render(held_out_problem())
    assert f"{head}{body}\n" in shown
    assert "five" not in shown
    assert shown.count("t5()") == 1


def test_successes_that_cannot_be_shown(trained: Path):
    for spec, says in [
        (f"successes-3:{trained}", "has passing samples of 2 training problems; it cannot show 3"),
        ("successes-3", "write successes-3:RUN"),
        (f"successes-3:{trained}x", "is not a run"),
    ]:
        with pytest.raises(QprobeError, match=says):
            find_prompt(spec, open_benchmark("humaneval"))


def test_successes_are_of_training_problems_alone(trained: Path):
    with Store(trained) as store:
        store.add_problems([Problem("T/9", "def t9():\n", "t9", "assert True", stop=("\ndef",))])
        held_out = Completion("T/9", 0, "", "", "def t9():\n    return 9\n")
        store.add_completions([held_out])
        store.add_verdicts("g", {held_out.id: Outcome(Status.PASSED)})
    assert "t9" not in find_prompt(f"successes-2:{trained}", open_benchmark("humaneval")).render(held_out_problem())
    with pytest.raises(QprobeError, match="has passing samples of 2 training problems"):
        find_prompt(f"successes-3:{trained}", open_benchmark("humaneval"))


def held_out_problem() -> Problem:
    return open_benchmark("humaneval").problems()[0]


def template(tmp_path: Path, text: str) -> Prompt:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return open_prompt(str(file), open_benchmark("humaneval"))


def test_a_template_of_ones_own(tmp_path: Path):
    text = 'name = "terse"\nversion = 2\nprompt = "{{{entry_point}}}:\\n{prompt}"\nextract = "answer"\nchat = true\n'
    prompt = template(tmp_path, text)
    problem = open_benchmark("humaneval").problems()[0]
    assert prompt.render(problem) == f"{{has_close_elements}}:\n{problem.prompt}"
    assert prompt.identity.startswith("humaneval/terse v2 ")
    assert prompt.identity != template(tmp_path, text + "# changed\n").identity
    continued = template(tmp_path, 'name = "a"\nprompt = "# {id}\\n{prompt}"\nstop = ["\\nend"]\n')
    assert continued.extract(problem, "    return 1\nend of it") == problem.prompt + "    return 1"
    assert continued.stops(problem) == ("\nend",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "a"\nprompt = "{nothing}"', r"unknown field {nothing} in the prompt; choose from id, prompt"),
        ('name = "a"\nprompt = "{prompt!r}"', "unknown field"),
        ('name = "a"\nprompt = "{"', "expected '}'|Single '{'"),
        ('name = "a"', "'prompt' is missing"),
        ('name = "a"\nprompt = "x"\nextract = "magic"', "unknown extraction 'magic'; choose from continue, whole"),
        ('name = "a"\nprompt = "x"\nstops = []', "unknown setting 'stops' .did you mean 'stop'"),
        ('name = "a"\nprompt = "x"\nchat = "yes"', "'chat' is not a bool"),
        ('name = "a"\nprompt = "x"\nstop = [1]', "not a list of non-empty strings"),
        ("name = ", "mine.toml"),
    ],
)
def test_wrong_templates_are_named(tmp_path: Path, text: str, says: str):
    with pytest.raises(BenchmarkError, match=says):
        template(tmp_path, text)


def test_unknown_prompts():
    with pytest.raises(BenchmarkError, match=r"^Unknown prompt 'papr'\. Choose from paper, chat, .*Did you mean paper"):
        open_prompt("papr", open_benchmark("humaneval"))
    with pytest.raises(BenchmarkError, match="no such file"):
        open_prompt("absent.toml", open_benchmark("humaneval"))
