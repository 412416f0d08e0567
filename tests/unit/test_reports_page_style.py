"""The page's style: contrast in both themes, series told apart without colour, labels, ticks and values on figures."""

import itertools
import json
import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from harness.commands.show import show_report
from harness.commands.terminal import Terminal
from harness.reports.build import report_and_page
from harness.reports.origin import origin
from harness.reports.render.guide import guide
from harness.reports.render.html import page
from harness.reports.render.html.figure import BASELINES, COLOURS, Figure
from harness.reports.render.html.figures import figures
from harness.reports.render.html.page import ASSETS
from harness.reports.render.numbers import short
from harness.reports.report import Report
from harness.runs.provenance import PROVENANCE_FILE, command, note_stage
from harness.runs.store import Store
from harness.stages.probe import probe
from harness.stats.baselines import USES_LABELS
from tests.made_run import fill

CSS = (ASSETS / "page.css").read_text(encoding="utf-8")
OBJECTIVES = ["mse", "ce", "pg", "pairwise", "hinge", "dpo", "listwise", "copg"]
LEAST_CONTRAST = 4.5
TEXTS = ["ink", "soft", "good", "bad", "accent", *(f"c{i}" for i in range(COLOURS))]
GROUNDS = ["ground", "card", "hover", "code"]


def luminance(colour: str) -> float:
    """Return the relative luminance of #rgb or #rrggbb, as WCAG 2 defines it."""
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005), "the well-known grey that fails"


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_has_enough_contrast_on_every_ground(theme: int):
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    assert len(blocks) == 2
    colours = dict(re.findall(r"--(\w+): (#\w+)", blocks[theme]))
    assert set(TEXTS) | set(GROUNDS) <= set(colours)
    low = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text in TEXTS
        for ground in GROUNDS
        if contrast(colours[text], colours[ground]) < LEAST_CONTRAST
    }
    assert low == {}
    assert contrast(colours["card"], colours["accent"]) >= LEAST_CONTRAST, "the mark of a selected sample"
    assert contrast(colours["plain"], colours["card"]) >= 3, "bars and lines of baselines"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, dict[str, Figure]]:
    """A report with every objective, and its figures by name."""
    with Store(tmp_path_factory.mktemp("style") / "run", create=True) as store:
        fill(store)
        probe(store, OBJECTIVES, folds=4, learning=True)
        report, data = report_and_page(store)
    return report, {figure.name: figure for figure in figures(report, data)}


def look(panel: Xml.Element, name: str) -> tuple[str, str, int]:
    """Return the line style of a series by the style sheet, its marker's kind, and the number of its corners."""
    (group,) = (g for g in panel.iter("g") if g.get("data-series") == name and "series" in g.get("class", ""))
    css = next(part for part in reversed(group.get("class").split()) if part != "series")
    dashes = re.findall(rf"^\.(?:series\.)?{css} polyline \{{.*?stroke-dasharray: ([\d ]+)", CSS, re.MULTILINE)
    polygon, (x, y) = group.find("polygon"), group.find("polyline").get("points").split()[0].split(",")
    corners = polygon.get("points").split() if polygon is not None else []
    places = ((float(a) - float(x), float(b) - float(y)) for a, b in (corner.split(",") for corner in corners))
    shape = " ".join(f"{a:.1f},{b:.1f}" for a, b in places) or str(group.find("circle") is not None)
    return "".join(dashes), shape, len(corners)


def test_each_small_panel_is_headed_by_its_line(drawn: tuple[Report, dict[str, Figure]]):
    curve = drawn[0].learning_curve
    assert curve is not None
    panels = [Xml.fromstring(text) for text in drawn[1]["learning"].panels]
    headings = [next(text.text for text in panel.iter("text") if text.get("class") == "heading") for panel in panels]
    assert headings == [line.name for line in curve.lines]


@pytest.mark.parametrize("name", ["best-of-k", "frontier", "tenths", "calibration"])
def test_series_differ_by_more_than_colour(drawn: tuple[Report, dict[str, Figure]], name: str):
    figure = drawn[1][name]
    for text in figure.panels:
        panel = Xml.fromstring(text)
        looks = {key.name: look(panel, key.name) for key in figure.keys}
        objectives = [looks[name] for name in looks if name in OBJECTIVES]
        assert len({dash for dash, _, _ in objectives}) == len(objectives), "by their dashes alone"
        assert len({shape for _, shape, _ in objectives}) == len(objectives), "by their markers alone"
        assert len(set(looks.values())) == len(looks)
    for key in figure.keys:
        assert "<polyline" in key.sample, "the legend shows the line"


def test_the_style_sheet_has_a_line_style_for_every_class():
    styled = set(re.findall(r"^\.(\w+) polyline \{ stroke-dasharray", CSS, re.MULTILINE))
    assert styled == {f"c{i}" for i in range(1, COLOURS)} | {f"p{i}" for i in range(1, BASELINES)}, "c0, p0: solid"


