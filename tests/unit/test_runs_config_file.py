"""The settings that a run keeps."""

import math
import tomllib
from pathlib import Path

import pytest

from harness.errors import QprobeError
from harness.runs.config_file import folder_of, keep_config


def test_later_settings_replace_earlier_ones_and_leave_the_rest(tmp_path: Path):
    keep_config(tmp_path, {"k": 2, "beta": math.inf, "embedder": None})
    keep_config(tmp_path, {"k": 3, "layers": "-1"})
    kept = tomllib.loads((tmp_path / "config.toml").read_text())
    assert kept == {"k": 3, "beta": math.inf, "layers": "-1"}


def test_the_file_belongs_to_the_folder_that_it_lies_in(tmp_path: Path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    keep_config(old, {"k": 2})
    text = (old / "config.toml").read_text()
    (old / "config.toml").write_text(f'{text}folder = "{old}"\n')  # as an earlier version wrote it
    old.rename(new)
    assert folder_of(new / "config.toml") == new
    keep_config(new, {"k": 3})
    assert tomllib.loads((new / "config.toml").read_text()) == {"k": 3}


def test_a_file_that_a_user_wrote_belongs_to_no_run(tmp_path: Path):
    (tmp_path / "config.toml").write_text("k = 2\n")
    assert folder_of(tmp_path / "config.toml") is None
    assert folder_of(tmp_path / "none" / "config.toml") is None


@pytest.mark.parametrize("text", ["beta = Infinity\n", "k =", "\xff"])
def test_a_file_that_was_broken_by_hand_is_one_sentence(tmp_path: Path, text: str):
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(QprobeError, match=r"is not TOML: .* Correct it, or remove it"):
        keep_config(tmp_path, {"k": 3})
    assert (tmp_path / "config.toml").read_bytes() == text.encode("latin-1")
