"""The HTML page in a real browser: it loads alone, search and filters work, and hostile programs stay text."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.commands.show import show_report
from harness.commands.terminal import Terminal
from harness.reports.build import report_and_page
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.browser import expect, open_browser
from tests.made_run import fill

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = (
    "</script><script>document.title='fooled'</script>",
    "<img src=x onerror=\"document.title='fooled'\">",
    "<svg onload=\"document.title='fooled'\">",
    "<iframe srcdoc=\"<script>parent.document.title='fooled'</script>\"></iframe>",
    "<!-- ]]> &lt;b&gt; \u2028 \x07 \u202e",
)


def program(problem: int, sample: int) -> str:
    """Programs that try to become part of the page, and one word to look for."""
    text = "needle" if (problem, sample) == (3, 5) else HOSTILE[sample % len(HOSTILE)]
    return f"def f():\n    '''{text}'''\n    return {problem}\n"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which every word that can be hostile is."""
    folder = tmp_path_factory.mktemp("browser") / "<img src=x onerror=alert(1)>"
    with Store(folder, create=True) as store:
        fill(store, program=program, name="<i>M</i>", detail=HOSTILE[1], samples=36)
        probe(store, ["mse", "ce"], folds=4)
        show_report(*report_and_page(store), folder, Terminal(quiet=True), "json")
    return folder / "report.html"


@pytest.fixture
def shown(html: Path) -> Iterator["Page"]:
    """The page, loaded. Whatever it complains of, or asks of a network, fails the test."""
    with open_browser() as browser:
        tab = browser.new_page()
        complaints: list[str] = []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: request.url == html.as_uri() or complaints.append(request.url))
        tab.goto(html.as_uri())
        tab.wait_for_selector("body[data-ready]")
        yield tab
        assert complaints == []


def listed(page: "Page") -> list[str]:
    """The problems in the list."""
    return page.locator("#list .id").all_inner_texts()


def test_it_loads_alone_and_filters(shown: "Page"):
    assert len(listed(shown)) == 12
    assert shown.locator("#count").inner_text() == "12 of 12 problems, 432 samples"
    assert shown.locator("svg.plot").count() >= 3

    shown.fill("#search", "NEEDLE")
    expect(shown.locator("#list li")).to_have_count(1)
    assert listed(shown) == ["<i>M</i>3"]
    assert shown.locator("#count").inner_text() == "1 of 12 problems, 1 sample"
    assert shown.locator("#problem .sample .verdict").all_inner_texts() == ["failed"]
    assert "q=NEEDLE" in shown.url

    shown.fill("#search", "")
    shown.select_option("#show", "none")
    expect(shown.locator("#list li")).to_have_count(0)
    assert "No matches." in shown.locator("#problem").inner_text()
    shown.select_option("#show", "mixed")
    shown.select_option("#status", "passed")
    assert shown.locator("#count").inner_text() == "12 of 12 problems, 144 samples"
    expect(shown.locator("#problem .verdict")).to_have_count(12)
    assert set(shown.locator("#problem .verdict").all_inner_texts()) == {"passed"}


def test_a_filter_sees_a_search_that_was_just_typed(shown: "Page"):
    """Without this, a filter within the delay of the search counts by the earlier words."""
    shown.evaluate(
        """() => {
          const [search, status] = ["search", "status"].map((id) => document.getElementById(id));
          search.value = "needle";
          search.dispatchEvent(new Event("input"));
          status.value = "failed";
          status.dispatchEvent(new Event("change"));
        }"""
    )
    assert shown.locator("#count").inner_text() == "1 of 12 problems, 1 sample"


def test_samples_come_as_they_are_asked_for(shown: "Page"):
    shown.locator("#list button").nth(2).click()
    assert shown.locator("#problem h3").inner_text() == "<i>M</i>2"
    samples = shown.locator("#problem .verdict")
    assert samples.count() == 30
    assert samples.first.inner_text() == "passed", "the best score comes first"
    assert shown.locator("#problem .pick").first.inner_text().startswith("selected by")
    shown.locator(".more-button").click()
    assert samples.count() == 36
    assert shown.locator("#problem .why").last.inner_text() == HOSTILE[1]


