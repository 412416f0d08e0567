"""Guests in Docker containers: how a container is walled in, and the raw stream to its supervisor."""

import contextlib
import secrets
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.backend import GuestError
from sandbox.bootstrap import BOOTSTRAP, FLAGS, guest_digest, guest_payload
from sandbox.docker import engine
from sandbox.docker.image import ensure_image, has_image
from sandbox.docker.leftovers import remove_leftovers
from sandbox.docker.podman import PodmanTerms, is_podman
from sandbox.docker.seccomp import profile
from sandbox.job import Limits, SandboxError

if TYPE_CHECKING:
    from docker import DockerClient

_TMPFS = {"/tmp": 64 * 2**20, "/dev/shm": 16 * 2**20}
"""The folders that programs may write to, and the bytes that fit in."""

_TMPFS_OPTIONS = "rw,nosuid,nodev,size={},nr_inodes=8192,mode=1777"
_OVERHEAD_BYTES = 128 * 2**20
_EXTRA_PIDS = 25  # supervisor, examiner, zygote and cleaner, and the tests' own processes

_ENGINES_OWN = """
    /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi
    /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware
"""
_COUNTERS = """
    /proc/diskstats /proc/loadavg /proc/locks /proc/meminfo /proc/pressure /proc/softirqs /proc/stat /proc/sys/fs
    /proc/vmstat /sys/devices /sys/kernel
"""
_MASKED = [*_ENGINES_OWN.split(), *_COUNTERS.split()]
"""Paths that look empty, since they count what all programs do. Few, because each is a mount at every start: Landlock
closes all of /proc and /sys to programs where the kernel has it."""


class DockerBackend:
    """Starts containers of one image on one engine."""

    def __init__(
        self,
        image: str | None,
        largest: Limits,
        runtime: str | None = None,
        host: str | None = None,
        loopback: bool = False,
    ) -> None:
        """No job may use more than `largest`. `runtime` is one that the engine at `host` knows, such as `runsc`.

        With `loopback`, programs may open sockets to one another.
        """
        self._loopback = loopback
        self._image = image
        self._largest = largest
        self._runtime = runtime
        self._host = host
        self._client: DockerClient | None = None
        self._image_id = ""
        self._seccomp: str | None = None
        self._podman: PodmanTerms | None = None
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        loopback = ":loopback" if self._loopback else ""
        return f"docker:{self._image_id.removeprefix('sha256:')[:16]}:{guest_digest()}{loopback}"

    @property
    def image(self) -> str:
        return self._image_id

    def is_ready(self) -> bool:
        with contextlib.closing(engine.connect(self._host)) as client:
            self._check_runtime(client.info())
            return has_image(client, self._image)

    def open(self) -> None:
        self._client = engine.connect(self._host)
        facts = self._client.info()
        self._check_runtime(facts)
        self._seccomp = profile(str(facts.get("Architecture", "")), self._loopback)
        if is_podman(self._client):
            self._podman = PodmanTerms(self._seccomp)
        remove_leftovers(self._client)
        self._image_id, _ = ensure_image(self._client, self._image)

    def start(self, place: int | None) -> "ContainerGuest":
        client = self._client
        if client is None:
            raise SandboxError("The sandbox is not open: use it in a `with` statement.")
        from docker.errors import DockerException, ImageNotFound

        try:
            return ContainerGuest(client, self._create(client), place)
        except ImageNotFound:
            with self._lock:  # removed behind our back: one thread builds it again, the others find it
                self._image_id, _ = ensure_image(client, self._image)
            raise GuestError("the image was gone") from None
        except (DockerException, OSError) as error:
            raise GuestError(f"the engine made no container: {error}") from error

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._podman is not None:
            self._podman.close()
            self._podman = None

    def _check_runtime(self, facts: Mapping[str, Any]) -> None:
        if self._runtime and self._runtime not in (known := facts.get("Runtimes") or {self._runtime: None}):
            raise SandboxError(f"The Docker engine has no runtime {self._runtime!r}: it has {', '.join(known)}.")

    def _create(self, client: "DockerClient") -> str:
        api = client.api
        made = api.create_container(
            self._image_id,
            ["python3", *FLAGS, "-c", BOOTSTRAP],
            name=f"qprobe-{secrets.token_hex(6)}",
            user="0:0",
            stdin_open=True,
            network_disabled=True,
            hostname="sandbox",
            working_dir="/tmp",
            entrypoint=[],
            environment=_ENVIRONMENT,
            labels={engine.LABEL: "guest", engine.OWNER_LABEL: engine.owner()},
            host_config={**api.create_host_config(**self._walls()), "MaskedPaths": _MASKED},
        )
        return str(made["Id"])

    def _walls(self) -> dict[str, Any]:
        """The options that confine a program. The reasons are in docs/threats.md."""
        memory = self._largest.memory_bytes + sum(_TMPFS.values()) + _OVERHEAD_BYTES
        walls = {
            "auto_remove": True,
            "network_mode": "none",
            "read_only": True,
            "cap_drop": ["ALL"],
            "cap_add": ["SETUID", "SETGID", "KILL"],
            "security_opt": ["no-new-privileges:true", *([f"seccomp={self._seccomp}"] if self._seccomp else [])],
            "pids_limit": self._largest.processes + _EXTRA_PIDS,
            "mem_limit": memory,
            "memswap_limit": memory,
            "tmpfs": {path: _TMPFS_OPTIONS.format(size) for path, size in _TMPFS.items()},
            "ipc_mode": "private",
            "sysctls": {"fs.mqueue.queues_max": "0", "kernel.shmmni": "0", "kernel.msgmni": "0"},
            "log_config": {"Type": "none"},
            "ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 1024, "Hard": 1024}],
            "init": False,
            "runtime": self._runtime,
        }
        return self._podman.walls(walls) if self._podman else walls


