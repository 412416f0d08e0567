"""The requests that Podman, which speaks Docker's interface, needs in another form."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

_SECCOMP = "seccomp="
_PROCESSES = 4096  # of root in a container; Podman's own default is more than some machines allow


def is_podman(client: "DockerClient") -> bool:
    """Return whether the engine is Podman."""
    return any("Podman" in part.get("Name", "") for part in client.version().get("Components") or [])


class PodmanTerms:
    """Says in Podman's terms how a container is walled in.

    The profile of system calls is a file's name there, so the engine must run on this machine. The number of files in a
    tmpfs cannot be limited, only their memory.
    """

    def __init__(self, seccomp: str | None) -> None:
        """Keep the profile `seccomp` in a file until `close`."""
        self._folder = tempfile.TemporaryDirectory(prefix="qprobe-seccomp-")
        self._file = Path(self._folder.name, "profile.json")
        self._file.write_text(seccomp or "")

    def walls(self, walls: dict[str, Any]) -> dict[str, Any]:
        """The host configuration `walls`, which is in Docker's terms."""
        limit = {"Name": "nproc", "Soft": _PROCESSES, "Hard": _PROCESSES}
        return {
            **walls,
            "security_opt": [
                f"{_SECCOMP}{self._file}" if option.startswith(_SECCOMP) else option for option in walls["security_opt"]
            ],
            "tmpfs": {path: _without_inodes(settings) for path, settings in walls["tmpfs"].items()},
            "ulimits": [*walls["ulimits"], limit],
        }

    def close(self) -> None:
        """Remove the file."""
        self._folder.cleanup()


def _without_inodes(settings: str) -> str:
    return ",".join(each for each in settings.split(",") if not each.startswith("nr_inodes="))
