"""The wheel, installed where no checkout is: it holds all that commands need."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import harness
from tests.command import REPOSITORY

DEPENDENCIES = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
PACKAGES = ("qprobe", "harness", "sandbox", "benchmarks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip builds it; with the build backend at hand nothing is fetched for that."""
    folder = tmp_path_factory.mktemp("wheel")
    here = ["--no-build-isolation"] if find_spec("hatchling") else []
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *here, "-w", str(folder), str(REPOSITORY)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("qprobe-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment with the wheel, and with the dependencies that the tests' own environment holds."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    paths = sysconfig.get_paths("venv", {"base": str(folder), "platbase": str(folder)})
    install = [sys.executable, "-m", "pip", "--python", f"{paths['scripts']}/python", "install", "--quiet", "--no-deps"]
    done = subprocess.run([*install, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # A folder named in a .pth file is searched, but its own .pth files, such as that of the checkout, are not read.
    Path(paths["purelib"], "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return Path(paths["scripts"])


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder outside the checkout to run commands in."""
    return tmp_path


def run(folder: Path, *command: object) -> str:
    """Run a command of the environment and return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "COLUMNS": "100"}
    arguments = list(map(str, command))
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path):
    """A test of the names alone: data files are what wheels lose."""
    names = set(zipfile.ZipFile(wheel).namelist())
    kept = {
        str(path.relative_to(REPOSITORY))
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"benchmarks/mini/model/model.safetensors", "sandbox/walls.txt", "harness/py.typed"} <= kept
    assert kept - names == set()
    assert {name for name in names if name.split("/")[0] in PACKAGES} == kept, "and nothing else"


def test_the_packages_come_from_the_wheel_and_so_does_the_version(installed: Path, empty: Path):
    code = f"import {', '.join(PACKAGES)}; print(*({'.__file__, '.join(PACKAGES)}.__file__))"
    for file in run(empty, installed / "python", "-c", code).split():
        assert Path(file).is_relative_to(installed.parent), file
    code = "import importlib.metadata; print(importlib.metadata.version('qprobe'))"
    assert run(empty, installed / "python", "-c", code).strip() == harness.__version__
    assert run(empty, installed / "qprobe", "--version") == f"qprobe {harness.__version__}\n"
    for package in PACKAGES:
        if (REPOSITORY / package / "__main__.py").is_file():
            shown = run(empty, installed / "python", "-m", package, "--version")
            assert shown == f"qprobe {harness.__version__}\n"


def test_the_demo_with_few_samples(installed: Path, empty: Path):
    options = ("--benchmark", "mini", "--limit", "9", "--k", "3", "--folds", "3", "--max-new-tokens", "64")
    model = next(installed.parent.rglob("benchmarks/mini/model"))
    shown = run(
        empty, installed / "qprobe", "run", *options, "--model", f"hf:{model}", "--sandbox", "process", "--json"
    )
    report = json.loads(shown)
    assert (report["problems"], report["samples"]) == (9, 27)
    (folder,) = (empty / "results").iterdir()
    last = json.loads((folder / "provenance.jsonl").read_text().splitlines()[-1])
    assert last["versions"]["qprobe"] == harness.__version__
    assert {Requirement(line).name for line in DEPENDENCIES} <= last["versions"].keys()
    assert "commit" not in last["versions"], "this is no checkout"


def test_folders_with_the_names_of_the_packages(installed: Path, empty: Path):
    for name in PACKAGES:
        (empty / name).mkdir()
        (empty / name / "__init__.py").write_text("raise SystemExit('a decoy was imported')")
    shown = json.loads(run(empty, installed / "qprobe", "benchmarks", "show", "mini"))
    assert shown["problems"] >= 150
