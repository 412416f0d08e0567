"""Problems that ask for whole programs: from a file, and from a completion to a program."""

import json
from pathlib import Path

import pytest

from benchmarks import BenchmarkError
from benchmarks.extraction import whole_program
from benchmarks.registry import open_benchmark
from sandbox.cases import Case, cases_of

GOOD = {"id": "a/1", "prompt": "Print the sum.", "cases": [{"input": "1 2\n", "output": "3\n"}]}
CHECKER = "def near(given, printed, expected):\n    return True\n"


def write(folder: Path, *rows: object) -> str:
    file = folder / "mine.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return str(file)


def test_a_row_with_cases_asks_for_a_whole_program(tmp_path: Path):
    more = {"language": "javascript", "solution": "it need not be Python", "split": "train", "stop": ["\nEND"]}
    one, two = open_benchmark(write(tmp_path, GOOD, {**GOOD, "id": "a/2", **more})).problems()
    assert (one.language, one.entry_point, one.split, one.stop) == ("python", "", "test", ())
    assert cases_of(one.tests) == [Case("1 2\n", "3\n")]
    assert (two.language, two.solution, two.split, two.stop) == (*list(more.values())[:3], ("\nEND",))


def test_a_checker_is_read_from_beside_the_file(tmp_path: Path):
    (tmp_path / "check.py").write_text(CHECKER)
    (problem,) = open_benchmark(write(tmp_path, {**GOOD, "compare": "check.py:near"})).problems()
    tests = json.loads(problem.tests)
    assert (tests["compare"], tests["checker"], tests["function"]) == ("checker", CHECKER, "near")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cases": []}, "line 2: the field 'cases' is not a list of cases"),
        ({"cases": "1 2"}, "line 2: the field 'cases' is not a list of cases"),
        ({"cases": [*GOOD["cases"], 3]}, "line 2: case 2 of the field 'cases' is not an object"),
        ({"cases": [{"input": "1"}]}, "line 2: case 1 of the field 'cases': 'output' is missing"),
        ({"cases": [{"input": 1, "output": ""}]}, "line 2: case 1 of the field 'cases': 'input' is not a string"),
        (
            {"compare": "words"},
            "line 2: unknown rule of 'compare' 'words'; choose from tokens, lines, numbers, FILE.py",
        ),
        ({"compare": "absent.py:near"}, "line 2: the field 'compare': .*absent.py: no such file"),
        ({"compare": "check.py:far"}, "line 2: the field 'compare': .*check.py defines no function 'far'"),
        ({"compare": "bad.py:near"}, "line 2: the field 'compare': .*bad.py does not compile"),
        (
            {"compare": "../check.py:near"},
            "line 2: the field 'compare': .*check.py lies outside the benchmark's folder",
        ),
        ({"compare": "/etc/x.py:near"}, "line 2: the field 'compare': .*x.py lies outside the benchmark's folder"),
        ({"compare": 3}, "line 2: the field 'compare' is not a string"),
        ({"language": "cobol"}, "line 2: unknown language 'cobol'; choose from python, javascript"),
        ({"tests": "assert f()"}, "line 2: a problem with 'cases' asks for a whole program and has no field 'tests'"),
        ({"solution": "print("}, "line 2: the field 'solution' does not compile"),
        ({"solutoin": ""}, "line 2: unknown field 'solutoin' .did you mean 'solution'"),
        ({"prompt": None}, "line 2: the field 'prompt' is not a string"),
        ({"id": "a/1"}, "line 2: the id 'a/1' is already used by line 1"),
    ],
)
def test_wrong_rows_are_named_by_line_and_field(tmp_path: Path, change: dict[str, object], complaint: str):
    (tmp_path / "check.py").write_text(CHECKER)
    (tmp_path / "bad.py").write_text("def near(")
    with pytest.raises(BenchmarkError, match=complaint):
        open_benchmark(write(tmp_path, GOOD, {**GOOD, "id": "b", **change})).problems()


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        ("print(1)", "print(1)"),
        ("print(1)\nEND\nmore", "print(1)"),
        ("Here it is:\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```\nold\n```\nBetter:\n```py\nprint(1)\n```", "print(1)\n"),
        ("```python\nprint(1)\nprint(2)", "print(1)\nprint(2)"),
        ("x = '```'\nprint(x)", "x = '```'\nprint(x)"),
    ],
)
def test_from_a_completion_to_a_program(completion: str, program: str):
    assert whole_program(completion, ("\nEND",)) == program
