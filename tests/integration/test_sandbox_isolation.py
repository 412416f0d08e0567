"""Each wall of the container, tried by a hostile program; after each the next program must find nothing of it."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from docker import DockerClient

from sandbox import Sandbox, open_sandbox
from sandbox.docker.engine import LABEL, connect
from sandbox.self_check import Wall, check_wall, walls
from tests.engine import require_engine

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def lone_sandbox() -> Iterator[Sandbox]:
    """One container: the next program meets what the last one left."""
    require_engine()
    with open_sandbox("docker", workers=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize("wall", walls(), ids=lambda wall: wall.name)
def test_wall(lone_sandbox: Sandbox, wall: Wall):
    row = check_wall(lone_sandbox, wall)
    assert row.holds, row.detail


def all_ids(client: DockerClient) -> set[str]:
    """The containers of all sandboxes of this machine."""
    return {container["Id"] for container in client.api.containers(all=True, filters={"label": LABEL})}


def test_no_container_remains():
    require_engine()
    with closing(connect()) as client, open_sandbox("docker", workers=2) as sandbox:
        from sandbox import Job

        assert len(list(sandbox.run([Job(str(n), "x = 1", "assert x == 1") for n in range(4)]))) == 4
        mine = {line._guest._id for line in sandbox._lines}  # type: ignore[attr-defined]
        assert mine
        sandbox.__exit__(None, None, None)
        deadline = time.monotonic() + 30  # the engine may take a moment
        while mine & all_ids(client) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not mine & all_ids(client)
