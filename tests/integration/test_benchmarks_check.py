"""`qprobe benchmarks check` finds what was planted, and is content with what is sound."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import qprobe


def problem(number: int, tests: str, solution: str, prompt: str = "", split: str = "test") -> dict[str, str]:
    named = {"id": f"P/{number}", "entry_point": f"f{number}", "split": split}
    return {**named, "prompt": prompt or f"def f{number}(x):\n", "tests": tests, "solution": solution}


def check(tmp_path: Path, rows: list[dict[str, str]], *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, findings by check, standard error."""
    file = tmp_path / "planted.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = qprobe("benchmarks", "check", str(file), "--json", "--repeats", "20", *options)
    findings = {row["name"]: {f["problem_id"]: f["detail"] for f in row["findings"]} for row in json.loads(done.stdout)}
    return done.returncode, findings, done.stderr


SOUND = [
    problem(n, f"assert f{n}(1) == {n + 1}\nassert f{n}(5) == {n + 5}", f"def f{n}(x):\n    return x + {n}\n")
    for n in range(1, 4)
]
FLAKY = "import os\ndef f2(x):\n    return x if os.urandom(1)[0] > 100 else None\n"
SHOWN = '"""Square.\nassert f3(2) == 4\nassert f3(3) == 9\n"""\n'
ALIKE = SHOWN.rstrip('"\n') + '\nassert f6(2) == 4\n"""\n'
LIVE = "class Pair:\n    def __init__(self, x):\n        self.x = x\ndef f4(x):\n    return Pair(x)\n"
CUT = "def f5(x):\n    return g(x)\n\ndef g(x):\n    return 3 * x\n"


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_sound_benchmark(tmp_path: Path, kind: str):
    status, findings, errors = check(tmp_path, SOUND, "--sandbox", kind)
    assert (status, errors) == (0, "")
    assert not any(findings.values()), findings


def test_every_planted_fault_is_named(tmp_path: Path, kind: str):
    rows = [
        problem(0, "assert f0(1) == 2\nassert f0(5) == 6", "def f0(x):\n    return x\n"),
        problem(1, "assert f1(1) == 'yes'\nassert f1(2) == 'yes'", "def f1(x):\n    return 'yes'\n"),
        problem(2, "assert f2('a') == 'a'", FLAKY),
        problem(3, "assert f3(2) == 4\nassert f3(3) == 9", "def f3(x):\n    return x * x\n", SHOWN),
        problem(4, "assert f4(1).x == 1\nassert f4(2).x == 2", LIVE),
        problem(5, "assert f5(1) == 3\nassert f5(2) == 6", CUT),
        problem(6, "assert f6(3) == 9\nassert f6(2) == 4", "def f6(x):\n    return x * x\n", ALIKE, "train"),
    ]
    status, findings, errors = check(tmp_path, rows, "--sandbox", kind)
    assert status == 1
    assert "planted: " in errors
    assert "references pass" in errors
    assert set(findings["references pass"]) == {"P/0"}
    assert findings["references pass"]["P/0"].startswith("failed: assert f0(1) == 2")
    assert set(findings["references pass each time"]) == {"P/2"}
    assert findings["constant programs fail"]["P/1"] == "passes: return 'yes'"
    assert "P/3" in findings["prompts hold no hidden tests"]
    assert "P/3" in findings["knowing only the prompt fails"]
    assert findings["tests run apart from the program"]["P/4"] == "its tests ask objects of the program's own"
    assert "P/5" in findings["references pass as completions"]
    assert findings["prompts differ across splits"] == {"P/3": "like P/6 (train)"}
    assert not findings["the sandbox held"]


def whole(number: int, output: str, solution: str, **fields: str) -> dict[str, Any]:
    cases = [{"input": "1 2\n", "output": output}, {"input": "3 4\n", "output": output}]
    return {"id": f"W/{number}", "prompt": "Print it.", "cases": cases, "solution": solution, **fields}


def test_weak_whole_programs_are_named(tmp_path: Path):
    rows = [
        whole(1, "12", "print(12)"),  # a constant passes
        whole(2, "", ""),  # nothing passes
        whole(3, "3", "print(sum(map(int, input().split())))"),  # the reference fails
        whole(4, "1 2 3 4", "print('1 2 3 4')", prompt="Print 1 2, 3 4 or 1 2 3 4."),  # the prompt shows it all
    ]
    status, findings, complaint = check(tmp_path, rows, "--sandbox", "process")  # type: ignore[arg-type]
    assert status == 1
    assert "checks failed" in complaint
    assert set(findings["references pass"]) == {"W/3"}
    assert {"W/1", "W/2"} <= set(findings["constant programs fail"]) | set(findings["empty programs fail"])
    assert "W/2" in findings["empty programs fail"]
    assert findings["prompts hold no hidden tests"] == {"W/4": "the prompt shows all 2 cases"}
    assert findings["cheats fail"].keys() <= {"W/2"}  # where nothing is asked, leaving at once is an answer


def test_the_shipped_programs_are_sound(kind: str):
    done = qprobe("benchmarks", "check", "mini-programs", "--json", "--repeats", "1", "--sandbox", kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(not row["findings"] for row in json.loads(done.stdout))
