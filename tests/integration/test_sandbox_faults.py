"""The faults that the pool survives: lost containers, a killed harness, a hung supervisor, an image that is gone."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from sandbox import Job, Limits, Sandbox, Status, open_sandbox
from sandbox import connection as line
from sandbox.docker import engine, image
from sandbox.docker.leftovers import remove_leftovers
from tests.engine import require_engine

pytestmark = pytest.mark.docker

REPOSITORY = Path(__file__).resolve().parents[2]
ADD = "def f(a, b):\n    return a + b\n"


@pytest.fixture
def client() -> Iterator[DockerClient]:
    require_engine()
    with closing(engine.connect()) as client:
        yield client


def right_and_wrong(count: int) -> Iterator[Job]:
    """Jobs of which every second one passes."""
    for n in range(count):
        yield Job(str(n), ADD, f"import time\ntime.sleep(.01)\nassert f({n}, 1) == {n + n % 2}", "f")


def assert_all_right(outcomes: dict[str, Status], count: int) -> None:
    assert len(outcomes) == count
    wrong = {key: status for key, status in outcomes.items() if (status is Status.PASSED) != (int(key) % 2 == 1)}
    assert wrong == {}
    assert Status.BROKEN not in outcomes.values()


def guests_of(sandbox: Sandbox) -> list[str]:
    return [line._guest._id for line in list(sandbox._lines)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_containers_killed_under_load(client: DockerClient, kills: int):
    count = kills * 40
    over = threading.Event()

    def kill_some(sandbox: Sandbox) -> None:
        rng = random.Random(0)
        done = 0
        while done < kills and not over.wait(0.3):
            guests = guests_of(sandbox)
            if guests:
                try:
                    client.api.kill(rng.choice(guests))
                    done += 1
                except Exception:  # noqa: BLE001 - it was not running yet, or not any more
                    continue

    with open_sandbox("docker", workers=3) as sandbox:
        thread = threading.Thread(target=kill_some, args=(sandbox,))
        thread.start()
        outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(count))}
        over.set()
        thread.join()
    assert_all_right(outcomes, count)


def test_idle_containers_killed_between_runs(client: DockerClient):
    with open_sandbox("docker", workers=2) as sandbox:
        for _ in range(3):
            outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(10))}
            assert_all_right(outcomes, 10)
            for guest in guests_of(sandbox):
                client.api.kill(guest)


def test_a_killed_harness_leaves_no_container(client: DockerClient):
    script = (
        "from sandbox import *\n"
        "job = Job('stuck', 'import time\\ntime.sleep(600)', 'assert f()', limits=Limits(600, 600))\n"
        "with open_sandbox('docker', workers=2) as sandbox:\n"
        "    print('open', flush=True)\n"
        "    list(sandbox.run([job] * 4))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    mine = {"label": [engine.LABEL]}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(_owned_by(client, process.pid)) < 2:
        time.sleep(0.1)
    assert len(_owned_by(client, process.pid)) == 2, client.api.containers(filters=mine)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 120  # an engine that starts and kills fifty others meanwhile is slow
    while time.monotonic() < deadline and _owned_by(client, process.pid):
        time.sleep(0.2)
    assert _owned_by(client, process.pid) == []


def _owned_by(client: DockerClient, pid: int) -> list[str]:
    containers = client.api.containers(all=True, filters={"label": engine.LABEL})
    return [one["Id"] for one in containers if f":{pid}:" in one["Labels"].get(engine.OWNER_LABEL, "")]


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_kept(client: DockerClient):
    image_id, _ = image.ensure_image(client)
    machine = engine.owner().partition(":")[0]
    dead = _sleeper(client, image_id, f"{machine}:999999999:1")
    alive = _sleeper(client, image_id, engine.owner())
    elsewhere = _sleeper(client, image_id, "another-machine/1:1:1")
    try:
        remove_leftovers(client)
        left = {one["Id"] for one in client.api.containers(all=True)}
        assert dead not in left
        assert {alive, elsewhere} <= left
    finally:
        for one in (alive, elsewhere):
            client.api.remove_container(one, force=True)


def _sleeper(client: DockerClient, image_id: str, owner: str) -> str:
    made = client.api.create_container(
        image_id,
        ["python3", "-c", "import time; time.sleep(600)"],
        labels={engine.LABEL: "guest", engine.OWNER_LABEL: owner},
        network_disabled=True,
        host_config=client.api.create_host_config(network_mode="none"),
    )
    client.api.start(made["Id"])
    return str(made["Id"])


def test_a_hung_supervisor_is_replaced(client: DockerClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line, "_SILENCE_SECONDS", 3.0)
    with open_sandbox("docker", workers=2) as sandbox:
        assert len(list(sandbox.run(right_and_wrong(4)))) == 4
        for guest in guests_of(sandbox):
            client.api.pause(guest)
        outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(20))}
    assert_all_right(outcomes, 20)


def test_an_image_removed_behind_our_back_is_made_again(client: DockerClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image, "REPOSITORY", f"qprobe-sandbox-test-{os.getpid()}")
    try:
        with open_sandbox("docker", workers=1) as sandbox:
            assert len(list(sandbox.run(right_and_wrong(2)))) == 2
            for guest in guests_of(sandbox):
                client.api.kill(guest)
            _remove_image(client)
            outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(6))}
        assert_all_right(outcomes, 6)
    finally:
        _remove_image(client)


@pytest.mark.slow
def test_an_image_made_again_takes_the_place_of_the_old_one(client: DockerClient):
    name = f"qprobe-sandbox-test-{os.getpid()}:twice"
    old, new = image.build_image(client, name), image.build_image(client, name)
    try:
        assert old != new
        assert client.images.get(name).id == new
        with pytest.raises(ImageNotFound):
            client.images.get(old)
    finally:
        client.api.remove_image(new, force=True)


def _remove_image(client: DockerClient) -> None:
    """Remove the image itself and not only its name, which takes until no container uses it."""
    image_id = client.images.get(image.default_image()).id
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            client.api.remove_image(image_id, force=True)
        except ImageNotFound:
            return
        except APIError:  # a container still uses it
            time.sleep(0.2)


def test_a_program_that_breaks_its_supervisor_every_time_is_broken_and_others_are_not(monkeypatch: pytest.MonkeyPatch):
    # A limit that cannot be set makes the supervisor itself fail.
    impossible = Job("impossible", ADD, "assert f(1, 2) == 3", "f", limits=Limits(file_bytes=2**63))
    with open_sandbox("process", workers=2) as sandbox:
        jobs = [*right_and_wrong(10), impossible]
        outcomes = {job.key: outcome for job, outcome in sandbox.run(jobs)}
    broken = outcomes.pop("impossible")
    assert (broken.status, broken.reward) == (Status.BROKEN, None)
    assert_all_right({key: outcome.status for key, outcome in outcomes.items()}, 10)
