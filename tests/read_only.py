"""A folder on a disk that cannot be written to, for commands that only read."""

import shutil
import subprocess
from pathlib import Path

import pytest

MOUNT = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def require_mounts(folder: Path) -> None:
    """Skip the test where this user may not mount."""
    if shutil.which("unshare") is None or run_on_read_only_disk(folder, "true").returncode:
        pytest.skip("needs a user who may mount")


def run_on_read_only_disk(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that sees `folder` on a disk that cannot be written to."""
    words = ["unshare", "--mount", "sh", "-c", MOUNT, str(folder), *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
