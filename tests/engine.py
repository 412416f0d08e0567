"""The Docker engine to test with, if one answers."""

import os

import pytest

from sandbox import SandboxError, check_engine


def require_engine() -> None:
    """Skip where no Docker engine answers; under CI that is a failure."""
    try:
        check_engine()
    except SandboxError as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the docker tests: {error}")
        pytest.skip(str(error))
