"""Removing what killed runs left at the engine."""

from contextlib import closing
from typing import TYPE_CHECKING, Any

from sandbox.docker import engine

if TYPE_CHECKING:
    from docker import DockerClient


def collect_leftovers() -> list[str]:
    """Remove the containers of runs that have ended. Returns their names. Raises SandboxError without an engine."""
    removed = []
    for host in engine.hosts():
        with closing(engine.connect(host)) as client:
            removed += remove_leftovers(client)
    return removed


def remove_leftovers(client: "DockerClient") -> list[str]:
    """The same, with a client at hand."""
    from docker.errors import APIError, NotFound

    removed = []
    for container in client.api.containers(all=True, filters={"label": f"{engine.LABEL}=guest"}):
        if not (engine.is_orphan(container["Labels"].get(engine.OWNER_LABEL, "")) or _is_over(container)):
            continue
        try:
            client.api.remove_container(container["Id"], force=True)
        except (NotFound, APIError):  # another process, or the engine, is removing it
            continue
        removed.append(container["Names"][0].lstrip("/") if container["Names"] else container["Id"][:12])
    return removed


def _is_over(container: dict[str, Any]) -> bool:
    return container["State"] in ("exited", "dead")
