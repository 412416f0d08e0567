"""The HTML page: scales, figures, and completions that stay text."""

import base64
import gzip
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reports.browser_data import BrowserData
from harness.reports.build import report_and_page
from harness.reports.render.html import page
from harness.reports.render.html.figure import Figure
from harness.reports.render.html.figures import figures
from harness.reports.render.html.plot import Plot
from harness.reports.render.html.scale import Scale, sample_ticks, spread
from harness.reports.render.numbers import short
from harness.reports.report import Report
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.made_run import fill

HOSTILE = (
    "</script><script>document.title = 'fooled'</script><img src=x onerror=\"document.title='fooled'\">]]>\u2028<!--"
)

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(numbers, st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_are_round_and_within(low: float, width: float, least: int):
    ticks = Scale(low, low + width, 0, 100).ticks(least)
    steps = {f"{b - a:.3g}" for a, b in itertools.pairwise(ticks)}
    assert len(steps) <= 1, "evenly spaced"
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in ticks)
    assert least <= len(ticks) <= 3 * least
    assert all(step.replace(".", "").strip("0").split("e")[0][:1] in "125" for step in steps)


@given(st.integers(2, 10_000))
def test_ticks_of_numbers_of_samples_have_the_first_and_the_last(most: int):
    ticks = [k for k, _ in sample_ticks(most)]
    assert (ticks[0], ticks[-1]) == (1, most)
    assert all(b >= 1.3 * a for a, b in itertools.pairwise(ticks)), "labels on a logarithmic axis stay apart"
    assert len(ticks) >= min(most, 4) - 1


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.floats(1, 8))
def test_spread_labels_are_apart_within_and_in_order(places: list[float], gap: float):
    places = sorted(places)
    moved = spread(places, gap, 0, 100)
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(moved))
    assert moved[0] >= -1e-9
    assert moved[-1] <= 100 + 1e-9
    if all(b - a >= gap for a, b in itertools.pairwise(places)):
        assert moved == pytest.approx(places), "nothing moves without need"


def test_labels_move_as_little_as_possible():
    assert spread([10, 10, 50], 4, 0, 100) == pytest.approx([8, 12, 50])
    assert spread([0, 1, 2], 4, 0, 100) == pytest.approx([0, 4, 8])
    assert spread([99, 99], 4, 0, 100) == pytest.approx([96, 100])


def test_a_scale_maps_its_ends():
    up, log = Scale(2, 4, 100, 0), Scale(1, 100, 0, 10, log=True)
    assert (up(2), up(4), up(3)) == (100, 0, 50)
    assert (log(1), log(10), log(100)) == pytest.approx((0, 5, 10))
    assert Scale(3, 3, 0, 10)(3) == 5, "one number lies in the middle"


def test_a_plot_is_well_formed_and_names_are_text():
    plot = Plot((0, 1), (0, 1), titles=(HOSTILE, "y"))
    plot.line([(0, 0), (1, 1)], "c0", HOSTILE, dots=True)
    plot.label(0.5, 0.5, HOSTILE)
    parsed = Xml.fromstring(str(plot))
    assert {element.tag for element in parsed.iter()} <= {"svg", "g", "line", "text", "polyline", "circle", "title"}
    assert parsed.find(".//polyline").get("points") == "46,278 468,10"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, BrowserData]:
    with Store(tmp_path_factory.mktemp("pages") / "<b>run", create=True) as store:
        fill(store, program=lambda p, n: f"def f():\n    return {n} # {HOSTILE}\n", name=HOSTILE, detail=HOSTILE)
        probe(store, ["mse", "ce"], folds=4)
        return report_and_page(store)


