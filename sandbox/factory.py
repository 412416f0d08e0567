"""The way in: a sandbox by the name of its kind."""

from typing import Literal

from sandbox.job import Limits, Sandbox

SandboxKind = Literal["docker", "process"]


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
    Entering raises SandboxError where there is no engine, or the engine refuses, or the image cannot be had.
    """
    from sandbox.pool import Pool

    largest = largest or Limits()
    if kind == "process":
        from sandbox.process import ProcessBackend

        return Pool(ProcessBackend(loopback), workers)
    from sandbox.docker.container import DockerBackend
    from sandbox.docker.engine import hosts
    from sandbox.docker.multi import MultiBackend

    engines = [DockerBackend(image, largest, runtime, host, loopback) for host in hosts()]
    return Pool(engines[0] if len(engines) == 1 else MultiBackend(engines), workers)
