"""Benchmarks with code: by file, by dotted path, by entry point; the skeleton; and what is said of broken ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import BenchmarkError
from benchmarks.problem import problems_digest
from benchmarks.registry import benchmark_names, open_benchmark
from benchmarks.skeleton import write_skeleton
from tests.command import REPOSITORY

CLASS = """
from benchmarks import Problem

class Mine:
    name = "mine"
    licence = "MIT"

    def problems(self):
        return [Problem("mine/1", "def f():\\n", "f", "assert f() == 1", "def f():\\n    return 1\\n")]

    def program(self, problem, prompt, completion):
        return prompt + completion
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Python's path with a package that offers a benchmark by an entry point."""
    (tmp_path / "strangers").mkdir()
    (tmp_path / "strangers" / "__init__.py").write_text("")
    (tmp_path / "strangers" / "bench.py").write_text(CLASS)
    info = tmp_path / "strangers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qprobe.benchmarks]\nstrange = strangers.bench:Mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_three_ways_to_a_benchmark_with_code(site: Path):
    """No line of this package names it."""
    ways = ["strange", "strangers.bench:Mine", f"{site / 'strangers' / 'bench.py'}:Mine"]
    opened = [open_benchmark(way) for way in ways]
    assert {benchmark.name for benchmark in opened} == {"mine"}
    assert len({problems_digest(benchmark.problems()) for benchmark in opened}) == 1
    problem = opened[0].problems()[0]
    assert opened[0].program(problem, problem.prompt, "    return 1\n") == problem.solution
    assert benchmark_names()[-1] == "strange"
    with pytest.raises(BenchmarkError, match="Did you mean strange"):
        open_benchmark("strangee")


def test_the_skeleton_works_as_it_is_and_is_short(tmp_path: Path):
    """Its own test is run: the doctor finds nothing wrong with it."""
    module, test = write_skeleton("fresh", tmp_path)
    assert len(module.read_text().splitlines()) < 40
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout
    with pytest.raises(BenchmarkError, match=r"fresh\.py exists"):
        write_skeleton("fresh", tmp_path)
    assert open_benchmark(str(module)).problems()[0].id == "fresh/double"


def test_the_skeleton_is_as_clean_as_our_own_code(tmp_path: Path):
    write_skeleton("fresh", tmp_path)
    for tool in (["ruff", "check", "--config", str(REPOSITORY / "pyproject.toml")], ["mypy", "--strict"]):
        done = subprocess.run(
            [sys.executable, "-m", *tool, str(tmp_path / "fresh.py")],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["9lives", "a-b", "Upper", "../up", ""])
def test_names_that_name_no_module(name: str, tmp_path: Path):
    with pytest.raises(BenchmarkError, match="is not a module name"):
        write_skeleton(name, tmp_path)


def use(name: str) -> None:
    benchmark = open_benchmark(name)
    benchmark.program(benchmark.problems()[0], "", "")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("def program", "def programme"), "is not a benchmark: it has no function program"),
        (('name = "mine"', "name = 3"), "is not a benchmark: it has no string `name`"),
        (("return [Problem", "return [1 / 0, Problem"), r"failed: ZeroDivisionError: .* \(line 9 of .*mine.py\)"),
        (("return [Problem", "return []; [Problem"), "must return a non-empty sequence of benchmarks.Problem"),
        (("return [Problem", "return 2 * [Problem"), "two problems have the id 'mine/1'"),
        (("class Mine:", "class Mine"), "cannot be imported: SyntaxError"),
        (("import Problem", "import Problen"), "cannot be imported: ImportError"),
        (("class Mine:", "class Yours:"), "cannot be imported: AttributeError"),
        (("return [Problem", "return None; [Problem"), "failed: TypeError: 'NoneType' object is not iterable"),
        (("return [Problem", "raise SystemExit(0); [Problem"), "failed: SystemExit: 0"),
        (("class Mine:", "raise SystemExit(0)\nclass Mine:"), "cannot be imported: SystemExit: 0"),
        (
            ('Problem("mine/1", "def', 'Problem("mine/1", "\\ud83d def'),
            "'mine/1': the field 'prompt' holds half a char",
        ),
        (('"assert f() == 1"', "None"), "'mine/1': a field that is a string holds something else"),
        (("return prompt + completion", "return None"), r"program\(\) must return a string, not NoneType"),
    ],
)
def test_broken_benchmarks_are_one_sentence(tmp_path: Path, change: tuple[str, str], complaint: str):
    assert change[0] in CLASS
    (tmp_path / "mine.py").write_text(CLASS.replace(*change))
    with pytest.raises(BenchmarkError, match=complaint) as refusal:
        use(f"{tmp_path}/mine.py:Mine")
    assert "\n" not in str(refusal.value)


def test_files_and_modules_that_are_not_there(tmp_path: Path):
    with pytest.raises(BenchmarkError, match=r"nowhere\.py: no such file"):
        open_benchmark(f"{tmp_path}/nowhere.py")
    with pytest.raises(BenchmarkError, match="cannot be imported: ModuleNotFoundError"):
        open_benchmark("no.such.module:Mine")