class Tags(HTMLParser):
    """The tags of a page, the way a browser splits it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))


def test_nothing_from_a_model_is_part_of_the_page(hostile: tuple[Report, BrowserData]):
    html = page(*hostile)
    tags = Tags()
    tags.feed(html)
    assert [tag for tag, _ in tags.tags].count("script") == 2
    assert not [tag for tag, _ in tags.tags if tag in ("img", "b", "iframe", "object")]
    assert not [name for _, attributes in tags.tags for name in attributes if name.startswith("on")]
    assert "<img" not in html
    assert html.count("<script") == 2
    assert "&lt;b&gt;run" in html


def test_the_page_asks_nothing_of_a_network(hostile: tuple[Report, BrowserData]):
    tags = Tags()
    tags.feed(page(*hostile))
    links = [value for _, a in tags.tags for name in ("src", "href", "action") if (value := a.get(name))]
    assert all(link.startswith(("#", "data:")) for link in links)
    policy = next(a["content"] for tag, a in tags.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_the_browsers_data_are_the_runs(hostile: tuple[Report, BrowserData]):
    result, data = hostile
    text = re.search(r'id="data">([^<]*)<', page(result, data)).group(1)
    unpacked = json.loads(gzip.decompress(base64.b64decode(text)))
    best = max((row for row in result.rows if row.name in result.hyperparameters), key=lambda row: row.value)
    assert unpacked == {**data, "first": best.name}, "the browser opens on the best objective"
    problem = unpacked["problems"][4]
    assert problem["id"] == f"{HOSTILE}4"
    assert problem["index"] == [0, 1, 2, 3, 4, 5]
    assert problem["status"] == ["passed" if (n + 4) % 3 == 0 else "failed" for n in range(6)]
    assert problem["rate"] == pytest.approx(1 / 3)
    assert problem["detail"][0] == HOSTILE
    assert problem["program"][3] == f"    return 3 # {HOSTILE}\n"
    assert problem["prompt"] + problem["program"][3] == f"def f():\n    return 3 # {HOSTILE}\n"
    assert problem["continues"] == [True] * 6
    for name in ("mse", "ce"):
        best = max(problem["scores"][name])
        assert problem["picked"][name] == [i for i, score in enumerate(problem["scores"][name]) if score == best]


def test_a_page_without_data_has_no_problem_browser(hostile: tuple[Report, BrowserData]):
    report, data = hostile
    complete, alone = page(report, data), page(report)
    for part in ('id="problems"', 'href="#problems"', 'id="data"', 'id="difficulty"'):
        assert part in complete
        assert part not in alone
    assert alone.count("<svg") == complete.count("<svg") - len(report.difficulties)


def test_scores_that_are_not_finite_are_null_in_the_data(hostile: tuple[Report, BrowserData]):
    report, data = hostile
    first, *others = data["problems"]
    scores = {"mse": [float("inf"), float("nan"), *first["scores"]["mse"][2:]], "ce": first["scores"]["ce"]}
    text = re.search(r'id="data">([^<]*)<', page(report, {**data, "problems": [{**first, "scores": scores}, *others]}))
    unpacked = json.loads(gzip.decompress(base64.b64decode(text.group(1))))
    assert unpacked["problems"][0]["scores"]["mse"][:3] == [None, None, first["scores"]["mse"][2]]


def test_a_page_is_the_same_each_time(hostile: tuple[Report, BrowserData]):
    assert page(*hostile) == page(*hostile)


def test_figures_show_the_reports_numbers(hostile: tuple[Report, BrowserData]):
    by_name = {figure.name: figure for figure in figures(*hostile)}
    assert set(by_name) == {"selection", "best-of-k", "frontier", "calibration", "tenths", "difficulty", "statuses"}
    for figure in by_name.values():
        for panel in figure.panels:
            Xml.fromstring(panel)
    row = next(row for row in hostile[0].rows if row.name == "mse")
    assert (
        f"mse: {short(row.value)} [{short(row.low)}, {short(row.high)}], gain {short(row.gain, '+')}"
        in by_name["selection"].panels[0]
    )
    assert "passed: 24" in by_name["statuses"].panels[0]


def polyline(figure: Figure, name: str) -> list[tuple[float, float]]:
    """The corners of a named line, in places of the drawing."""
    line = Xml.fromstring(figure.panels[0]).find(f".//g[@class='series c0'][@data-series='{name}']/polyline")
    return [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]


def test_a_line_goes_through_its_numbers(hostile: tuple[Report, BrowserData]):
    result = hostile[0]
    by_name = {figure.name: figure for figure in figures(*hostile)}
    values = next(line for line in result.best_of_k.lines if line.name == "mse").value
    corners = polyline(by_name["best-of-k"], "mse")
    assert len(corners) == len(values) == 6
    heights = [-y for _, y in corners]
    scale = (heights[-1] - heights[0]) / (values[-1] - values[0])
    assert [(y - heights[0]) / scale + values[0] for y in heights] == pytest.approx(values, abs=0.002)
    assert len(polyline(by_name["frontier"], "mse")) == len(result.frontiers[0].limit)
    assert len(polyline(by_name["calibration"], "mse")) == len(result.calibrations[0].bins)
    assert len(by_name["difficulty"].panels) == 2
    assert by_name["difficulty"].panels[0].count("<circle") == result.problems


def test_layers_are_shown_where_there_were_several(hostile: tuple[Report, BrowserData]):
    result, data = hostile
    several = {
        "mse": [{**choice, "views": [f"{i % 2 + 3}/last"]} for i, choice in enumerate(result.hyperparameters["mse"])]
    }
    views = tuple((layer, pooling) for pooling in ("last", "mean") for layer in range(1, 33))
    changed = replace(result, hyperparameters={**result.hyperparameters, **several}, views=views)
    last, _, mean, _ = {figure.name: figure for figure in figures(changed, data)}["layers"].panels
    assert "mse: layer 3, last, in 2 of 4 folds" in last
    assert "mse: layer 4, last, in 2 of 4 folds" in last
    assert "mse: layer 32, mean, in 0 of 4 folds" in mean
    axis = [text.text for text in Xml.fromstring(last).findall("g[@class='axis']/text")]
    assert axis[:4] == ["1", "3", "5", "7"], "every other layer has a label"


def test_the_page_is_a_file(hostile: tuple[Report, BrowserData], tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_text(page(*hostile), encoding="utf-8")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_one_sample_per_problem_leaves_no_oracle(tmp_path: Path):
    """Its row would have the name of pass@1."""
    with Store(tmp_path / "run", create=True) as store:
        fill(store, samples=1)
        probe(store, ["mse"], folds=2, repeats=2)
        report, data = report_and_page(store)
    assert [row.name for row in report.rows].count("pass@1") == 1
    assert "no selection can exceed it" not in page(report, data)
