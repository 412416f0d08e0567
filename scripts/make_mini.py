"""Write `benchmarks/mini/problems.jsonl`: the same file every time.

    python -m scripts.make_mini
"""

import json
from pathlib import Path

from scripts.mini.checks import check_source
from scripts.mini.choices import right
from scripts.mini.grammar import Task
from scripts.mini.split import split

TARGET = Path("benchmarks/mini/problems.jsonl")


def main() -> None:
    """Write the file."""
    numbers: dict[str, int] = {}
    with TARGET.open("w", encoding="utf-8") as rows:
        for task in split().problems:
            numbers[task.family] = numbers.get(task.family, 0) + 1
            rows.write(json.dumps(_row(task, numbers[task.family]), ensure_ascii=False) + "\n")


def _row(task: Task, number: int) -> dict[str, str]:
    return {
        "id": f"mini/{task.area}/{task.family}/{number}",
        "prompt": task.prompt,
        "entry_point": task.entry_point,
        "tests": check_source(task),
        "solution": task.prompt + right(task.bodies[0]),
    }


if __name__ == "__main__":
    main()
