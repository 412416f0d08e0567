"""The first sentence of a report, its controls and its calibration: what a reader may conclude, and what not."""

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.mini import ABOUT_MODEL, MODEL
from harness.reports.build import report
from harness.reports.inputs import read_inputs
from harness.reports.render.display import PrintableReport
from harness.reports.render.formats import markdown, terminal
from harness.reports.render.headline import best_of_several, controls, headline, sentence
from harness.reports.render.html import page
from harness.reports.render.html.tiles import tiles
from harness.reports.render.notes import main_notes, notes
from harness.reports.render.tables import baseline_cells
from harness.reports.report import Report
from harness.runs.store import Store
from harness.stages.probe import probe
from harness.stats import Calibration, calibrate
from tests.made_run import fill


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with Store(tmp_path_factory.mktemp("headline") / "run", create=True) as store:
        fill(store)
        probe(store, ["mse", "ce", "pg"], folds=4)
        greedy = {f"M/{p}": float(p % 2) for p in range(12)}
        return report(read_inputs(store), greedy=greedy)


def changed(result: Report, values: Mapping[str, float]) -> Report:
    """The report with other values of some rows, and the differences that follow from them."""
    rows = tuple(replace(row, value=values.get(row.name, row.value)) for row in result.rows)
    by_name = {row.name: row.value for row in rows}
    base = by_name["pass@1"]
    pairs = [replace(item, value=by_name[item.name] - by_name[item.other]) for item in result.differences["baselines"]]
    rows = tuple(replace(row, gain=row.value - base) for row in rows)
    return replace(result, rows=rows, differences={**result.differences, "baselines": pairs})


def test_the_first_sentence_is_about_one_probe_and_the_best_baseline(result: Report):
    by_name = {row.name: row for row in result.rows}
    head = headline(result)
    assert head.probe.name == "pg", "the paper's objective, whichever of the three came out highest"
    controls = {"random direction", "shuffled labels", "shuffled within problems"}
    composed = {"vote by pg (programs)", "pg less length"}
    labels_needed = {"mse", "ce", "pg", "contrast direction", "pass@6", *controls, *composed}
    others = {name: row.value for name, row in by_name.items() if name not in labels_needed}
    lengths, agreements = {"shortest", "longest", "typical length"}, {"agreement (programs)", "agreement (vectors)"}
    assert set(others) == {"pass@1", "greedy", "near centroid", *lengths, *agreements}
    assert head.baseline.value == max(others.values())
    per_problem = result.per_problem.value
    difference = np.array(per_problem["pg"]) - np.array(per_problem[head.baseline.name])
    assert head.value == pytest.approx(difference.mean())
    assert head.low < head.value < head.high
    assert sentence(result).startswith(f"Probe pg: pass@1 {head.probe.value:.3f}".replace("0.", "."))


@pytest.mark.parametrize("name", ["greedy", "longest", "pass@1"])
def test_the_highest_baseline_is_named_in_sentence_and_first_tile(result: Report, name: str):
    shown = changed(result, {name: 0.875})
    assert f"the highest baseline that needs no labels, {name} (.875)" in sentence(shown)
    first = tiles(shown)[0]
    assert first.name == f"probe pg against {name}"
    assert float(first.value) == pytest.approx(headline(shown).probe.value - 0.875, abs=0.001)
    names = [tile.name for tile in tiles(shown)]
    assert (f"{name}, highest baseline without labels" in names) == (name != "pass@1"), "pass@1 has a tile anyway"


def test_a_probe_that_loses_to_a_baseline_is_said_to(result: Report):
    shown = changed(result, {"pg": 0.2, "longest": 0.9})
    low = [replace(item, p_holm=0.01) for item in shown.differences["baselines"]]
    high = [replace(item, p_holm=0.2) for item in shown.differences["baselines"]]
    losing = replace(shown, differences={**shown.differences, "baselines": low})
    assert "less than the highest baseline that needs no labels, longest (.900): -.700" in sentence(losing)
    unsure = replace(shown, differences={**shown.differences, "baselines": high})
    assert "not significantly different from the highest baseline" in sentence(unsure)


def test_the_highest_of_several_objectives_is_called_lucky(result: Report):
    line = best_of_several(changed(result, {"pg": 0.5, "mse": 0.8, "ce": 0.6}))
    assert line.startswith("Of 3 objectives mse has the highest pass@1, .800; ")
    assert "partly luck" in line
    alone = replace(result, hyperparameters={"mse": result.hyperparameters["mse"]})
    assert best_of_several(alone) == "", "one objective was not selected"
    assert headline(alone).probe.name == "mse"


