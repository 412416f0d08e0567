"""The way in: a sandbox by the name of its kind."""

from contextlib import closing
from typing import TYPE_CHECKING, Literal

from sandbox.job import Limits, Sandbox, SandboxError

if TYPE_CHECKING:
    from sandbox.backend import Backend

SandboxKind = Literal["docker", "process"]

TRIES = 3
"""The guests that `try_sandbox` starts before it says that none can be started."""


def open_sandbox(
    kind: SandboxKind = "docker",
    workers: int | None = None,
    image: str | None = None,
    *,
    runtime: str | None = None,
    largest: Limits | None = None,
    loopback: bool = False,
) -> Sandbox:
    """A sandbox to be used in a `with` statement, which does the slow work (image, containers).

    `workers` programs run at once. `image` and `runtime` name what the Docker engine should use instead of its default
    and of an image made of this interpreter; DOCKER_HOST may name several engines, separated by commas. No job may ask
    for more memory or processes than `largest`. With `loopback`, programs may open sockets to 127.0.0.1: counters
    of them stay for later programs, so it is for benchmarks whose programs need it.
    Raises SandboxError for an unknown kind and for fewer than one worker; entering raises it where there is no engine,
    or the engine refuses, or the image cannot be had.
    """
    from sandbox.pool import Pool

    if workers is not None and workers < 1:
        raise SandboxError(f"workers is the number of programs run at once and must be at least 1, not {workers}.")
    return Pool(_backend(kind, image, runtime, largest or Limits(), loopback), workers)


def try_sandbox(
    kind: SandboxKind = "docker", image: str | None = None, *, runtime: str | None = None, fetch: bool = True
) -> None:
    """Start one guest and end it. Raises SandboxError, with what to do, where programs cannot run.

    A guest may be lost by chance, killed for lack of memory say: TRIES lost in a row are no chance.
    Without `fetch`, an image that the engine lacks is looked up, but neither fetched nor made, and no guest is started.
    """
    from sandbox.backend import GuestError
    from sandbox.connection import GuestConnection

    backend = _backend(kind, image, runtime, Limits(), loopback=False)
    if not backend.is_ready() and not fetch:
        return
    with closing(backend):
        backend.open()
        for left in reversed(range(TRIES)):
            try:
                guest = backend.start(None)
                try:
                    GuestConnection(guest, 0)
                finally:
                    guest.stop()
            except GuestError as error:
                if not left:
                    raise SandboxError(f"The {kind} sandbox cannot run programs: {error}.") from error
            else:
                return


def _backend(kind: SandboxKind, image: str | None, runtime: str | None, largest: Limits, loopback: bool) -> "Backend":
    """The backend of a kind. Raises SandboxError for an unknown one."""
    if kind == "process":
        for name, value in (("image", image), ("runtime", runtime)):
            if value is not None:
                raise SandboxError(f"The process sandbox has no {name}: leave out {value!r}, or choose docker.")
        from sandbox.process import ProcessBackend

        return ProcessBackend(loopback)
    if kind != "docker":
        raise SandboxError(f"Unknown sandbox {kind!r}. Choose from docker, process.")
    from sandbox.docker.container import DockerBackend
    from sandbox.docker.engine import hosts
    from sandbox.docker.multi import MultiBackend

    engines = [DockerBackend(image, largest, runtime, host, loopback) for host in hosts()]
    return engines[0] if len(engines) == 1 else MultiBackend(engines)