def test_hostile_programs_stay_text(shown: "Page"):
    for sample in shown.locator("#problem details").all():
        sample.locator("summary").click()
    expect(shown.locator("#problem pre")).to_have_count(32)  # the prompt, the tests, and 30 samples
    code = "\n".join(shown.locator("#problem pre").all_inner_texts())
    for text in HOSTILE[:4]:
        assert text in code
    assert shown.title().startswith("<img src=x onerror=alert(1)>")
    assert shown.locator("img, iframe, body i i").count() == 0
    assert {"U+2028", "U+0007", "U+202E"} == set(shown.locator("#problem .unseen").all_inner_texts())


def test_the_whole_program_is_shown_and_copied(html: Path):
    """The prompt and what follows it, as it was run; where a page may use the clipboard, and where it may not."""
    for is_allowed in (True, False):
        with open_browser() as browser:
            tab = browser.new_context().new_page()
            if not is_allowed:
                tab.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
            tab.goto(f"{html.as_uri()}#problem=%3Ci%3EM%3C%2Fi%3E3")
            tab.wait_for_selector("body[data-ready]")
            sample = tab.locator("#problem .sample", has=tab.get_by_text("#3", exact=True))
            sample.locator("summary").click()
            assert sample.locator("pre").inner_text() == program(3, 3)
            sample.locator(".copy").click()
            expect(sample.locator(".copy")).to_have_text("Copied")
            tab.evaluate("document.body.append(Object.assign(document.createElement('textarea'), { id: 'paste' }))")
            tab.focus("#paste")
            tab.keyboard.press("Control+V")
            assert tab.locator("#paste").input_value() == program(3, 3)


def test_values_that_came_back_stand_on_their_own_line(tmp_path: Path):
    value = f"f() returned {HOSTILE[0]!r}"
    with Store(tmp_path, create=True) as store:
        fill(store, detail=f"assert f() == 3 # {value}")
        probe(store, ["mse"], folds=4)
        show_report(*report_and_page(store), tmp_path, Terminal(quiet=True), "json")
    with open_browser() as browser:
        tab = browser.new_page()
        tab.goto((tmp_path / "report.html").as_uri())
        tab.wait_for_selector("body[data-ready]")
        sample = tab.locator("#problem .sample", has=tab.locator(".values")).first
        assert sample.locator(".why").inner_text() == value, "of a closed sample, since the samples share the assertion"
        sample.locator("summary").click()
        assert sample.locator(".why").inner_text() == f"assert f() == 3\n{value}"
        assert "fooled" not in tab.title()


def test_what_is_searched_for_is_marked(shown: "Page"):
    shown.fill("#search", "RETURN 3")  # two words of different colours
    expect(shown.locator("#list li")).to_have_count(1)
    shown.locator("#problem .sample", has=shown.locator(".verdict")).first.locator("summary").click()
    marked = "CSS.highlights.get('found').size && [...CSS.highlights.get('found')].map(String).join()"
    deadline = time.monotonic() + 5
    while shown.evaluate(marked) != "return 3":  # wait_for_function needs eval, which the page's policy refuses
        assert time.monotonic() < deadline, shown.evaluate(marked)
        time.sleep(0.05)


def test_a_link_leads_to_what_was_looked_at(html: Path):
    with open_browser() as browser:
        tab = browser.new_page()
        tab.goto(f"{html.as_uri()}#problem=%3Ci%3EM%3C%2Fi%3E7&objective=ce")
        tab.wait_for_selector("body[data-ready]")
        assert tab.locator("#problem h3").inner_text() == "<i>M</i>7"
        assert tab.locator("#objective").input_value() == "ce"


def test_legends_hide_lines(shown: "Page"):
    line = shown.locator("#best-of-k svg.broad g.series[data-series=ce]")
    assert line.is_visible()
    shown.locator("#best-of-k .key[data-series=ce]").click()
    assert not line.is_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark")])
def test_nothing_is_wider_than_the_window(html: Path, width: int, scheme: str):
    with open_browser() as browser:
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        tab.goto(html.as_uri())
        tab.wait_for_selector("body[data-ready]")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(246, 247, 249)") == (scheme == "light")
