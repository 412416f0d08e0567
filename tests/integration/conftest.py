"""Open sandboxes, shared by the tests that need one: a real engine, real processes."""

from collections.abc import Iterator

import pytest

from sandbox import Sandbox, open_sandbox
from tests.engine import require_engine

KINDS = [pytest.param("docker", marks=pytest.mark.docker), "process"]


@pytest.fixture(scope="session")
def docker_sandbox() -> Iterator[Sandbox]:
    """Containers, in the default number."""
    require_engine()
    with open_sandbox("docker") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def process_sandbox() -> Iterator[Sandbox]:
    """Plain processes, in the default number."""
    with open_sandbox("process") as sandbox:
        yield sandbox


@pytest.fixture(params=KINDS)
def any_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each backend in turn."""
    sandbox: Sandbox = request.getfixturevalue(f"{request.param}_sandbox")
    return sandbox
