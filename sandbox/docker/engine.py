"""The Docker engine: finding it, saying in one sentence why it cannot be used, and whose a container is."""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.job import SandboxError

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "qprobe.sandbox"
OWNER_LABEL = "qprobe.owner"

_PING_SECONDS = 10
_CALL_SECONDS = 60


def hosts() -> list[str | None]:
    """The engines that DOCKER_HOST names, separated by commas; [None], the default one, where it names none."""
    return [*filter(None, os.environ.get("DOCKER_HOST", "").split(","))] or [None]


def check_engine() -> None:
    """Raise SandboxError, with what to do, where a Docker engine does not answer."""
    for host in hosts():
        connect(host, _PING_SECONDS).close()


def connect(host: str | None = None, timeout: float = _CALL_SECONDS) -> "DockerClient":
    """A client of an engine that has answered; by default of the first that DOCKER_HOST names. Raises SandboxError."""
    import docker  # slow to import, and not needed for --help
    from docker.errors import DockerException

    host = host or hosts()[0]
    environment = {**os.environ, "DOCKER_HOST": host} if host else dict(os.environ)
    try:
        client = docker.from_env(timeout=int(timeout), environment=environment)
    except DockerException as error:
        raise SandboxError(_why_not(error, host)) from error
    try:
        client.ping()
    except (DockerException, OSError) as error:
        client.close()
        raise SandboxError(_why_not(error, host)) from error
    return client


def _why_not(error: BaseException, host: str | None = None) -> str:
    where = host or "the default socket"
    text = str(error)
    if "PermissionError" in text or "Permission denied" in text:
        return f"The Docker engine at {where} refuses this user: join the group 'docker', or set DOCKER_HOST."
    if isinstance(error, OSError | ConnectionError) or "Connection" in text or "FileNotFound" in text:
        return f"No Docker engine answers at {where}: start one, set DOCKER_HOST, or choose the process sandbox."
    return f"The Docker engine at {where} cannot be used: {text}"


def owner() -> str:
    """Names this process so that any later process of the same machine can tell whether it still lives."""
    return f"{_machine()}:{os.getpid()}:{_start_time(os.getpid())}"


def _machine() -> str:
    boot = _read("/proc/sys/kernel/random/boot_id") or socket.gethostname()
    try:
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        namespace = ""
    return f"{boot}/{namespace.strip('pid:[]')}"


def _start_time(pid: int) -> str | None:
    stat = _read(f"/proc/{pid}/stat")
    return stat.rpartition(")")[2].split()[19] if stat else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def is_orphan(label: str) -> bool:
    """Return whether the process that `label` names has certainly ended; False for processes of other machines."""
    machine, _, rest = label.partition(":")
    pid, _, started = rest.partition(":")
    return machine == _machine() and pid.isdigit() and _start_time(int(pid)) != started
