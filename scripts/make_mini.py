"""Write `benchmarks/mini/problems.jsonl`, the same file every time: `python -m scripts.make_mini`."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scripts.mini.checks import check_source
from scripts.mini.choices import right
from scripts.mini.grammar import Task
from scripts.mini.split import split

TARGET = Path("benchmarks/mini/problems.jsonl")


def main() -> None:
    """Write the file."""
    with TARGET.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())


def rows() -> Iterator[dict[str, str]]:
    """The problems, as the file holds them."""
    numbers: Counter[str] = Counter()
    problems = split().problems
    for task in problems:
        numbers[task.family] += 1
        yield _row(task, numbers[task.family], check_source(task, problems))


def _row(task: Task, number: int, tests: str) -> dict[str, str]:
    return {
        "id": f"mini/{task.area}/{task.family}/{number}",
        "prompt": task.prompt,
        "entry_point": task.entry_point,
        "tests": tests,
        "solution": task.prompt + right(task.bodies[0]),
    }


if __name__ == "__main__":
    main()
