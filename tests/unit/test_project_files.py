"""The lock, the hooks and the classifiers agree with pyproject.toml and CI."""

import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.command import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
LOCKED_EXTRAS = ("dev", "hub", "docs")
REQUIREMENTS = REPOSITORY / "requirements"


def blocks(path: Path) -> Iterator[str]:
    """Each requirement of a file with its continuation lines, comments left out."""
    lines = (line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    return filter(None, map(str.strip, "\n".join(lines).replace("\\\n", " ").splitlines()))


def pins(*paths: Path) -> dict[str, Requirement]:
    requirements = (Requirement(block.split("--hash")[0]) for path in paths for block in blocks(path))
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def required() -> list[Requirement]:
    extras = (line for extra in LOCKED_EXTRAS for line in PROJECT["optional-dependencies"][extra])
    return [Requirement(line) for line in (*PROJECT["dependencies"], *extras)]


def version_of(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "==", pin
    return specifier.version


@pytest.mark.parametrize("requirement", required(), ids=str)
def test_the_lock_serves_what_the_project_requires(requirement: Requirement):
    locked = pins(REQUIREMENTS / "ci.txt", REQUIREMENTS / "torch.txt")
    name = canonicalize_name(requirement.name)
    assert name in locked, "run make lock"
    assert requirement.specifier.contains(version_of(locked[name])), "run make lock"


@pytest.mark.parametrize("file", ["ci.txt", "python.txt"])
def test_every_locked_package_has_a_version_and_hashes(file: str):
    for block in blocks(REQUIREMENTS / file):
        assert re.match(r"\S+==\S+ ", block), block
        assert "--hash=sha256:" in block, block


def test_other_pythons_have_the_versions_of_the_lock():
    locked, portable = pins(REQUIREMENTS / "ci.txt"), pins(REQUIREMENTS / "python.txt")
    for name in pins(REQUIREMENTS / "python.in"):
        assert version_of(portable[name]) == version_of(locked[name])
    assert "torch" not in portable


@pytest.mark.parametrize("tool", ["ruff", "mypy"])
def test_linters_are_pinned_exactly(tool: str):
    (pin,) = (requirement for requirement in required() if requirement.name == tool)
    shown = subprocess.run([sys.executable, "-m", tool, "--version"], capture_output=True, text=True, check=False)
    if shown.returncode:
        pytest.skip(f"{tool} is not installed for this Python")
    assert shown.stdout.split()[1] == version_of(pin)


def test_hooks_run_what_lint_runs():
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in config["repos"]} == {"local"}, "nothing is fetched for a commit"
    assert {hook["language"] for hook in hooks} == {"system"}, "the environment's own versions"
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    wanted = [line.split("/")[1].split() for line in lint[1].splitlines()]
    assert {" ".join(words[:2]).rstrip(" .") for words in wanted} == {
        " ".join(hook["entry"].split()[:2]) for hook in hooks
    }


def test_the_classifiers_name_the_pythons_that_ci_tests():
    named = {line.rpartition(" :: ")[2] for line in PROJECT["classifiers"] if re.search(r":: Python :: 3\.\d", line)}
    ci = (REPOSITORY / ".ci" / "run").read_text()
    (others,) = re.findall(r"^for version in (.+); do$", ci, re.MULTILINE)
    (main,) = re.findall(r"^PYTHON=\$\(interpreter (\S+)\)", ci, re.MULTILINE)
    assert named == {main, *others.split()}
    assert PROJECT["requires-python"] == f">={main}"


def cpu_build(index: str, **environment: str) -> str:
    """Return what `make demo` adds to the command of pip for this index of CPU builds."""
    show = "show:\n\t@echo [$(CPU_BUILD)]"
    folder = Path(sys.executable).parent
    command = ["make", "--silent", "--eval", show, "show", f"BIN={folder}", f"CPU_INDEX={index}"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, "no_proxy": "*", **environment}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.skipif(platform.machine() != "x86_64" or shutil.which("make") is None, reason="needs make on x86-64")
def test_the_cpu_build_of_torch_is_asked_for_where_its_index_answers(tmp_path: Path):
    """Never with a GPU, and without an answer neither an error nor a wait."""
    without_gpu = os.pathsep.join(
        part for part in os.environ["PATH"].split(os.pathsep) if not (Path(part) / "nvidia-smi").exists()
    )
    (tmp_path / "torch").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        index = f"http://127.0.0.1:{server.server_port}"
        assert cpu_build(index, PATH=without_gpu) == f"[--extra-index-url {index}]"
        (tmp_path / "nvidia-smi").touch(mode=0o755)
        assert cpu_build(index, PATH=f"{tmp_path}{os.pathsep}{without_gpu}") == "[]"
        server.shutdown()
    began = time.monotonic()
    assert cpu_build(index, PATH=without_gpu) == "[]"
    assert cpu_build("", PATH=without_gpu) == "[]"
    assert time.monotonic() - began < 40
