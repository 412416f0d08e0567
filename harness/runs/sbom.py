"""The packages of a run's environment, as a bill of materials in CycloneDX's format."""

import hashlib
import json
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

import harness
from harness.runs.atomic import atomic_write

SPEC_VERSION = "1.5"


@cache
def bill_of_materials() -> str:
    """Return Python and all installed packages as JSON text, the same for equal environments: without date or number.

    https://cyclonedx.org/docs/1.5/json/
    """
    installed = {(canonicalize_name(name), item.version) for item in metadata.distributions() if (name := item.name)}
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {"component": _component("qprobe", harness.__version__, "application")},
        "components": [
            _interpreter(),
            *(_component(name, version) for name, version in sorted(installed) if name != "qprobe"),
        ],
    }
    return json.dumps(bill, indent=1) + "\n"


def _component(name: str, version: str, kind: str = "library") -> dict[str, Any]:
    address = f"pkg:pypi/{name}@{version.replace('+', '%2B')}"
    return {"type": kind, "bom-ref": address, "name": name, "version": version, "purl": address}


def _interpreter() -> dict[str, Any]:
    name, version = platform.python_implementation(), platform.python_version()
    return {"type": "platform", "bom-ref": f"{name}@{version}", "name": name, "version": version}


def keep_bill(run: Path) -> str:
    """Write the bill into a run's folder, unless it is there, and return its sha256, which is in the file's name."""
    text = bill_of_materials()
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = run / f"sbom-{digest[:12]}.cdx.json"
    if not path.is_file():
        with atomic_write(path) as draft:
            draft.write_text(text, encoding="utf-8")
    return digest