_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONSAFEPATH": "1",
    "PYTHONHASHSEED": "0",  # the order of a set must not change a verdict
    "LD_BIND_NOW": "1",  # once at the start instead of once in every fork
}


class ContainerGuest:
    """One container, attached to before it starts."""

    def __init__(self, client: "DockerClient", container_id: str, place: int | None) -> None:
        """Attach to a new container, start it, and send the guest's source."""
        self._api = client.api
        self._id = container_id
        self._errors = b""
        self._buffer = bytearray()
        self._in_use = threading.Lock()  # of the socket
        parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove)
            attached = self._api.attach_socket(container_id, params=parameters)
            # docker-py keeps the response at the socket where it can: closed, it closes both.
            self._response = getattr(attached, "_response", attached)
            undo.callback(self._response.close)
            self._socket: socket.socket = getattr(attached, "_sock", attached)
            self._api.start(container_id)
            uid = 100_000 + secrets.randbelow(2**30) * 2
            settings = {"kind": "container", "uid": uid, "folders": tuple(_TMPFS), "place": place}
            self._socket.settimeout(30)
            self._socket.sendall(guest_payload(settings))
            undo.pop_all()

    def write(self, data: bytes) -> None:
        try:
            with self._in_use:
                self._socket.sendall(data)
        except OSError as error:
            raise GuestError(self._story(error)) from error

    def read_exact(self, size: int, timeout: float) -> bytes:
        try:
            with self._in_use:
                self._socket.settimeout(timeout)
                while len(self._buffer) < size:
                    self._receive()
        except OSError as error:
            raise GuestError(self._story(error)) from error
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def stop(self) -> None:
        # Another thread may be waiting for bytes: the shutdown wakes it, and only then may the descriptor be closed.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._in_use, contextlib.suppress(OSError):
            self._response.close()
        self._remove()

    def _receive(self) -> None:
        """Take one chunk of the engine's stream, in which 8 bytes before each part say whose output it is."""
        header = self._take(8)
        size = int.from_bytes(header[4:8], "big")
        part = self._take(size)
        if header[0] == 1:
            self._buffer += part
        else:
            self._errors = (self._errors + part)[-2000:]

    def _take(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._socket.recv(size - len(parts))
            if not part:
                raise ConnectionError("the container has ended")
            parts += part
        return bytes(parts)

    def _story(self, error: BaseException) -> str:
        said = self._errors.decode("utf-8", "replace").strip().splitlines()
        return f"{error}: {said[-1]}" if said else str(error) or type(error).__name__

    def _remove(self) -> None:
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, OSError):
            self._api.remove_container(self._id, force=True)
