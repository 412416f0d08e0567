"""The origin of a run: `provenance.jsonl`, one line for each finished stage."""

import hashlib
import json
import math
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from packaging.requirements import Requirement

import harness
from benchmarks import Problem
from harness.runs.sbom import keep_bill
from harness.runs.store import Store
from harness.secrets import redacted

SCHEMA = "qprobe-provenance/1"
PROVENANCE_FILE = "provenance.jsonl"
MIB = 2**20
IMAGE = "image"
"""The setting with the digest of the image that programs ran in."""
WORK_OF = {"import": "completions", "generate": "completions", "grade": "verdicts", "embed": "vectors"}
"""The table whose rows are a stage's work; the other stages do all samples again."""


def count(store: Store, stage: str) -> int:
    """Return the number of rows of a stage's work that the run holds."""
    return store.counts()[WORK_OF[stage]] if stage in WORK_OF else 0


def is_noted(store: Store, stage: str, settings: Mapping[str, Any]) -> bool:
    """Return whether the last line of a stage has these settings, and no hash that has changed since."""
    lines = [line for line in stages(store.folder) if line["stage"] == stage]
    if not lines or lines[-1]["settings"] != _as_noted(settings):
        return False
    present = _as_noted(_hashes(store))
    return all(present.get(name) == value for name, value in lines[-1]["hashes"].items())


def _as_noted(values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON of any depth
    """Return values as they are read back from a line."""
    return json.loads(json.dumps(_writable(values)))


def _hashes(store: Store) -> dict[str, Any]:
    return {"problems": digest(store.problems()), **_identities(store.settings())}


def note_stage(store: Store, stage: str, settings: Mapping[str, Any], *, seconds: float, before: int) -> None:
    """Append a line to the run's provenance, in one write. `before` is the `count` before the stage."""
    line = {
        "schema": SCHEMA,
        "stage": stage,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "new": store.counts()[WORK_OF.get(stage, "completions")] - before,
        "command": command(),
        "settings": dict(settings),
        "hashes": _hashes(store),
        "versions": versions(),
        "hardware": hardware(),
        "sbom": keep_bill(store.folder),
    }
    path = store.folder / PROVENANCE_FILE
    text = json.dumps(_writable(line), allow_nan=False) + "\n"
    with path.open("a+b") as file:
        file.write(_line_break(file) + text.encode())


def command() -> str:
    """Return the command line of `qprobe`; of any other program its name alone."""
    name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    return shlex.join([name, *sys.argv[1:]]) if name == "qprobe" else name


def _line_break(file: BinaryIO) -> bytes:
    """Return a line break where the file ends in a line that was cut short."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read() == b"\n" else b"\n"


def _writable(value: Any) -> Any:  # noqa: ANN401 - JSON of any depth
    """Return the value without secrets, and with the names of numbers that JSON does not have, such as infinities."""
    if isinstance(value, Mapping):
        return {name: _writable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    if isinstance(value, str):
        return redacted(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def stages(run: Path) -> list[dict[str, Any]]:
    """Return the run's provenance, the earliest stage first; a line that a full disk cut short is left out."""
    path = run / PROVENANCE_FILE
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [entry for line in lines if (entry := _entry(line)) is not None]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def digest(problems: Iterable[Problem]) -> str:
    """Return a sha256 over all fields of the problems, in their order."""
    sha256 = hashlib.sha256()
    for problem in problems:
        sha256.update(json.dumps(astuple(problem)).encode())
    return sha256.hexdigest()


def _identities(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run's fixed settings: fingerprints of model and embedder, the grader's key, the name of the data."""
    return {name: value for name, value in settings.items() if name != "schema"}


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python, qprobe (with its commit, in a checkout) and the packages it requires."""
    ours = {"python": platform.python_version(), "qprobe": harness.__version__}
    if commit := _commit(Path(__file__).resolve().parents[2]):
        ours["commit"] = commit
    return ours | {name: version for name in _required() if (version := _version(name))}


def _required() -> list[str]:
    try:
        lines = metadata.requires("qprobe") or []
    except metadata.PackageNotFoundError:
        return []
    return required_packages(lines)


def required_packages(lines: Iterable[str]) -> list[str]:
    """Return the names in requirement strings that apply here, those of extras left out."""
    requirements = map(Requirement, lines)
    return [item.name for item in requirements if item.marker is None or item.marker.evaluate({"extra": ""})]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _commit(checkout: Path) -> str:
    """Return the commit of a checkout, followed by "+" where files differ from it; "" for an installed package."""
    if not (checkout / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(checkout), "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


@cache
def hardware() -> dict[str, Any]:
    """Return the system, processor, cores this process may use, memory in MiB, and GPUs where torch is loaded."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "memory_mib": _memory_mib(),
        "gpus": _gpus(),
    }


def cores() -> int:
    """Return how many cores this process may use, or, where the system does not say (macOS), how many there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    except (ValueError, OSError):  # names that this system does not have
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _gpus() -> list[str]:
    torch = sys.modules.get("torch")  # no stage loads it for this
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
