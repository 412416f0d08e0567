"""Open sandboxes, shared by the tests that need one: a real engine, real processes."""

import os
from collections.abc import Iterator

import pytest

from sandbox import Sandbox, SandboxError, check_engine, open_sandbox

KINDS = [pytest.param("docker", marks=pytest.mark.docker), "process"]


def require_engine() -> None:
    """Skip where no Docker engine answers; under CI that is a failure."""
    try:
        check_engine()
    except SandboxError as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the docker tests: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def docker_sandbox() -> Iterator[Sandbox]:
    """Containers, as many as by default."""
    require_engine()
    with open_sandbox("docker") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def process_sandbox() -> Iterator[Sandbox]:
    """Plain processes, as many as by default."""
    with open_sandbox("process") as sandbox:
        yield sandbox


@pytest.fixture(params=KINDS)
def any_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each backend in turn."""
    sandbox: Sandbox = request.getfixturevalue(f"{request.param}_sandbox")
    return sandbox