def test_controls_that_lose_are_explained_and_those_that_gain_are_a_warning(result: Report):
    losing = changed(result, {"random direction": 0.2, "shuffled labels": 0.3})
    named = ("random direction", "shuffled labels")
    sure = tuple(replace(row, p=0.01) if row.name in named else row for row in losing.rows)
    losing = replace(losing, rows=sure)
    assert "A loss (random direction -.133, shuffled labels -.033) is no fault" in controls(losing)
    assert controls(losing) in main_notes(losing)
    rows = tuple(replace(row, gain=0.1, p=0.2 if row.name in named else row.p) for row in losing.rows)
    assert "Warning" not in controls(replace(losing, rows=rows)), "by chance"
    rows = tuple(replace(row, gain=0.1) if row.name == "shuffled labels" else row for row in losing.rows)
    assert controls(replace(losing, rows=rows)).startswith("Warning: shuffled labels gain.")


@pytest.mark.parametrize("elsewhere", ["", "/opt/site-packages/benchmarks/mini/model,dtype=float32"])
def test_the_bundled_model_is_said_to_be_one(result: Report, elsewhere: str):
    demo = replace(result, source=f"hf:{elsewhere or MODEL}")
    console = Console(width=80, file=io.StringIO())
    console.print(terminal(demo))
    for text in (" ".join(console.file.getvalue().split()), page(demo), markdown(demo)):
        assert ABOUT_MODEL in text
    assert ABOUT_MODEL not in page(replace(result, source="hf:Qwen/mini/model"))


def test_the_bundled_models_size_is_the_one_of_its_card():
    card = (Path(MODEL) / "README.md").read_text()
    parameters = int(re.search(r"([\d,]+) parameters", card)[1].replace(",", ""))
    assert f"{parameters / 1e6:.1f} million parameters" in ABOUT_MODEL


def made(name: str, shift: float) -> Calibration:
    """The calibration of true probabilities that are moved by `shift`."""
    rng = np.random.default_rng(0)
    rates_PN = rng.random((200, 20)) * 0.8 + 0.1
    rewards_PN = (rng.random(rates_PN.shape) < rates_PN).astype(float)
    return calibrate(name, rates_PN + shift, rewards_PN, np.ones(rates_PN.shape, dtype=bool), estimates=True)


def test_scores_are_called_probabilities_only_where_they_are_calibrated(result: Report):
    apart, true = made("mse", -0.35), made("ce", 0.0)
    assert (apart.score, true.score) == (pytest.approx(0.15, abs=0.02), pytest.approx(0.5, abs=0.02))
    assert apart.passed == true.passed == pytest.approx(0.5, abs=0.02)
    assert (apart.calibrated, true.calibrated) == (False, True)
    shown = replace(result, calibrations=[apart, true, *result.calibrations[2:]])
    mse, ce = (line for line in notes(shown) if "calibration error ." in line)
    assert mse.startswith("mse is not calibrated: its scores only order samples (mean score .1")
    assert ce.startswith("ce is calibrated: its scores may be read as probabilities of a pass")
    for text in (page(shown), markdown(shown)):
        assert "chance" not in text.lower()
        assert text.count("be read as probabilities") == text.count("ce is calibrated") >= 1


def test_the_main_table_is_first_and_last_and_the_others_are_for_full(result: Report):
    report = PrintableReport.of(result)
    short, full = str(report), report.text(full=True)
    assert short == report.text()
    assert short.count("\n selection ") == 1
    others = ("\n gain of selection", "\n best of k", "\n scores", "\n hyperparameters", "\n verdict")
    assert [text for text in others if text in short] == []
    assert [text for text in others if text not in full] == []
    first, *_, last = (match.start() for match in re.finditer("\n selection ", full))
    assert first < full.index("\n gain of selection")
    assert last > max(full.index(text) for text in others)
    assert "pass@6" in full[-300:]


def test_the_probe_is_set_beside_every_baseline_the_greedy_sample_included(result: Report):
    header, rows = baseline_cells(result)
    assert header[0] == "probe pg minus"
    assert rows[0][0] == "greedy"
    assert {row[0] for row in rows} >= {"agreement (vectors)", "near centroid", "typical length", "contrast direction"}
    per_problem = result.per_problem.value
    for name, difference, *_ in rows:
        expected = np.mean(np.array(per_problem["pg"]) - np.array(per_problem[name]))
        assert float(difference) == pytest.approx(expected, abs=6e-4)
    assert "| probe pg minus |" in markdown(result)


def test_features_beside_the_vectors_are_named(result: Report):
    changed = replace(result, settings={**result.settings, "features": ["centrality", "length"]})
    assert any(
        line.startswith("Probes: vectors of made with centrality, length behind them; ") for line in notes(changed)
    )
    assert any(line.startswith("Probes: vectors of made; ") for line in notes(result))
