"""Runs on a Ray cluster of several nodes: the report of one machine byte by byte, also where nodes die midway."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.mini import MODEL
from harness.cluster.actors import shares
from harness.errors import QprobeError
from harness.runs.store import Store
from scripts.torture_processes import descendants, outliving
from tests.command import REPOSITORY, qprobe
from tests.ray_nodes import RayNodes

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the package ray is not installed")

PROBLEMS, SAMPLES, BLOCK = 40, 6, 12
SECONDS = 600
"""A command that takes longer has hung."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with RayNodes() as started:
        yield started


def command(run: Path, *more: str) -> list[str]:
    """A whole pipeline, which captures its vectors."""
    words = ["run", str(run), "--benchmark", "mini", "--model", f"hf:{MODEL}", "--limit", str(PROBLEMS)]
    words += ["--k", str(SAMPLES), "--block", str(BLOCK), "--max-new-tokens", "48", "--layers", "-1"]
    words += ["--sandbox", "process", "--workers", "1", "--regrade", "4"]
    return [*words, "--objective", "mse", "--preset", "paper", "--folds", "3", "--repeats", "1", *more]


@contextmanager
def started(words: list[str]) -> "Iterator[subprocess.Popen[str]]":
    """Start a command that signals are sent to; it does not outlive the block."""
    environment = {**qprobe.environment, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "harness", *words]
    driver = subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield driver
    finally:
        driver.kill()
        driver.communicate()


def wait_for_samples(run: Path, count: int, driver: "subprocess.Popen[str]") -> None:
    """Return when a run that is under way holds so many samples."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert driver.poll() is None, driver.communicate()
        if (run / "run.sqlite").is_file():
            with suppress(QprobeError), Store(run, read_only=True) as store:  # which may not be whole yet
                if store.count_samples() >= count:
                    return
        time.sleep(0.05)
    raise TimeoutError(f"{run} has no {count} samples")


def actors(nodes: RayNodes) -> list[tuple[int, str]]:
    """The processes of the cluster that hold an actor, with the time at which each started."""

    def title(pid: int) -> bytes:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""

    return [each for each in descendants(nodes.pid) if b"Actor" in title(each[0])]


def test_interrupted_and_with_a_node_killed_it_gives_the_report_of_one_machine(tmp_path: Path, nodes: RayNodes):
    alone, many = tmp_path / "one" / "run", tmp_path / "many" / "run"
    with started(command(alone)) as driver:  # a separate process, with as many threads as the nodes have
        _, said = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 0, said

    with started(command(many, "--ray", nodes.address)) as driver:
        wait_for_samples(many, BLOCK, driver)
        held = actors(nodes)
        assert held, "the nodes draw"
        driver.send_signal(signal.SIGINT)
        _, said = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 130, said
    assert "Traceback" not in said
    assert outliving(held) == []
    with Store(many, read_only=True) as store:
        first = store.count_samples()
    assert 0 < first < PROBLEMS * SAMPLES
    assert first % BLOCK == 0, "whole blocks"

    with started(command(many, "--ray", nodes.address)) as driver:
        wait_for_samples(many, first + 1, driver)
        nodes.kill_a_node()
        out, said = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 0, said
    assert "its work is done again" in said
    assert "raylet" not in out + said
    assert outliving(actors(nodes)) == []
    assert (many / "report.json").read_bytes() == (alone / "report.json").read_bytes()
    with Store(many, read_only=True) as store:
        assert store.count_samples() == PROBLEMS * SAMPLES
        assert store.counts()["vectors"] == PROBLEMS * SAMPLES


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--device", "cuda"], "--device cuda: no node of the Ray cluster has a GPU"),
        (["--device", "cuda:1"], "--device cuda:1 with --ray: choose from auto, cpu, cuda"),
        (["--image", "qprobe-nowhere:1", "--sandbox", "docker"], "No node of the Ray cluster can run programs"),
    ],
)
def test_what_the_nodes_lack_is_said_before_anything_is_done(
    options: list[str], says: str, tmp_path: Path, nodes: RayNodes
):
    done = qprobe(*command(tmp_path / "run", "--ray", nodes.address, *options))
    assert done.returncode == 1, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_another_version_on_a_node_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The nodes find a package of that name first whose version is another."""
    monkeypatch.chdir(tmp_path)  # Ray's workers import from the driver's folder first
    other = tmp_path / "other" / "harness"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('__version__ = "0.0.1"\n')
    with RayNodes(1, PYTHONPATH=os.pathsep.join([str(other.parent), str(REPOSITORY)])) as nodes:
        done = qprobe(*command(tmp_path / "run", "--ray", nodes.address))
    assert done.returncode == 1, done.stderr
    assert "has qprobe 0.0.1, and this machine" in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_is_no_cluster_is_refused_at_once(tmp_path: Path):
    """Ray's own client waits for minutes."""
    import http.server
    import threading

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        done = qprobe(*command(tmp_path / "run", "--ray", address))
        server.shutdown()
    assert done.returncode == 1
    assert f"What answers at --ray {address} is no Ray cluster" in done.stderr


@pytest.mark.parametrize(("workers", "parts"), [(None, [None, None]), (1, [1]), (2, [1, 1]), (5, [2, 3]), (16, [8, 8])])
def test_lanes_share_the_workers(workers: int | None, parts: list[int | None]):
    assert shares(workers, 2) == parts


def test_a_server_is_asked_from_here(tmp_path: Path):
    model = "openai:m,url=http://127.0.0.1:1/v1"
    done = qprobe("generate", str(tmp_path / "run"), "--benchmark", "mini", "--model", model, "--ray", "auto")
    assert done.returncode == 1
    assert "--ray is for models that run on the nodes" in done.stderr
