"""GSM8K as programs: the rows of a file or a folder, and the rule by which an answer counts."""

import ast
import json
from pathlib import Path

import pytest

from benchmarks import BenchmarkError
from benchmarks.gsm8k import Gsm8k
from benchmarks.hub import HubData
from benchmarks.registry import benchmark_names, open_benchmark
from sandbox import Limits, Status, open_sandbox

ROWS = [
    {"question": "A pen costs $2. How much are nine?", "answer": "2*9=<<2*9=18>>18\n#### 18"},
    {"question": 'A "town" has \\ 1,200 people and doubles. He says """now""". How many?"', "answer": "#### 2,400"},
    {"question": "From 3 below zero it falls by half a degree.", "answer": "x\n#### -3.5"},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_a_problem_asks_for_a_function_that_returns_the_answer(file: Path):
    benchmark = open_benchmark(f"gsm8k:{file}")
    first, second, third = benchmark.problems()
    assert "gsm8k" in benchmark_names()
    assert (first.id, first.split, first.entry_point) == ("GSM8K/test/1", "test", "solution")
    assert first.prompt == 'def solution():\n    """A pen costs $2. How much are nine?"""\n'
    assert benchmark.program(first, first.prompt, "    return 18\nprint(1)") == f"{first.prompt}    return 18"
    docstring = ast.get_docstring(ast.parse(f"{second.prompt}    return 1\n").body[0])  # type: ignore[arg-type]
    assert docstring == "A 'town' has \\ 1,200 people and doubles. He says '''now'''. How many?'"
    assert [problem.tests.partition(", ")[2].strip() for problem in (first, second, third)] == ["18)", "2400)", "-3.5)"]


@pytest.mark.parametrize(
    ("returned", "passes"),
    [
        ("18", True),
        ("18.0004", True),
        ("'18'", True),
        ("'$18.00'", True),
        ("18.01", False),
        ("-18", False),
        ("float('nan')", False),
        ("'eighteen'", False),
        ("[18]", False),
        ("None", False),
        ("1e999", False),
    ],
)
def test_an_answer_counts_within_a_thousandth(file: Path, returned: str, passes: bool):
    problem = Gsm8k(str(file)).problems()[0]
    with open_sandbox("process", 1) as sandbox:
        ((_, outcome),) = sandbox.run([problem.job(f"{problem.prompt}    return {returned}\n", Limits())])
    assert (outcome.status == Status.PASSED) == passes, outcome


def test_a_folder_holds_both_splits(file: Path):
    (file.parent / "train.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    problems = Gsm8k(str(file.parent)).problems()
    assert [problem.id for problem in problems] == ["GSM8K/train/1", *(f"GSM8K/test/{n}" for n in (1, 2, 3))]


def test_the_rows_of_the_hub_are_the_same(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = HubData("gsm8k", "openai/gsm8k", "main")
    monkeypatch.setenv("QPROBE_CACHE", str(tmp_path / "cache"))
    kept.kept.parent.mkdir()
    kept.kept.write_text("".join(json.dumps({"split": "test", "row": row}) + "\n" for row in ROWS))
    assert Gsm8k().problems() == Gsm8k(str(file)).problems()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"question": "a"}', r"line 4: the field 'answer' is missing"),
        ('{"question": "a", "answer": "18"}', r"line 4: the field 'answer' does not end in #### and a number"),
        ("{", r"line 4: "),
    ],
)
def test_a_bad_row_is_named(file: Path, line: str, says: str):
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(BenchmarkError, match=says):
        Gsm8k(str(file)).problems()
