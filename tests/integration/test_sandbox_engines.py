"""Other engines than the default one: one that is stopped and started again while it grades, and two at once.

The engine is a second daemon of our own, with its own folder and socket, so that nobody else's containers are touched.
"""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Job, SandboxError, Status, check_engine, open_sandbox
from tests.engine import require_engine

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ADD = "def f(a, b):\n    return a + b\n"


class Engine:
    """A Docker daemon."""

    def __init__(self, folder: Path) -> None:
        self.host = f"unix://{folder}/sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self._folder
        # In a network of its own: a daemon without a bridge removes the one it finds, which is the first daemon's.
        command = [
            "unshare",
            "--net",
            "dockerd",
            "--data-root",
            f"{folder}/data",
            "--exec-root",
            f"{folder}/exec",
            "-p",
            f"{folder}/pid",
        ]
        options = ["-H", self.host, "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                return check_engine()
            except SandboxError:
                time.sleep(0.2)
        pytest.skip("a second Docker daemon does not start here")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None


@pytest.fixture
def second_engine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    if os.getuid() != 0 or not all(map(shutil.which, ("dockerd", "unshare"))):
        pytest.skip("a second Docker daemon needs root and the programs dockerd and unshare")
    engine = Engine(tmp_path_factory.mktemp("engine"))
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    engine.start()
    yield engine
    engine.stop()


def right_and_wrong(count: int) -> Iterator[Job]:
    for n in range(count):
        yield Job(str(n), ADD, f"import time\ntime.sleep(.02)\nassert f({n}, 1) == {n + n % 2}", "f")


def assert_all_right(outcomes: dict[str, Status], count: int) -> None:
    assert len(outcomes) == count
    assert {key for key, status in outcomes.items() if status is Status.PASSED} == {str(n) for n in range(1, count, 2)}
    assert Status.BROKEN not in outcomes.values()


def test_an_engine_stopped_and_started_in_the_middle(second_engine: Engine):
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


def test_two_engines_at_once(second_engine: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DOCKER_HOST")
    require_engine()
    monkeypatch.setenv("DOCKER_HOST", f"unix:///var/run/docker.sock,{second_engine.host}")
    with open_sandbox("docker", workers=4) as sandbox:
        outcomes = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(200))}
        assert "+" in sandbox.identity
        second_engine.stop()  # the other one goes on alone
        again = {job.key: outcome.status for job, outcome in sandbox.run(right_and_wrong(200))}
    assert_all_right(outcomes, 200)
    assert_all_right(again, 200)
