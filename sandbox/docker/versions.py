"""Versions of the Docker engine and of runc that let a program out of its container.

Sources: the release notes of Docker Engine 28.5.2 (5 November 2025), and those of runc 1.2.8, 1.3.3 and 1.4.0-rc.3,
which fix CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881: writes to any file of /proc, and so to the host.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

_ESCAPES = "CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881"
_RUNC = {(1, 2): (1, 2, 8), (1, 3): (1, 3, 3)}
"""The first release of a series with the fixes; older series have none, and newer ones began with them."""
_FIRST_SERIES, _NEXT_SERIES = (1, 2), (1, 4)
_NEXT_CANDIDATE = 3
_ENGINE = (28, 5, 2)


def old_versions(client: "DockerClient") -> list[str]:
    """Return a warning for each part of the engine whose version is older than the fixes of 2025."""
    return warnings_of(client.version().get("Components") or [])


def warnings_of(components: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the warnings for the components that an engine lists. One that names no version has none."""
    versions = {str(each.get("Name")): str(each.get("Version")) for each in components}
    runc, engine = versions.get("runc", ""), versions.get("Engine", "")
    if _is_old_runc(runc):
        return [
            f"runc {runc} lets programs out of their containers ({_ESCAPES}): update to runc 1.2.8, 1.3.3 or newer "
            f"(Docker Engine 28.5.2 brings it){_distribution(runc)}."
        ]
    if _is_old_engine(engine):
        return [
            f"Docker Engine {engine} is older than 28.5.2, the security release of November 2025: "
            f"update it{_distribution(engine)}."
        ]
    return []


def _distribution(version: str) -> str:
    """Return an addition for a version that a distribution has patched, as its name shows."""
    patched = re.search(r"[+~-](?!rc)", version)
    return ", unless your distribution's security tracker lists them as fixed in this version" if patched else ""


def _is_old_runc(version: str) -> bool:
    number = _number(version)
    if not number:
        return False
    candidate = re.search(r"-rc\.?(\d+)", version)
    if candidate and number == (1, 4, 0):
        return int(candidate[1]) < _NEXT_CANDIDATE
    series = number[0], number[1]
    return series < _FIRST_SERIES or (series < _NEXT_SERIES and number < _RUNC[series])


def _is_old_engine(version: str) -> bool:
    number = _number(version)
    return bool(number) and number < _ENGINE  # "" of Podman, which is another engine, is no number


def _number(version: str) -> tuple[int, ...]:
    parts = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, parts.groups())) if parts else ()
