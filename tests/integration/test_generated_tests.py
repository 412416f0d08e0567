"""Tests that a model wrote: real programs on them in a real sandbox, down to the rows of the report."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import Problem
from harness.errors import QprobeError
from harness.reports.build import report
from harness.reports.generated_answers import generated_answers
from harness.reports.inputs import read_inputs
from harness.reports.render.notes import notes
from harness.reports.render.tables import tables
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.generated_tests import run_generated_tests
from harness.stages.grade import Budget, grade
from sandbox import Sandbox

PROMPT = 'def f(x):\n    """Twice x."""\n'
PROGRAMS = [
    "def f(x):\n    return 2 * x\n",
    "def f(x):\n    return x + x\n",  # another program, the same answers
    "def f(x):\n    return x * x\n",  # right at 2 alone
    "def f(x):\n    while x == 3:\n        pass\n    return 2 * x\n",  # one test ends it
    "def f(x):\n    raise SystemExit\n",
    "def f(x:\n",
    "def f(x):\n    raise AssertionError('answer 1111111111111111')\n",
]
NUMBERS = (2, 3, *range(5, 17))
WRONG = "assert f(100) == 7"  # written by a model that erred


@pytest.fixture
def store(tmp_path: Path, process_sandbox: Sandbox) -> Store:
    store = Store(tmp_path / "run", create=True)
    store.settle("benchmark", "made")
    store.note("source", {"file": "made.jsonl", "sha256": "", "complete": True})
    store.add_problems(
        [Problem(f"G/{n}", f"{PROMPT}# {n}\n", "f", "assert f(4) == 8\nassert f(0) == 0") for n in range(2)]
    )
    store.add_completions(
        Completion(f"G/{p}", n, PROMPT, "", program)
        for p in range(2)
        for n, program in enumerate([*PROGRAMS, PROGRAMS[0]])
    )
    grade(store, process_sandbox, Budget(cpu_seconds=1.0))
    return store


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """CodeT's rows: a prompt with `pass` and a comment behind it, and raw texts. The second problem has no test."""
    texts = [f"f({number}) == {2 * number}\n\ndef g(" for number in NUMBERS] + [WRONG, f"{WRONG}, 'again'", "pass"]
    rows = [
        {"prompt": f"{PROMPT}# 0\n    pass\n\n# check the correctness of f\nassert ", "samples": texts},
        {"task_id": "G/1", "tests": ["assert f(unknown) == 1"]},
        {"task_id": "other/1", "tests": ["assert f(1) == 1"]},
    ]
    path = tmp_path / "tests.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_programs_are_run_on_the_tests_of_a_model(store: Store, process_sandbox: Sandbox, tests: Path):
    grader = store.about.require_grader(store.folder)
    indices_PN = np.array([range(8), range(8)])
    assert generated_answers(store, grader, ["G/0", "G/1"], indices_PN) is None
    kept = run_generated_tests(store, process_sandbox, Budget(cpu_seconds=1.0), tests)
    assert kept == store.about.generated_tests
    assert kept.weights == {"G/0": [2, *[1] * len(NUMBERS)]}, "the most frequent test first"
    assert kept.texts == (len(NUMBERS) + 3 + 1) / 2
    answers = generated_answers(store, grader, ["G/0", "G/1"], indices_PN)
    assert answers is not None
    assert answers.problems == 1
    right = len(NUMBERS)
    assert answers.passed_PN[0, :3].tolist() == [right, right, 1]
    assert 0 < answers.passed_PN[0, 3] < right, "only the tests beside the one that ends it are lost"
    assert answers.passed_PN[0, 4:].tolist() == [0, 0, 0, right]
    assert answers.sets_PN[0, 0] == answers.sets_PN[0, 1] == answers.sets_PN[0, 7] != answers.sets_PN[0, 2]
    assert not answers.passed_PN[1].any()
    assert run_generated_tests(store, process_sandbox, Budget(cpu_seconds=1.0), tests) == kept, "nothing is left to do"


def test_generated_tests_have_rows(store: Store, process_sandbox: Sandbox, tests: Path):
    run_generated_tests(store, process_sandbox, Budget(cpu_seconds=1.0), tests)
    result = report(read_inputs(store))
    rows = {row.name: row for row in result.rows}
    assert rows["passes generated tests"].value == rows["CodeT"].value == pytest.approx((1 + 4 / 8) / 2)
    assert result.costs["CodeT"].test_completions == (len(NUMBERS) + 4) / 2
    assert result.costs["CodeT"].program_runs == 8
    assert result.costs["shortest"].program_runs == 0
    assert any(line.startswith("Generated tests: a model wrote tests of 1 problem;") for line in notes(result))
    (among_5,) = (part.rows for part in result.rows_at_k if part.k == 5)
    few = {row.name: row for row in among_5}
    assert few["CodeT"].value < rows["CodeT"].value, "five samples may hold no right one"
    assert tables(result)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 1: "),
        ('{"task_id": "H/1", "tests": ["assert f(1) == 2"]}', "holds no test like assert f"),
        ('{"tests": []}', "line 1: the row names no problem. Give rows with task_id and tests"),
        ('{"task_id": "G/0", "tests": "assert f(1) == 2"}', "line 1: tests must be a list of texts"),
        ('{"task_id": "G/0", "tests": ["assert f(x) == 2"]}', "holds no test like assert f"),
    ],
)
def test_a_bad_file_of_tests_is_refused(store: Store, process_sandbox: Sandbox, tmp_path: Path, row: str, message: str):
    (tmp_path / "bad.jsonl").write_text(row + "\n")
    with pytest.raises(QprobeError, match=message):
        run_generated_tests(store, process_sandbox, Budget(), tmp_path / "bad.jsonl")
