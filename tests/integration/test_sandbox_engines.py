"""Other engines than the default one: stopped and started again while it grades, two at once, over TCP, Podman.

An engine that is stopped is a second daemon that the tests start, with its own folder and socket: no other containers
are touched.
"""

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from sandbox import Job, SandboxError, Status, open_sandbox
from sandbox.self_check import check_sandbox
from scripts.second_engine import SecondEngine, await_engine, can_start
from tests.engine import require_engine

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ADD = "def f(a, b):\n    return a + b\n"


@pytest.fixture
def second_engine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondEngine]:
    if not can_start():
        pytest.skip("a second Docker daemon needs root and the programs dockerd and unshare")
    engine = SecondEngine(tmp_path_factory.mktemp("engine"))
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    try:
        engine.start()
    except SandboxError:
        pytest.skip("a second Docker daemon does not start here")
    yield engine
    engine.stop()


def right_and_wrong(count: int) -> Iterator[Job]:
    for n in range(count):
        yield Job(str(n), ADD, f"import time\ntime.sleep(.02)\nassert f({n}, 1) == {n + n % 2}", "f")


def assert_all_right(outcomes: dict[str, Status], count: int) -> None:
    assert len(outcomes) == count
    assert {key for key, status in outcomes.items() if status is Status.PASSED} == {str(n) for n in range(1, count, 2)}
    assert Status.BROKEN not in outcomes.values()


def test_an_engine_stopped_and_started_in_the_middle(second_engine: SecondEngine):
    def restart() -> None:
        time.sleep(3)
        second_engine.stop()
        time.sleep(2)
        second_engine.start()

    with open_sandbox("docker", workers=2) as sandbox:
        assert len(list(sandbox.run(right_and_wrong(2)))) == 2
        thread = threading.Thread(target=restart)
        thread.start()
        outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(600))}
        thread.join()
    assert_all_right(outcomes, 600)


def test_two_engines_at_once(second_engine: SecondEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DOCKER_HOST")
    require_engine()
    monkeypatch.setenv("DOCKER_HOST", f"unix:///var/run/docker.sock,{second_engine.host}")
    with open_sandbox("docker", workers=4) as sandbox:
        outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(200))}
        assert "+" in sandbox.identity
        second_engine.stop()  # the other one continues alone
        again = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(200))}
    assert_all_right(outcomes, 200)
    assert_all_right(again, 200)


def test_another_runtime(second_engine: SecondEngine):
    with open_sandbox("docker", workers=1, runtime=second_engine.runtime) as sandbox:
        outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(4))}
    assert_all_right(outcomes, 4)


class Forwarder(socketserver.BaseRequestHandler):
    """One connection over TCP, handed on to the engine of this machine."""

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect("/var/run/docker.sock")
            back = threading.Thread(target=hand_on, args=(engine, self.request))
            back.start()
            hand_on(self.request, engine)
            back.join()


def hand_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_an_engine_over_tcp(monkeypatch: pytest.MonkeyPatch):
    require_engine()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forwarder) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
        with open_sandbox("docker", workers=2) as sandbox:
            outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(40))}
        server.shutdown()
    assert_all_right(outcomes, 40)


@pytest.fixture
def podman(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if os.getuid() != 0 or not all(map(shutil.which, ("podman", "runc"))):
        pytest.skip("Podman is not installed here, or we are not root")
    folder = tmp_path_factory.mktemp("podman")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/sock")
    options = [f"--root={folder}/root", f"--runroot={folder}/run", "--runtime=runc", "--cgroup-manager=cgroupfs"]
    command = ["podman", *options, "--events-backend=none", "system", "service", "--time=0", f"unix://{folder}/sock"]
    # In a separate folder: a container that is out of memory leaves a file where the service was started.
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
        yield
        service.terminate()
    subprocess.run(["podman", *options, "system", "reset", "--force"], capture_output=True, check=False)


@pytest.mark.usefixtures("podman")
def test_podman_instead_of_docker():
    await_engine(os.environ["DOCKER_HOST"], 30)
    with open_sandbox("docker", workers=2) as sandbox:
        outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(100))}
        failing = [row.name for row in check_sandbox(sandbox) if not row.holds]
    assert_all_right(outcomes, 100)
    assert failing == ["thousands of files"], "the one wall that README.md says Podman lacks"
