"""Real problems and real samples with verdicts that others recorded, as jobs."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox import Job
from sandbox.job import Mode

_DOCSTRING = re.compile("(\"\"\"|''')[\\s\\S]*?\\1")


def rows(path: Path) -> list[Any]:
    """The rows of a JSONL file, which splits on newlines only."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode("utf-8").split("\n") if line.strip()]


def humaneval(data: Path) -> dict[str, Any]:
    """HumanEval's problems by id."""
    return {row["task_id"]: row for row in rows(data / "humaneval" / "HumanEval.jsonl.gz")}


def humaneval_references(data: Path) -> list[Job]:
    """The 164 reference solutions."""
    return [
        Job(key, row["prompt"] + row["canonical_solution"], row["test"], row["entry_point"])
        for key, row in humaneval(data).items()
    ]


def mbpp_references(data: Path) -> list[Job]:
    """The 974 reference solutions."""
    return [
        Job(f"MBPP/{row['task_id']}", row["code"], "\n".join(row["test_list"]), _entry(row), row["test_setup_code"])
        for row in rows(data / "mbpp" / "mbpp.jsonl")
    ]


def sanitized_references(data: Path) -> list[Job]:
    """The 427 reference solutions of the sanitized version."""
    return [
        Job(
            f"MBPP/{row['task_id']}",
            row["code"],
            "\n".join(row["test_list"]),
            _entry(row),
            "\n".join(row["test_imports"]),
        )
        for row in json.loads((data / "mbpp" / "sanitized-mbpp.json").read_text())
    ]


def _entry(row: dict[str, Any]) -> str | None:
    """The last function of the reference that the tests call."""
    called = "\n".join(row.get("test_list") or row["test_cases"])
    defined = re.findall(r"^def\s+(\w+)", row.get("code", ""), re.MULTILINE)
    return next((name for name in reversed(defined) if re.search(rf"\b{name}\s*\(", called)), None)


def qwen_samples(data: Path) -> Iterator[tuple[Job, bool]]:
    """10,000 samples of Qwen3-0.6B on MBPP, each with its verdict."""
    problems = {row["task_id"]: row for row in rows(data / "mbpp" / "mbpp.jsonl")}
    for model in ("base", "instruct"):
        packed = (data / "qwen3_0p6b_mbpp" / f"qwen3-0.6b-{model}_detailed_results.json.gz").read_bytes()
        for row in json.loads(gzip.decompress(packed)):
            problem = problems[row["task_id"]]
            for n, (program, passed) in enumerate(zip(row["generated_codes"], row["test_results"], strict=True)):
                key, tests = f"{model}/{row['task_id']}/{n}", "\n".join(row["test_cases"])
                mode: Mode = "live" if row["task_id"] == 367 else "separate"
                yield Job(key, program, tests, _entry(problem), problem["test_setup_code"], mode=mode), passed


def chat_samples(data: Path) -> Iterator[tuple[Job, bool]]:
    """3,280 samples of Mistral-7B-Instruct and Zephyr-7B on HumanEval, cleaned as upstream does."""
    problems = humaneval(data)
    for model in ("mistral", "zephyr"):
        path = data / "mistral_zephyr_humaneval" / f"{model}_samples.jsonl_results.jsonl.gz"
        for n, row in enumerate(rows(path)):
            problem = problems[row["task_id"]]
            text = _DOCSTRING.sub("", row["completion"]).replace("END CODE", "\n")
            text = "\t" + text if re.match(r"\w", text) else text
            program = problem["prompt"] + text
            yield Job(f"{model}/{row['task_id']}/{n}", program, problem["test"], problem["entry_point"]), row["passed"]
