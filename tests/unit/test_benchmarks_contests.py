"""APPS and LiveCodeBench from small files of the published columns."""

import base64
import json
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import BenchmarkError, Problem
from benchmarks.registry import open_benchmark
from sandbox import Limits, Sandbox, Status, open_sandbox
from sandbox.cases import Case, cases_of

SUM = "a, b = map(int, input().split())\nprint(a + b)"
METHOD = "class Solution:\n    def add(self, xs: List[int]) -> int:\n        return sum(xs)\n"
APPS: dict[str, Any] = {
    "problem_id": 7,
    "question": "Add.",
    "solutions": json.dumps([SUM]),
    "input_output": json.dumps({"inputs": ["1 2\n", ["3 4", ""]], "outputs": ["3\n", ["7"]]}),
    "difficulty": "interview",
    "url": "",
    "starter_code": "",
}
APPS_CALL = {
    **APPS,
    "problem_id": 8,
    "solutions": json.dumps([METHOD]),
    "input_output": json.dumps({"fn_name": "add", "inputs": [[[1, 2]], [[]]], "outputs": [3, [0]]}),
    "starter_code": "class Solution:\n    def add(self, xs):\n",
}


def packed(cases: list[dict[str, str]]) -> str:
    """As the authors of LiveCodeBench pack their private cases."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


LCB: dict[str, Any] = {
    "question_id": "abc_a",
    "question_content": "Add.",
    "starter_code": "",
    "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
    "private_test_cases": packed([{"input": "3 4", "output": "7", "testtype": "stdin"}]),
    "metadata": "{}",
}
LCB_CALL = {
    **LCB,
    "question_id": "3000",
    "starter_code": "class Solution:\n    def pair(self, x: int, s: str):\n",
    "public_test_cases": json.dumps([{"input": '2\n"ab"', "output": '[2, "ab"]', "testtype": "functional"}]),
    "private_test_cases": "",
    "metadata": json.dumps({"func_name": "pair"}),
}


def opened(folder: Path, name: str, *rows: object) -> list[Problem]:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return list(open_benchmark(f"{name}:{file}").problems())


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox("process", workers=1) as pool:
        yield pool


def verdict(sandbox: Sandbox, problem: Problem, program: str) -> Status:
    ((_, outcome),) = sandbox.run([problem.job(program, Limits())])
    return outcome.status


def test_apps(tmp_path: Path, sandbox: Sandbox):
    untested = {**APPS, "problem_id": 9, "input_output": ""}
    whole, call = opened(tmp_path, "apps", APPS, untested, APPS_CALL)
    assert (whole.id, whole.language, call.id, call.entry_point) == ("APPS/test/7", "python", "APPS/test/8", "add")
    assert cases_of(whole.tests) == [Case("1 2\n", "3\n"), Case("3 4\n", "7")]
    assert whole.prompt.startswith("\nQUESTION:\nAdd.\n")
    for problem in (whole, call):
        assert verdict(sandbox, problem, problem.solution) is Status.PASSED
    assert verdict(sandbox, whole, "print(3)") is Status.FAILED
    program = open_benchmark(f"apps:{tmp_path / 'rows.jsonl'}").program
    assert verdict(sandbox, call, program(call, call.prompt, "def add(xs):\n    return sum(xs)")) is Status.PASSED
    assert verdict(sandbox, call, program(call, call.prompt, METHOD.replace("sum(xs)", "3"))) is Status.FAILED


def test_livecodebench(tmp_path: Path, sandbox: Sandbox):
    whole, call = opened(tmp_path, "livecodebench", LCB, LCB_CALL)
    assert cases_of(whole.tests) == [Case("1 2", "3"), Case("3 4", "7")]
    assert (whole.id, call.id, call.entry_point) == ("LCB/abc_a", "LCB/3000", "pair")
    assert verdict(sandbox, whole, SUM) is Status.PASSED
    answer = (
        "```python\nclass Solution:\n    def pair(self, x: int, s: str) -> Tuple[int, str]:\n        return x, s\n```"
    )
    program = open_benchmark(f"livecodebench:{tmp_path / 'rows.jsonl'}").program(call, "", answer)
    assert verdict(sandbox, call, program) is Status.PASSED
    assert verdict(sandbox, call, program.replace("x, s\n", "s, x\n")) is Status.FAILED


class Hostile:
    """An object whose pickle runs code when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run by a pickle",)


