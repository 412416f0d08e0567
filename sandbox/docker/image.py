"""The image that containers are made of: a Python interpreter and nothing else. The guest is sent at each start."""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.docker import interpreter
from sandbox.docker.engine import LABEL, connect
from sandbox.job import SandboxError
from sandbox.runners import find_runner

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.errors import APIError

REPOSITORY = "qprobe-sandbox"
_RECIPE = "2"  # raise it when `interpreter.pack` puts other files in
_BUILD_SECONDS = 600


def default_image() -> str:
    """The name of the image made of this interpreter."""
    return f"{REPOSITORY}:py{interpreter.version()}-{_RECIPE}"


def ensure_image(client: "DockerClient", image: str | None = None) -> tuple[str, str]:
    """Find, fetch or build an image. Returns its id and its name. Raises SandboxError.

    `image` is a name that the engine or a registry knows; by default an image is made of the running interpreter.
    """
    name = image or default_image()
    return _find(client, name) or (_pull(client, name) if image else build_image(client)), name


def has_image(client: "DockerClient", image: str | None = None) -> bool:
    """Return whether the engine has an image. Raises SandboxError where `ensure_image` would, but fetches nothing."""
    from docker.errors import APIError

    if _find(client, image or default_image()):
        return True
    if image:
        try:
            client.images.get_registry_data(image)
        except APIError as error:
            raise _unknown(image, error) from error
    return False


def _find(client: "DockerClient", name: str) -> str:
    """The id of an image that the engine has, or ""."""
    from docker.errors import APIError, ImageNotFound

    try:
        return str(client.images.get(name).id)
    except ImageNotFound:
        return ""
    except APIError as error:
        raise SandboxError(f"The Docker engine cannot look up the image {name}: {error.explanation}") from error


def build_image(
    client: "DockerClient", name: str | None = None, extra: Sequence[Path] = (), programs: Sequence[Path] = ()
) -> str:
    """Make an image of the running interpreter, with more as `interpreter.pack` takes it. Returns its id.

    It takes the place of an image that has the name already.
    """
    from docker.errors import APIError

    name = name or default_image()
    repository, _, tag = name.partition(":")
    before = {image.id for image in client.images.list(name)}
    with tempfile.TemporaryDirectory(prefix="qprobe-image-") as folder:
        archive = Path(folder, "root.tar")
        interpreter.pack(archive, extra, programs)
        changes = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", f"LABEL {LABEL}=image"]
        try:
            tag = tag or "latest"
            said = client.api.import_image(src=str(archive), repository=repository, tag=tag, changes=changes)
            made = str(json.loads(said.strip().splitlines()[-1])["status"])
            client.api.tag(made, repository, tag)  # once more, since Podman's import drops the tag
        except APIError as error:
            raise SandboxError(f"The Docker engine did not take the image: {error.explanation}") from error
    for old in before - {made}:
        with contextlib.suppress(APIError):  # containers, or another name, still need it
            client.api.remove_image(old)
    return made


def _pull(client: "DockerClient", name: str) -> str:
    from docker.errors import APIError

    try:
        return str(client.images.pull(name).id)
    except APIError as error:
        raise _unknown(name, error) from error


def _unknown(name: str, error: "APIError") -> SandboxError:
    if error.status_code == 404:
        return SandboxError(f"No registry knows the image {name}.")
    return SandboxError(f"The image {name} is not on the Docker engine and cannot be fetched: {error.explanation}")


def build_with(packages: Sequence[str] = (), languages: Sequence[str] = (), name: str | None = None) -> str:
    """Make an image with extra packages and languages, and return its name, to be given as `image`.

    The packages are installed by this interpreter's pip and copied in, and so is what runs the languages: nothing in
    the image needs a network. Raises SandboxError.
    """
    programs = [find_runner(language) for language in languages]
    for package in packages:
        if package.startswith("-"):
            raise SandboxError(f"{package!r} is an option and no package.")
    added = [*packages, *languages]
    name = name or (f"{default_image()}-with-{_tag(added)}" if added else default_image())
    with tempfile.TemporaryDirectory(prefix="qprobe-packages-") as folder:
        if packages:
            _install(packages, folder)
        with closing(connect()) as client:
            build_image(client, name, [Path(folder)], programs)
    return name


def _install(packages: Sequence[str], folder: str) -> None:
    command = [
        sys.executable,
        "-P",  # modules of the caller's folder may have the names of pip's
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        folder,
        "--only-binary",
        ":all:",
        *packages,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise SandboxError(f"pip could not install {', '.join(packages)}: {said[-1] if said else 'no reason given'}")


def _tag(packages: Sequence[str]) -> str:
    """A tag that docker accepts and a person can read."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(sorted(packages)))[:60].strip("-.")
