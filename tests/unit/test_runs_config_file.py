"""The settings that a run keeps."""

import math
import tomllib
from pathlib import Path

import pytest

from harness.errors import QprobeError
from harness.runs.config_file import keep_config


def test_later_settings_replace_earlier_ones_and_leave_the_rest(tmp_path: Path):
    keep_config(tmp_path, {"k": 2, "beta": math.inf, "embedder": None})
    keep_config(tmp_path, {"k": 3, "layers": "-1"})
    kept = tomllib.loads((tmp_path / "config.toml").read_text())
    assert kept == {"folder": str(tmp_path), "k": 3, "beta": math.inf, "layers": "-1"}


@pytest.mark.parametrize("text", ["beta = Infinity\n", "k =", "\xff"])
def test_a_file_that_was_broken_by_hand_is_one_sentence(tmp_path: Path, text: str):
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(QprobeError, match=r"is not TOML: .* Correct it, or remove it"):
        keep_config(tmp_path, {"k": 3})
    assert (tmp_path / "config.toml").read_bytes() == text.encode("latin-1")
