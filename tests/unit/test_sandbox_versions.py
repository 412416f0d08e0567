"""Versions of the engine and of runc that are older than the security fixes of 2025."""

import pytest

from sandbox.docker.versions import warnings_of


def warnings(engine: str, runc: str = "") -> list[str]:
    listed = [{"Name": "Engine", "Version": engine}, {"Name": "containerd", "Version": "1.7.0"}]
    return warnings_of([*listed, *([{"Name": "runc", "Version": runc}] if runc else [])])


@pytest.mark.parametrize("runc", ["1.2.8", "1.2.9", "1.3.3", "1.3.4", "1.4.0-rc.3", "1.4.0", "1.5.0-rc.1", "2.0.0"])
def test_versions_with_the_fixes_have_no_warning(runc: str):
    assert warnings("28.5.2", runc) == []
    assert warnings("29.0.0", runc) == []


@pytest.mark.parametrize(
    "runc", ["1.0.0-rc93", "1.1.15", "1.2.7", "1.3.0", "1.3.2", "1.3.0-rc.2", "1.4.0-rc.1", "1.4.0-rc.2"]
)
def test_an_older_runc_has_one(runc: str):
    (warning,) = warnings("28.5.2", runc)
    assert f"runc {runc} lets programs out of their containers (CVE-2025-31133" in warning
    assert "distribution" not in warning


def test_an_older_engine_has_one():
    for engine in ("28.5.1", "27.5.0", "20.10.24"):
        (warning,) = warnings(engine, "1.3.3")
        assert f"Docker Engine {engine} is older than 28.5.2" in warning
        assert "distribution" not in warning


def test_distributions_patch_old_versions():
    (warning,) = warnings("20.10.24+dfsg1", "1.1.5+ds1")
    assert "unless your distribution's security tracker lists them as fixed" in warning


@pytest.mark.parametrize("listed", [[], [{}], [{"Name": "Podman Engine", "Version": "4.3.1"}], [{"Name": "runc"}]])
def test_an_engine_that_does_not_say_has_none(listed: list[dict[str, str]]):
    assert warnings_of(listed) == []
