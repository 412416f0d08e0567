"""Emptying a folder that a hostile program has filled: no recursion, no long path, no link followed."""

import contextlib
import os


def empty_folder(folder: str) -> None:
    """Remove everything in `folder` that this user may remove."""
    top = os.fsencode(folder)
    before = -1
    while names := os.listdir(top):  # noqa: PTH208 - names as bytes: they need not be text
        if len(names) == before and not any(_is_folder(os.path.join(top, name)) for name in names):  # noqa: PTH118
            return  # what is left belongs to another user
        before = len(names)
        for name in names:
            _remove(os.path.join(top, name), top)  # noqa: PTH118


def _remove(path: bytes, top: bytes) -> None:
    with contextlib.suppress(OSError):
        if not _is_folder(path):
            os.unlink(path)  # noqa: PTH108
            return
        os.chmod(path, 0o700)  # noqa: PTH101
        _flatten(path, top)
        os.rmdir(path)  # noqa: PTH106


def _flatten(path: bytes, top: bytes) -> None:
    """Unlink the files of a folder and move its folders up to `top`, so that no path ever grows long."""
    with os.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)  # noqa: PTH101
            os.rename(entry.path, os.path.join(top, os.urandom(8).hex().encode()))  # noqa: PTH104, PTH118
        else:
            os.unlink(entry.path)  # noqa: PTH108


def _is_folder(path: bytes) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114