@pytest.mark.parametrize("name", ["best-of-k", "frontier", "tenths", "calibration"])
def test_lines_are_labelled_at_their_ends(drawn: tuple[Report, dict[str, Figure]], name: str):
    for text in drawn[1][name].panels:
        panel = Xml.fromstring(text)
        width = float(panel.get("viewBox").split()[2])
        lines = {g.get("data-series") for g in panel.iter("g") if g.get("class", "").startswith(("series c", "rule"))}
        ends = {g.get("data-series"): g.find("text") for g in panel.iter("g") if g.get("class", "").startswith("end ")}
        assert lines <= set(ends)
        heights = sorted(float(end.get("y")) for end in ends.values())
        assert all(b - a >= 12.9 for a, b in itertools.pairwise(heights)), "no label covers another"
        assert all(float(end.get("x")) + 6.7 * len(end.text) <= width + 2 for end in ends.values())


def test_every_axis_has_ticks_enough_and_a_title(drawn: tuple[Report, dict[str, Figure]]):
    for figure in drawn[1].values():
        for text in figure.panels:
            axis = Xml.fromstring(text).find("g[@class='axis']")
            titles = [entry.text for entry in axis.findall("text[@class='title']")]
            ticks = [entry for entry in axis.findall("text") if entry.get("class") is None]
            x_ticks = [entry for entry in ticks if entry.get("text-anchor") == "middle"]
            y_ticks = [entry for entry in ticks if entry.get("text-anchor") == "end"]
            assert len(x_ticks) >= 4, figure.name
            assert len(y_ticks) >= min(4, len(drawn[0].statuses)), figure.name
            names_of_bars = figure.name in ("selection", "statuses")
            assert len(titles) == (1 if names_of_bars else 2), f"{figure.name}: bars are named by their ticks"


def test_bars_carry_their_values(drawn: tuple[Report, dict[str, Figure]]):
    report, by_name = drawn
    for text in by_name["selection"].panels:
        labels = [
            group.find("text").text for group in Xml.fromstring(text).findall("g") if group.get("class") == "label "
        ]
        assert labels == [short(row.value) for row in report.rows]


def test_small_multiples_share_their_axes(drawn: tuple[Report, dict[str, Figure]]):
    panels = [Xml.fromstring(text) for text in drawn[1]["difficulty"].panels]
    axes = {Xml.tostring(panel.find("g[@class='axis']")) for panel in panels}
    assert len(panels) == len(OBJECTIVES)
    assert len(axes) == 1


def test_the_page_explains_its_names_at_the_top(drawn: tuple[Report, dict[str, Figure]]):
    html = page(drawn[0])
    top = html[: html.index("<nav>")]
    assert "How to read this" in top
    names = " ".join(re.findall(r"<dt>(.*?)</dt>", top.partition('class="guide"')[2]))
    assert [row.name for row in drawn[0].rows if row.name not in names] == []
    baselines = next(entry for entry in guide(drawn[0]) if "without labels" in entry[1])[0]
    assert "shortest" in baselines
    assert not any(name in baselines for name in USES_LABELS), "the contrast direction needs labels"
    parts = {item.name for item in drawn[0].differences["composed"]}
    assert parts
    assert not any(name in baselines for name in parts), "they need a probe"


def test_the_page_names_date_command_versions_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = tmp_path / "run"
    argv = ["/somewhere/bin/qprobe", "run", str(run), "--model", "hf:<b>M</b>", "--k", "6"]
    monkeypatch.setattr("sys.argv", argv)
    with Store(run, create=True) as store:
        fill(store)
        sampling = {"model": "hf:<b>M</b>", "temperature": 0.7, "top_p": 0.9, "limit": None, "greedy": False}
        note_stage(store, "generate", sampling, seconds=1.0, before=0)
        note_stage(store, "grade", {"sandbox": "docker", "timeout": 2.5}, seconds=1.0, before=0)
        probe(store, ["mse"], folds=4)
        show_report(*report_and_page(store), run, Terminal(quiet=True), "json")
    html = (run / "report.html").read_text()
    first = json.loads((run / PROVENANCE_FILE).read_text().splitlines()[0])
    assert f"qprobe run {run} --model" in html
    assert first["versions"]["python"] in html
    assert first["versions"]["commit"].removesuffix("+") in html
    assert first["ended"][:10] in html
    assert "temperature 0.7, top p 0.9" in html
    assert "sandbox docker, timeout 2.5" in html
    assert "limit" not in dict(origin(run))["Sampling"], "what is not set is left out"
    assert "<b>M</b>" not in html
    assert origin(tmp_path / "none") == []


def test_the_command_of_another_program_is_its_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["/home/someone/work/mine.py", "--secret", "x"])
    assert command() == "mine.py"
    monkeypatch.setattr("sys.argv", ["qprobe", "grade", "a run"])
    assert command() == "qprobe grade 'a run'"
