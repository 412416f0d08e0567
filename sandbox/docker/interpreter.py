"""The running Python interpreter as the file system of an image, made in seconds where no registry can be reached.

It holds the standard library, the shared objects that it needs, time zones and the locale C.UTF-8.
"""

import io
import os
import platform
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import TZPATH

from sandbox.job import SandboxError

_HOME = "usr/local"
_SHORT = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_LEFT_OUT = {
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
}
_OTHER_ZONES = {"posix", "right", "localtime", "posixrules"}
"""The time zones once more, with and without leap seconds, and this machine's own."""

_LOCALES = "/usr/lib/locale"
_LIBRARY_FOLDERS = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")


def version() -> str:
    """The version of the interpreter, as in `3.11.7`."""
    return platform.python_version()


def pack(target: Path, extra: Sequence[Path] = (), programs: Sequence[Path] = ()) -> None:
    """Write a tar file of a root folder with this interpreter in it.

    `extra` folders go to its site-packages; `programs` are put beside it, with the shared objects they need.

    Raises SandboxError where this interpreter cannot run in a container.
    """
    if sys.platform != "linux":
        raise SandboxError("An image can be made of the interpreter on Linux only: name one with --image.")
    with tarfile.open(target, "w") as tar:
        _add_folders(tar)
        _add_files(tar)
        _add_time_zones(tar)
        _add_locale(tar)
        objects = [*_add_interpreter(tar), *_add_packages(tar, extra), *_add_shell(tar), *programs]
        for program in programs:
            _add(tar, program, f"{_HOME}/bin/{program.name}")
        carried = tuple(f"{os.path.realpath(folder)}/" for folder in extra)  # packages find their own by themselves
        needed = {_place(path): os.path.realpath(path) for path in sorted(_shared_objects(objects))}
        for place, path in needed.items():
            if not path.startswith(carried):
                _add(tar, Path(path), place)


def _add_interpreter(tar: tarfile.TarFile) -> list[Path]:
    """Add the interpreter and its standard library. Returns what needs shared objects."""
    binary = Path(os.path.realpath(sys.executable))
    _add(tar, binary, f"{_HOME}/bin/{_SHORT}")
    for name in ("python3", "python"):
        _link(tar, f"{_HOME}/bin/{name}", _SHORT)
    files = list(_library_files())
    for source, name in files:
        _add(tar, source, f"{_HOME}/lib/{_SHORT}/{name}")
    return [binary, *(source for source, _ in files if source.suffix == ".so")]


def _add_packages(tar: tarfile.TarFile, folders: Sequence[Path]) -> list[Path]:
    files = [file for folder in folders for file in _folder_files(folder, left_out=())]
    for source, name in files:
        _add(tar, source, f"{_HOME}/lib/{_SHORT}/site-packages/{name}")
    return [source for source, _ in files if ".so" in source.name]


def _add_time_zones(tar: tarfile.TarFile) -> None:
    """Add the machine's time zones, or those of the package tzdata where it has none."""
    folders = [*map(Path, map(str, TZPATH)), *_packaged_time_zones()]
    folder = next((folder for folder in folders if folder.joinpath("UTC").is_file()), None)
    for source, name in _folder_files(folder, left_out=_OTHER_ZONES) if folder else ():
        if name not in _OTHER_ZONES and not name.endswith((".py", ".pyc")):
            _add(tar, source.resolve(), f"usr/share/zoneinfo/{name}")


def _packaged_time_zones() -> list[Path]:
    package = find_spec("tzdata")
    return [Path(package.origin).parent / "zoneinfo"] if package and package.origin else []


def _add_locale(tar: tarfile.TarFile) -> None:
    """Add C.UTF-8, whose files have one of two names. An interpreter whose libc has it built in needs none."""
    folders = (Path(_LOCALES, name) for name in ("C.utf8", "C.UTF-8"))
    for folder in filter(Path.is_dir, folders):
        for source, name in _folder_files(folder):
            _add(tar, source, f"{_LOCALES.lstrip('/')}/{folder.name}/{name}")


def _add_shell(tar: tarfile.TarFile) -> list[Path]:
    shell = Path(os.path.realpath("/bin/sh"))
    if not shell.exists():
        return []
    _add(tar, shell, "bin/sh")
    return [shell]


def _library_files() -> Iterator[tuple[Path, str]]:
    library = Path(sysconfig.get_path("stdlib"))
    yield from _folder_files(library)
    dynamic = Path(sysconfig.get_config_var("DESTSHARED") or library / "lib-dynload")
    if library not in dynamic.parents:
        yield from ((path, f"lib-dynload/{name}") for path, name in _folder_files(dynamic))


def _folder_files(top: Path, left_out: Collection[str] = frozenset(_LEFT_OUT)) -> Iterator[tuple[Path, str]]:
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in left_out and not name.startswith("config-"))
        for name in sorted(files):
            path = Path(folder, name)
            # Optimised byte code is never asked for.
            if path.is_file() and not name.endswith((".opt-1.pyc", ".opt-2.pyc", ".a")):
                yield path, str(path.relative_to(top))


def _shared_objects(objects: Iterable[Path]) -> set[str]:
    """The shared objects that `objects` need, with the loader, as absolute paths. `ldd` follows the chain."""
    found: set[str] = set()
    try:
        done = subprocess.run(["ldd", *map(str, objects)], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError("The program `ldd` is needed to make an image of this interpreter.") from error
    for line in done.stdout.splitlines():
        words = line.split()
        if line[:1].isspace() and words:
            path = words[2] if "=>" in words and len(words) > 2 else words[0]
            if path.startswith("/"):
                found.add(path)
    return found


def _place(path: str) -> str:
    """The place of a shared object: its own, if the loader looks there, and else one where the loader looks."""
    return path.lstrip("/") if path.startswith(_LIBRARY_FOLDERS) else f"usr/lib/{Path(path).name}"


def _add_folders(tar: tarfile.TarFile) -> None:
    for name, mode in (("tmp", 0o1777), ("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("etc", 0o755)):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        tar.addfile(entry)


def _add_files(tar: tarfile.TarFile) -> None:
    files = {
        "etc/passwd": "root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n",
        "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "etc/hosts": "127.0.0.1 localhost\n",
    }
    for name, text in files.items():
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(text), 0o644
        tar.addfile(entry, io.BytesIO(text.encode()))


def _add(tar: tarfile.TarFile, source: Path, name: str) -> None:
    entry = tar.gettarinfo(source, name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.mode & 0o111 else 0o644
    if entry.islnk():  # a second name of a file already in the archive
        tar.addfile(entry)
        return
    with source.open("rb") as stream:
        tar.addfile(entry, stream)


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)
