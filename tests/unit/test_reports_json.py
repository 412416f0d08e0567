"""The JSON of reports: read back as written, documented field by field, without NaN; and the published ones."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import QprobeError
from harness.reports import preferences
from harness.reports.build import report
from harness.reports.compare import Comparison
from harness.reports.inputs import read_inputs
from harness.reports.json_values import from_jsonable, jsonable
from harness.reports.origin import origin
from harness.reports.preferences import PreferenceReport
from harness.reports.render import preference_files
from harness.reports.render.files import FILES
from harness.reports.render.html import page
from harness.reports.render.html.preferences import preference_page
from harness.reports.render.text import csv_text
from harness.reports.report import Report
from harness.reports.transfer import TransferReport
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.command import REPOSITORY
from tests.made_run import fill

PUBLISHED = sorted((REPOSITORY / "results" / "reference").glob("*/report.json"))


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report with every section."""
    with Store(tmp_path_factory.mktemp("json") / "run", create=True) as store:
        fill(store)
        probe(store, ["mse", "pg"], folds=4, learning=True, repeats=2)
        store.add_verdicts("g regrade", dict(list(store.verdicts("g").items())[:5]))
        return report(read_inputs(store))


def strictly(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Parse JSON as other languages do, which know no NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_report_is_read_back_as_it_was_written(complete: Report):
    data = strictly(FILES["json"](complete))
    again = Report.from_json(data)
    assert again.as_json() == complete.as_json() == data
    for ending, render in FILES.items():
        assert render(again) == render(complete), ending
    assert page(again) == page(complete)
    assert math.isnan(again.rows[0].p), "null is a number that does not exist"
    assert again.samples_per_problem == complete.samples_per_problem == (6, 6)
    assert again.stability == complete.stability is not None


def test_every_table_of_the_page_has_a_title(complete: Report):
    _, _, html = page(complete).partition('id="tables"')
    titles = re.findall(r"<summary><h2>(.*?)</h2>", html)
    assert len(titles) == len(set(titles)) == 16
    assert {
        "Probes against their own controls",
        "Best objective against the others",
        "Repeated cross-validation",
        "Learning curve",
    } <= set(titles)


def test_a_report_without_values_per_problem_is_read_back(complete: Report):
    small = replace(complete, per_problem=None)
    assert "per_problem" not in small.as_json()
    assert Report.from_json(strictly(FILES["json"](small))).per_problem is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "qprobe-report/1"}, "schema 'qprobe-report/1' instead of 'qprobe-report/2'"),
        ({"problems": "twelve"}, "problems is str instead of int"),
        ({"problems": True}, "problems is bool instead of int"),
        ({"rows": [{"name": "mse"}]}, r"rows\[0\]\.value is missing"),
        ({"samples_per_problem": [1, 2, 3]}, "samples_per_problem holds 3 items instead of 2"),
        ({"statuses": {"passed": 0.5}}, r"statuses\.passed is float instead of int"),
    ],
)
def test_a_report_of_another_layout_is_refused(complete: Report, change: dict[str, Any], message: str):
    with pytest.raises(QprobeError, match=message):
        Report.from_json({**complete.as_json(), **change})
    data = complete.as_json()
    del data["ks"]
    with pytest.raises(QprobeError, match="ks is missing"):
        Report.from_json(data)


def test_fields_of_a_later_version_are_ignored(complete: Report):
    assert Report.from_json({**complete.as_json(), "added": 1}).as_json() == complete.as_json()


@dataclass(frozen=True)
class Inner:
    number: float
    maybe: float | None


@dataclass(frozen=True)
class Outer:
    pairs: tuple[tuple[int, str], ...]
    by_name: dict[str, list[Inner]]
    other: dict[str, Any]


numbers = st.floats(allow_nan=True, allow_infinity=False)
inners = st.builds(Inner, numbers, st.none() | st.floats(allow_nan=False, allow_infinity=False))
outers = st.builds(
    Outer,
    st.lists(st.tuples(st.integers(), st.text())).map(tuple),
    st.dictionaries(st.text(), st.lists(inners, max_size=3), max_size=3),
    st.dictionaries(st.text(), st.none() | st.booleans() | st.text(), max_size=3),
)


@given(outers)
def test_values_survive_json(value: Outer):
    text = json.dumps(jsonable(asdict(value)), allow_nan=False)
    assert repr(from_jsonable(Outer, json.loads(text))) == repr(value), "repr, because NaN differs from itself"


@given(st.recursive(st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_value_becomes_nan_in_json_or_csv(value: object):
    strictly(json.dumps(jsonable({"value": value})))
    (row,) = csv.DictReader(io.StringIO(csv_text([{"value": value if isinstance(value, float) else 0.0}])))
    assert row["value"] not in ("nan", "inf", "-inf")


def test_a_row_without_values_is_empty_in_every_form(complete: Report):
    missing = dict.fromkeys(("value", "low", "high", "gain", "gain_low", "gain_high", "p", "p_holm"), math.nan)
    rows = (complete.rows[0], replace(complete.rows[1], **missing), *complete.rows[2:])
    changed = replace(complete, rows=rows)
    strictly(FILES["json"](changed))
    for ending, render in FILES.items():
        assert not re.search(r"\b(nan|inf)\b", render(changed), re.IGNORECASE), ending


def names_of(kind: Any) -> Iterator[str]:  # noqa: ANN401 - a type
    """Yield the field names of a dataclass and of those inside it."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        for field in fields(kind):
            yield field.name
            yield from names_of(hints[field.name])
    for argument in get_args(kind):
        yield from names_of(argument)


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        (Report, "## report.json"),
        (TransferReport, "## transfer/report.json"),
        (Comparison, "## Comparisons"),
    ],
)
def test_every_field_is_documented(complete: Report, kind: Any, heading: str):  # noqa: ANN401 - a type
    text = (REPOSITORY / "results" / "README.md").read_text()
    section = text.partition(f"{heading}\n")[2].partition("\n## ")[0]
    names = set(names_of(kind))
    if kind is Report:
        assert {"gain_without_length", "of_k", "best_sample_passed", "second"} <= names
        names |= {*complete.settings, *complete.settings["grid"], *complete.hyperparameters["mse"][0]}
    else:
        section += text.partition("## report.json\n")[2].partition("\n## ")[0]
    assert [name for name in sorted(names) if f"`{name}`" not in section] == []
    assert f"`{kind.as_json.__globals__['SCHEMA']}`" in section


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_reports_are_read_and_shown(path: Path):
    data = strictly(path.read_text())
    if path.parent.name.startswith("transfer-"):
        assert TransferReport.from_json(data).as_json() == data
        return
    if data["schema"] == preferences.SCHEMA:
        pairs = PreferenceReport.from_json(data)
        assert pairs.as_json() == data
        for ending, render in preference_files.FILES.items():
            assert path.with_suffix(f".{ending}").read_text() == render(pairs), ending
        assert path.with_suffix(".html").read_text() == preference_page(pairs, origin(path.parent))
        return
    published = Report.from_json(data)
    assert published.as_json() == data
    for ending, render in FILES.items():
        assert path.with_suffix(f".{ending}").read_text() == render(published), ending
    assert path.with_suffix(".html").read_text() == page(published, origin=origin(path.parent))


def test_the_published_reports_are_listed():
    listed = (REPOSITORY / "results" / "reference" / "README.md").read_text().partition("\n\n#")[0]
    assert len(PUBLISHED) >= 9
    assert [path.parent.name for path in PUBLISHED if f"`{path.parent.name}`" not in listed] == []
