"""The connection to a Ray cluster, and what its nodes have. Ray is an optional package, imported when one is joined."""

import contextlib
import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeVar

from harness.errors import QprobeError
from harness.runs.provenance import versions

T = TypeVar("T")

AUTO = "auto"
"""The address that means the cluster of this machine or of RAY_ADDRESS, else one that is started for the command."""

PATIENCE_SECONDS = 600.0
"""The longest wait for the first answer of a node: it starts a process there, which loads torch."""

COMPARED = ("qprobe", "commit", "torch", "transformers")
"""Packages whose versions must agree on all nodes, for one run not to mix two. Ray itself compares Python and Ray."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster, and what of it Ray may give away."""

    id: str
    address: str
    cpus: int
    gpus: int

    def __str__(self) -> str:
        return f"node {self.address} ({self.id[:6]})"


def load_ray() -> Any:  # noqa: ANN401 - an extra's own module
    """Import Ray, which takes seconds. Raises QprobeError where it is not installed."""
    check_installed()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what later versions do; else a warning
    import ray

    return ray


def check_installed() -> None:
    """Raise QprobeError where Ray is not installed."""
    if find_spec("ray") is None:
        raise QprobeError("--ray needs the package ray: pip install 'ray>=2.50', on every node of the cluster.")


@contextlib.contextmanager
def joined(address: str) -> Iterator[list[Node]]:
    """Join a cluster, and yield its nodes; one that is joined already stays so. Raises QprobeError where none answers.

    `auto` is the cluster of RAY_ADDRESS or of this machine, else one that is started, and ends with the block.
    """
    check_address(address)
    ray = load_ray()
    ours = not ray.is_initialized()
    if ours:
        _join(ray, address)
    try:
        yield nodes_of(ray)
    finally:
        if ours:
            ray.shutdown()


def check_address(address: str) -> None:
    """Raise QprobeError for an address that cannot be one, or where no Ray cluster answers."""
    if address == AUTO:
        return
    if not re.fullmatch(r"[\w.-]+:\d{1,5}", address):
        raise QprobeError(
            f"--ray {address!r} is no address: write HOST:PORT as ray start prints it, or auto, and start the command "
            "on a node of the cluster."
        )
    check_installed()
    host, _, port = address.partition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            if not _speaks_http2(connection):
                raise QprobeError(f"What answers at --ray {address} is no Ray cluster: give the port of ray start.")
    except (OSError, OverflowError) as error:
        raise QprobeError(f"No Ray cluster answers at --ray {address} ({error}): start one with ray start.") from error


def _speaks_http2(connection: socket.socket) -> bool:
    """Return whether a server greets as Ray's does; Ray's own client waits minutes for one that does not."""
    settings = b"\0\0\0\4\0\0\0\0\0"
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
    with contextlib.suppress(TimeoutError):
        return connection.recv(9, socket.MSG_WAITALL)[3:4] == settings[3:4]
    return False


def _join(ray: Any, address: str) -> None:  # noqa: ANN401
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        try:
            ray.init(os.environ.get("RAY_ADDRESS", AUTO) if address == AUTO else address, **quiet)
        except ConnectionError:
            if address != AUTO:
                raise
            ray.init("local", include_dashboard=False, **quiet)
    except (Exception, SystemExit) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise QprobeError(f"The Ray cluster of --ray {address} cannot be joined: {reason}.") from error


def nodes_of(ray: Any) -> list[Node]:  # noqa: ANN401
    """Return the nodes that are alive, in an order that does not change."""
    alive = [each for each in ray.nodes() if each["Alive"]]
    nodes = [
        Node(each["NodeID"], each["NodeManagerAddress"], *(int(each["Resources"].get(of, 0)) for of in ("CPU", "GPU")))
        for each in alive
    ]
    return sorted(nodes, key=lambda node: (node.address, node.id))


def on_node(node: Node) -> dict[str, Any]:
    """Return the options of a task or an actor that must run there and nowhere else."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node_id=node.id, soft=False)}


def check_versions(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes that answer, those that have just died left out.

    Raises QprobeError where a node lacks qprobe, or has another version of it or of torch than this machine.
    """

    def look() -> dict[str, str]:  # sent as it is: a node may have no qprobe, or another
        try:
            from harness.runs.provenance import versions
        except ImportError:
            return {"qprobe": str(getattr(sys.modules.get("harness"), "__version__", "none"))}
        return versions()

    own, answers = versions(), ask(nodes, look)
    for node, found in answers.items():
        for name in COMPARED:
            theirs, ours = found.get(name, "none"), own.get(name, "none")
            if theirs != ours:
                raise QprobeError(
                    f"The Ray {node} has {name} {theirs}, and this machine {ours}: install the same on every node, so "
                    "that a run does not mix versions."
                )
    return list(answers)


def ask(nodes: Sequence[Node], question: Callable[[], T]) -> dict[Node, T]:
    """Call a function on every node, and return what each answers; a node that has died is left out.

    Raises QprobeError for one that does not answer, and one where the function fails.
    """
    ray = load_ray()

    def answer() -> Any:  # noqa: ANN401 - Ray takes functions alone, and a node may have no module of this one's types
        return question()

    task = ray.remote(num_cpus=0, max_retries=1)(answer)
    asked = {task.options(**on_node(node)).remote(): node for node in nodes}
    _, silent = ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE_SECONDS)
    if silent:
        raise QprobeError(f"The Ray {asked[silent[0]]} does not answer: take it out of the cluster, or read its logs.")
    answers = {}
    for reference, node in asked.items():
        try:
            answers[node] = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            reason = str(error.cause).strip().split("\n")[0].rstrip(".")
            raise QprobeError(f"The Ray {node} cannot run qprobe: {reason}.") from error
        except ray.exceptions.RayError:
            continue
    return answers
