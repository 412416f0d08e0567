"""TOML that qprobe writes reads back as it was written."""

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands.config import ConfigValue
from harness.errors import QprobeError
from harness.runs.toml import as_toml, toml_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.dictionaries(TEXTS, st.none() | SCALARS | st.lists(SCALARS))


def given_ones(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None and value != ""}


@given(VALUES)
def test_values_read_back(values: dict[str, object]):
    assert tomllib.loads(toml_text(values)) == given_ones(values)


@given(VALUES, TEXTS)
def test_settings_with_their_sources_read_back(values: dict[str, object], source: str):
    settings = [
        ConfigValue(key, value, source) for key, value in values.items() if key.isidentifier() and key.isascii()
    ]
    expected = given_ones({setting.key: setting.value for setting in settings})
    assert tomllib.loads(as_toml(settings)) == expected


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (math.inf, "beta = inf\n"),
        (-math.inf, "beta = -inf\n"),
        (math.nan, "beta = nan\n"),
        (1e-5, "beta = 1e-05\n"),
        ("a\x7fb", 'beta = "a\\u007fb"\n'),
        (None, ""),
        ("", ""),
    ],
)
def test_a_value_as_toml(value: object, line: str):
    assert toml_text({"beta": value}) == line
    assert repr(tomllib.loads(line).get("beta", value)) == repr(value)


def test_each_setting_names_its_source():
    settings = [
        ConfigValue("k", 5, "--set"),
        ConfigValue("embedder", "", "default"),
        ConfigValue("layers", [1], "a\nb"),
    ]
    assert as_toml(settings) == (
        "k = 5         # --set\n"  #
        "# embedder =  # default\n"
        "layers = [\n    1,\n]             # a\N{REPLACEMENT CHARACTER}b\n"
    )
    assert as_toml([]) == ""


@pytest.mark.parametrize("value", ["results/\udcff", Path("results"), {1, 2}])
def test_what_toml_cannot_hold_is_one_sentence(value: object):
    with pytest.raises(QprobeError, match=r"folder cannot be .* TOML cannot hold it"):
        toml_text({"folder": value})