@pytest.mark.parametrize(
    ("name", "row", "complaint"),
    [
        ("apps", {**APPS, "input_output": "{"}, "the field 'input_output' does not hold JSON"),
        ("apps", {**APPS, "input_output": '{"inputs": []}'}, "has no lists 'inputs' and 'outputs'"),
        (
            "apps",
            {**APPS, "input_output": '{"inputs": ["1"], "outputs": []}'},
            "has different numbers of 'inputs' and 'outputs'",
        ),
        ("apps", {**APPS, "solutions": '{"python": ""}'}, "the field 'solutions' is not a list"),
        ("apps", {**APPS, "question": 3}, "the field 'question' is not a string"),
        ("apps", {key: value for key, value in APPS.items() if key != "solutions"}, "the field 'solutions' is missing"),
        ("apps", {key: value for key, value in APPS.items() if key != "problem_id"}, "'problem_id' is missing"),
        (
            "apps",
            {**APPS, "input_output": '{"fn_name": "f", "inputs": ["1"], "outputs": [1]}'},
            "one of its inputs is not a list of arguments",
        ),
        ("livecodebench", {**LCB, "private_test_cases": "!"}, "neither JSON nor packed as the authors pack it"),
        (
            "livecodebench",
            {**LCB, "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(Hostile()))).decode()},
            "its pickle holds more than a text",
        ),
        ("livecodebench", {**LCB, "public_test_cases": '[{"input": "1"}]'}, "case 1 of the field 'public_test_cases'"),
        ("livecodebench", {**LCB_CALL, "metadata": "{}"}, "'metadata' has no 'func_name'"),
        ("livecodebench", {**LCB, "public_test_cases": "[3]"}, "lacks a text 'input' or 'output'"),
        (
            "livecodebench",
            {**LCB, "public_test_cases": LCB_CALL["public_test_cases"]},
            "its cases are of different kinds: functional, stdin",
        ),
        (
            "livecodebench",
            {**LCB_CALL, "public_test_cases": '[{"input": "x", "output": "1", "testtype": "functional"}]'},
            "case 1: its arguments or its result are not JSON",
        ),
    ],
)
def test_wrong_rows_are_named_by_line_and_field(tmp_path: Path, name: str, row: object, complaint: str):
    good = {**(APPS if name == "apps" else LCB), "problem_id": 1, "question_id": "other"}
    with pytest.raises(BenchmarkError, match=f"rows.jsonl, line 2: .*{complaint}"):
        opened(tmp_path, name, good, row)


LONG = "1" + "0" * 5000


def test_integers_of_any_length_are_asked_for(tmp_path: Path, sandbox: Sandbox):
    """As rows of the published APPS do."""
    power = {
        **APPS,
        "solutions": json.dumps(["def power(n):\n    return 10 ** n\n"]),
        "input_output": f'{{"fn_name": "power", "inputs": [[3], [5000]], "outputs": [1000, {LONG}]}}',
    }
    same = {
        **LCB_CALL,
        "public_test_cases": json.dumps([{"input": LONG, "output": f"[{LONG}]", "testtype": "functional"}]),
    }
    (apps,) = opened(tmp_path, "apps", power)
    assert verdict(sandbox, apps, apps.solution) is Status.PASSED
    assert verdict(sandbox, apps, "def power(n):\n    return 10 ** n + (n > 9)\n") is Status.FAILED
    (lcb,) = opened(tmp_path, "livecodebench", same)
    assert verdict(sandbox, lcb, "def pair(x):\n    return [x]\n") is Status.PASSED
    assert verdict(sandbox, lcb, "def pair(x):\n    return [-x]\n") is Status.FAILED


DEEP = f'{{"fn_name": "f", "inputs": [[1]], "outputs": [{"[" * 50_000}{"]" * 50_000}]}}'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"input_output": DEEP}, "line 2: the field 'input_output': JSON nested too deeply"),
        (
            {"input_output": DEEP.replace("[" * 50_000, "[" * 250).replace("]" * 50_000, "]" * 250)},
            "line 2: nested too",
        ),
        ({"question": "Add \ud83d"}, "line 2: the field 'question' holds half a character (U+D83D)"),
        (
            {"input_output": '{"inputs": ["\\ud83d"], "outputs": ["1"]}'},
            "line 2: the field 'case 1' holds half a chara",
        ),
    ],
)
def test_rows_beyond_the_readers_limits_are_left_out_and_named(tmp_path: Path, change: dict[str, str], reason: str):
    file = tmp_path / "rows.jsonl"
    file.write_text(
        "\n".join(json.dumps(row) for row in (APPS, {**APPS, "problem_id": 8, **change}, APPS_CALL | {"problem_id": 9}))
    )
    benchmark = open_benchmark(f"apps:{file}")
    assert [problem.id for problem in benchmark.problems()] == ["APPS/test/7", "APPS/test/9"]
    (left_out,) = benchmark.left_out  # type: ignore[attr-defined]
    assert left_out.startswith(reason)


def test_a_row_with_empty_lists_of_tests_has_no_tests(tmp_path: Path):
    empty = {**APPS, "problem_id": 8, "input_output": '{"inputs": [], "outputs": []}'}
    assert [problem.id for problem in opened(tmp_path, "apps", APPS, empty)] == ["APPS/test/7"]


@pytest.mark.parametrize("name", ["apps", "livecodebench"])
def test_without_file_or_hub_says_what_to_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("QPROBE_CACHE", str(tmp_path))
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(BenchmarkError, match=f"--benchmark {name}:FILE.jsonl"):
        open_benchmark(name).problems()
