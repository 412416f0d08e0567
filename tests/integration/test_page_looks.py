"""The look of the page: screenshots at three widths in both themes, contrast, text that overlaps, and the keyboard.

QPROBE_SCREENSHOTS=FOLDER keeps the screenshots, to look at.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.reports.build import report_and_page
from harness.reports.render.html import page
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.browser import expect, open_browser
from tests.made_run import fill

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = {"phone": 390, "tablet": 820, "desktop": 1280}
LEAST_TEXT = 9.0
"""Pixels of the smallest text of a figure."""

CONTRASTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(element).backgroundColor);
      if (a > 0) return [r, g, b];
    }
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("title, option")) continue;
    const style = getComputedStyle(element);
    const colour = numbers(element.closest("svg") ? style.fill : style.color);
    const [low, high] = [luminance(colour), luminance(ground(element))].sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), walker.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
}"""
"""The contrast and the beginning of every text that can be seen."""

TEXTS = """() => [...document.querySelectorAll("svg.plot")].filter((svg) => svg.checkVisibility()).map((svg) => ({
  figure: svg.closest("figure").id,
  left: svg.closest("figure").getBoundingClientRect().left,
  right: svg.closest("figure").getBoundingClientRect().right,
  scale: svg.getBoundingClientRect().width / svg.viewBox.baseVal.width,
  texts: [...svg.querySelectorAll("text")].filter((text) => text.getBoundingClientRect().width).map((text) => {
    const { left, right, top, bottom } = text.getBoundingClientRect();
    return { text: text.firstChild.data, left, right, top, bottom, size: parseFloat(getComputedStyle(text).fontSize) };
  }),
}))"""
"""The places of all texts of the figures that are shown."""


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with every objective, long lists and many layers."""
    folder = tmp_path_factory.mktemp("looks") / "run"
    with Store(folder, create=True) as store:
        fill(store, problems=60, samples=20, name="HumanEval/")
        probe(store, folds=3, preset="paper")  # quick, for one layer; more are pretended
        report, data = report_and_page(store)
    chosen = {
        name: [{**choice, "views": [f"{fold + 1}/last"]} for fold, choice in enumerate(choices)]
        for name, choices in report.hyperparameters.items()
    }
    report = replace(report, hyperparameters=chosen, views=tuple((layer, "last") for layer in range(1, 9)))
    (folder / "report.html").write_text(page(report, data, [("Date", "2026-01-02")]), encoding="utf-8")
    return folder / "report.html"


@pytest.fixture(scope="module")
def unprobed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a graded run without probes, with counts of many digits."""
    folder = tmp_path_factory.mktemp("looks") / "run"
    with Store(folder, create=True) as store:
        fill(store)
        report, data = report_and_page(store)
    many = replace(report, statuses={"failed": 1_234_567, "passed": 1_134_567, "unsupported": 1})
    (folder / "report.html").write_text(page(many, data), encoding="utf-8")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with open_browser() as opened:
        yield opened


def opened(browser: "Browser", html: Path, width: int, scheme: str = "light") -> "Page":
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    tab.goto(html.as_uri())
    tab.wait_for_selector("body[data-ready]")
    return tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_screenshots(browser: "Browser", html: Path, tmp_path: Path, device: str, scheme: str):
    tab = opened(browser, html, WIDTHS[device], scheme)
    folder = Path(os.environ.get("QPROBE_SCREENSHOTS") or tmp_path)
    shot = tab.screenshot(path=folder / f"{device}-{scheme}.png", full_page=True)
    width, height = struct.unpack(">II", shot[16:24])
    assert width == WIDTHS[device], "nothing is wider than the window"
    assert height > 3000
    assert len(shot) > width * height / 100, "a picture with figures and text, not an empty page"
    for figure in tab.locator("figure").all():
        assert len(figure.screenshot()) > 4000, figure.get_attribute("id")
    tab.close()


@pytest.mark.parametrize("device", WIDTHS)
def test_texts_of_figures_are_legible_and_apart(browser: "Browser", html: Path, device: str):
    tab = opened(browser, html, WIDTHS[device])
    assert len(check_texts(tab)) >= 15
    tab.close()


@pytest.mark.parametrize("device", WIDTHS)
def test_figures_without_probes_are_legible(browser: "Browser", unprobed: Path, device: str):
    tab = opened(browser, unprobed, WIDTHS[device])
    assert check_texts(tab) == ["selection", "best-of-k", "statuses"]
    headings = tab.locator("h2").all_inner_texts()
    assert "Baselines" in headings
    assert not any("Probes" in heading for heading in headings)
    shown = tab.locator("#best-of-k .key[aria-pressed=true]").all_inner_texts()
    assert {"shortest", "longest", "agreement (programs)", "pass@k", "pass@1"} <= set(shown)
    assert tab.locator("#best-of-k .key[aria-pressed=false]").count() == 0
    tab.close()


def check_texts(tab: "Page") -> list[str]:
    """Check that the texts of every figure are large enough, within it and apart; return the figures' names."""
    plots = tab.evaluate(TEXTS)
    for plot in plots:
        texts = plot["texts"]
        small = [text["text"] for text in texts if text["size"] * plot["scale"] < LEAST_TEXT]
        assert small == [], plot["figure"]
        outside = [text["text"] for text in texts if not plot["left"] < text["left"] < text["right"] < plot["right"]]
        assert outside == [], plot["figure"]
        covered = [
            (one["text"], other["text"])
            for i, one in enumerate(texts)
            for other in texts[i + 1 :]
            if min(one["right"], other["right"]) - max(one["left"], other["left"]) > 1
            and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 4
        ]
        assert covered == [], plot["figure"]
    return [plot["figure"] for plot in plots]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_that_is_seen_has_enough_contrast(browser: "Browser", html: Path, scheme: str):
    tab = opened(browser, html, WIDTHS["desktop"], scheme)
    for summary in tab.locator("summary").all():
        if summary.evaluate("e => !e.parentElement.open"):
            summary.click()
    tab.hover("#list button >> nth=3")
    contrasts = tab.evaluate(CONTRASTS)
    assert len(contrasts) > 800
    soft = tab.evaluate("getComputedStyle(document.querySelector('.lead')).color")
    assert tab.evaluate("getComputedStyle(document.querySelector('#search'), '::placeholder').color") == soft
    assert [(round(value, 2), text) for value, text in contrasts if value < 4.5] == []
    tab.close()


def test_the_list_is_one_tab_stop_and_keys_move_in_it(browser: "Browser", html: Path):
    tab = opened(browser, html, WIDTHS["desktop"])
    tab.focus("#order")
    tab.keyboard.press("Tab")
    current = "document.activeElement.dataset.id"
    assert tab.evaluate(current) == "HumanEval/0"
    for key, name in (
        ("ArrowDown", 1),
        ("ArrowDown", 2),
        ("ArrowUp", 1),
        ("PageDown", 11),
        ("End", 59),
        ("ArrowDown", 59),
    ):
        tab.keyboard.press(key)
        assert tab.evaluate(current) == f"HumanEval/{name}", key
        expect(tab.locator("#problem h3")).to_have_text(f"HumanEval/{name}")
    assert tab.locator("#list button[tabindex='0']").count() == 1
    tab.keyboard.press("Home")
    assert tab.evaluate(current) == "HumanEval/0"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('#list')") is None, "one press leaves the list"
    tab.keyboard.press("Shift+Tab")
    assert tab.evaluate(current) == "HumanEval/0", "and comes back to the problem that is shown"
    tab.close()


def test_the_list_is_as_long_as_the_details(browser: "Browser", html: Path):
    """It stays beside them, from their top to their bottom, and its problems scroll within it."""
    tab = opened(browser, html, WIDTHS["desktop"])
    for sample in tab.locator("#problem details").all():
        sample.locator("summary").click()
    tab.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    details = tab.locator("#problem").bounding_box()
    assert details["height"] > 1200
    for offset in (0, details["height"] / 3, details["height"] - 900):
        tab.evaluate("(y) => scrollTo({ top: y, behavior: 'instant' })", details["y"] + offset)
        listed = tab.locator("#list").bounding_box()
        assert 0 <= listed["y"] < 20, "its top is in view"
        assert listed["y"] + listed["height"] > 850, "and its end is that of the window"
    tab.locator("#list button").nth(50).click()
    expect(tab.locator("#problem h3")).to_be_in_viewport()
    tab.close()


def test_a_phone_starts_with_the_figures_and_a_desktop_with_the_guide(browser: "Browser", html: Path):
    for device, is_open in (("phone", False), ("desktop", True)):
        tab = opened(browser, html, WIDTHS[device])
        assert tab.evaluate("document.querySelector('.guide').open") == is_open
        assert tab.locator(".guide summary").is_visible()
        tab.close()
