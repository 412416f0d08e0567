"""From a run's rows to its numbers, against a second and simpler computation of them."""

import io
import json
import random
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from safetensors import safe_open
from safetensors.numpy import save_file

from benchmarks import Problem
from harness.errors import QprobeError
from harness.reports.browser_data import browser_data
from harness.reports.build import report, report_and_page
from harness.reports.greedy_baseline import greedy_rewards
from harness.reports.inputs import read_inputs
from harness.reports.render.files import picture
from harness.reports.render.formats import markdown, terminal
from harness.reports.render.html.selecting import learning
from harness.reports.render.notes import notes
from harness.reports.render.warnings import warnings
from harness.reports.report import Report
from harness.runs.completion import GREEDY, Completion, SampleId
from harness.runs.features import sample_features
from harness.runs.program_hash import fingerprint, fingerprints
from harness.runs.scores import SCORES_FILE, load_scores
from harness.runs.store import Store
from harness.stages.probe import probe
from harness.stats import selection_by_limits
from sandbox import Outcome, Status
from tests.made_run import fill

PROBLEMS, SAMPLES = 12, 6


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("reporting") / "run", create=True)
    fill(store, signal=8.0)
    return store


@pytest.fixture(scope="module")
def result(store: Store) -> Report:
    probe(store, ["mse", "ce"], folds=4, learning=True, repeats=3)
    return report(read_inputs(store))


def test_a_clear_signal_is_a_clear_gain(result: Report):
    rows = {row.name: row for row in result.rows}
    assert rows["pass@1"].value == pytest.approx(1 / 3)
    assert rows["mse"].value > 0.9
    assert rows["mse"].gain_low > 0.4
    assert rows["pass@6"].value == 1.0
    assert abs(rows["shuffled labels"].gain) < 0.25
    assert rows["random direction"].gain_low < 0.15
    assert rows["random direction"].auc == pytest.approx(0.5, abs=0.2)
    assert (result.problems, result.samples, result.samples_per_problem) == (12, 72, (6, 6))
    assert result.statuses == {"failed": 48, "passed": 24}
    assert result.distinct_share == pytest.approx(0.5)
    assert result.problems_without_signal == 0


def test_scores_are_joined_to_samples_by_id(store: Store, result: Report):
    """The mean score of passing samples, looked up sample by sample, is far above that of failing ones."""
    scores, verdicts = load_scores(store), store.verdicts("g")
    by_status: dict[Status, list[float]] = {Status.PASSED: [], Status.FAILED: []}
    for p, problem_id in enumerate(scores.problem_ids):
        for n, index in enumerate(scores.indices_PN[p].tolist()):
            by_status[verdicts[SampleId(problem_id, index)].status].append(scores.scores_OPN[0, p, n])
    assert np.mean(by_status[Status.PASSED]) > np.mean(by_status[Status.FAILED]) + 0.3


def test_best_of_k_agrees_with_drawing(store: Store, result: Report):
    scores, verdicts, rng = load_scores(store), store.verdicts("g"), random.Random(0)
    rewards = []
    for p, problem_id in enumerate(scores.problem_ids):
        for _ in range(400):
            some, folding = rng.sample(range(SAMPLES), 5), rng.randrange(len(scores.seeds))
            best = max(some, key=lambda n: scores.scores_SOPN[folding, 1, p, n])
            rewards.append(verdicts[SampleId(problem_id, int(scores.indices_PN[p, best]))].reward)
    assert result.ks == (1, 5, 6)
    assert result.curves[1].values[1] == pytest.approx(np.mean(rewards), abs=0.02)


def test_a_report_is_the_same_each_time(store: Store, result: Report):
    probe(store, ["mse", "ce"], folds=4, learning=True, repeats=3)
    assert report(read_inputs(store)).as_json() == result.as_json()


def test_a_run_is_read_once(tmp_path: Path):
    """Report and page together send no query twice, but for the settings; the rest is computed from values."""
    with Store(tmp_path / "run", create=True) as store:
        fill(store, signal=8.0)
        probe(store, ["mse"], folds=4)
        statements: list[str] = []
        store._db.set_trace_callback(statements.append)
        both = report_and_page(store)
        store._db.set_trace_callback(None)
        inputs = read_inputs(store)
    counts = Counter(statement for statement in statements if "FROM settings" not in statement)
    assert sum("FROM verdicts" in statement for statement in counts) == 4, "a query per verdict set"
    assert [statement for statement, count in counts.items() if count > 1] == []
    assert report(inputs).as_json() == both[0].as_json(), "the store is closed"
    assert browser_data(inputs) == both[1]


def test_the_runs_own_greedy_samples_are_a_row_and_nothing_else(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, signal=8.0)
        probe(store, ["mse"], folds=4)
        without = report(read_inputs(store))
        passed = {SampleId(f"M/{p}", GREEDY): Outcome(Status.PASSED if p < 3 else Status.FAILED) for p in range(8)}
        store.add_completions(Completion(sample.problem_id, GREEDY, "", "", "") for sample in passed)
        store.add_verdicts("g", passed)
        inputs = read_inputs(store)
    rows = {row.name: row for row in report(inputs).rows}
    assert rows["greedy"].value == pytest.approx(3 / 8), "problems without a greedy sample take no part"
    others = [asdict(row) for row in report(inputs).rows if row.name != "greedy"]
    for row, before in zip(others, map(asdict, without.rows), strict=True):
        assert row == pytest.approx(before, nan_ok=True), "up to rounding: a matrix product adds in another order"
    assert report(inputs).statuses == without.statuses
    assert {row.name: row for row in report(inputs, greedy={"M/0": 1.0}).rows}["greedy"].value == 1.0


def test_problems_without_a_graded_sample_leave_the_shares_alone(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, signal=8.0)
        ungraded = {SampleId("M/0", n): Outcome(Status.UNTESTED) for n in range(SAMPLES)}
        store.note("grader", "h")
        store.add_verdicts("h", {**store.verdicts("g"), **ungraded})
        probe(store, ["mse"], folds=4)
        result = report(read_inputs(store))
    assert result.distinct_share == pytest.approx(0.5)
    assert result.samples == (PROBLEMS - 1) * SAMPLES
    assert "nan" not in markdown(result)


def test_every_form_holds_the_same_numbers(result: Report):
    text = json.dumps(result.as_json())
    assert json.loads(text)["schema"] == "qprobe-report/2"
    assert "NaN" not in text
    assert "| mse |" in markdown(result)
    assert ".333" in markdown(result)
    svg = picture(result)
    assert svg.startswith("<svg")
    assert "shuffled" in svg
    assert terminal(result) is not None


def test_the_parts_agree_with_the_main_table(store: Store, result: Report):
    rows = {row.name: row for row in result.rows}
    lines = {line.name: line for line in result.best_of_k.lines}
    assert result.best_of_k.k == [1, 2, 3, 4, 5, 6]
    assert lines["mse"].value[0] == pytest.approx(rows["pass@1"].value) == pytest.approx(lines["pass@1"].value[5])
    assert lines["pass@k"].value[5] == pytest.approx(rows["pass@6"].value)
    assert lines["shortest"].value[5] == pytest.approx(rows["shortest"].value)
    assert [part.k for part in result.rows_at_k] == [5]
    at_5 = {row.name: row for row in result.rows_at_k[0].rows}
    assert at_5["shortest"].value == pytest.approx(lines["shortest"].value[4])
    assert at_5["pass@1"].value == pytest.approx(rows["pass@1"].value)
    apart = result.per_problem
    assert np.mean(apart.value["mse"]) == pytest.approx(rows["mse"].value)
    assert (sum(apart.graded), sum(apart.passed)) == (result.samples, result.statuses["passed"])
    picked = [SampleId(*pair) for pair in zip(apart.id, apart.best_sample["ce"], strict=True)]
    assert [store.verdicts("g")[sample].reward == 1.0 for sample in picked] == apart.best_sample_passed["ce"]
    assert [item.name for item in result.frontiers] == ["mse", "ce", "oracle"]
    assert len(result.differences["objectives"]) == 1
    assert len(result.differences["baselines"]) == 2 * 6
    assert {item.other for item in result.differences["others"]} == {"contrast direction"}


def test_the_frontier_ends_where_few_samples_decide(tmp_path: Path, result: Report):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, problems=6, samples=30)
        probe(store, ["mse"], folds=2)
        wide = report(read_inputs(store))
    for item in wide.frontiers:
        first, *_, last = item.limit
        assert first.kl > 0.5 > 0.1 > last.kl, "smaller temperatures first"
        assert first.reward > last.reward >= 1 / 3
    mse = wide.frontiers[0]
    assert [point.k for point in mse.of_k][:4] == [1, 2, 5, 10]
    assert mse.of_k[0].reward == pytest.approx(1 / 3)
    assert mse.of_k[0].kl == pytest.approx(0.0, abs=1e-9)
    for item in [*wide.frontiers, *result.frontiers]:
        assert all(5 <= point.effective <= 30 + 1e-6 for point in item.limit + item.of_k)


def test_raw_scores_are_what_the_objective_asks_for(result: Report):
    """Reward modelling on a clear signal: scores near 0 and 1, for any temperature that a fold selected."""
    mse, ce = result.calibrations
    assert mse.error is not None
    assert mse.error < 0.25
    assert -0.3 < mse.bins[0].score < 0.4 < mse.bins[-1].score < 1.3
    assert ce.brier is not None
    assert 0 <= ce.bins[0].score < ce.bins[-1].score <= 1
    assert {item.name for item in result.difficulties} == {"mse", "ce"}


def test_the_learning_curve_starts_at_nothing_and_ends_at_every_fold(result: Report):
    """Without `pg` the first objective leads; the folds have nine problems to learn from."""
    curve = result.learning_curve
    assert curve is not None
    assert ([line.name for line in curve.lines], curve.problems) == (["mse", "ce"], [0, 9])
    for line in curve.lines:
        assert line.value[0] == pytest.approx(1 / 3)
        assert line.value[1] > 0.8
        assert all(low <= value <= high for low, value, high in zip(line.low, line.value, line.high, strict=True))


def test_every_objective_has_its_learning_curve_in_tables_and_page(store: Store, result: Report):
    (text,) = (table for table in markdown(result).split("\n\n") if table.startswith("| training problems"))
    names = [line.split("|")[1].strip() for line in text.splitlines()[2:]]
    assert names == ["mse", "95 % interval", "ce", "95 % interval"]
    figure = learning(result)
    assert figure is not None
    assert len(figure.panels) == 2
    for panel, name in zip(figure.panels, ("mse", "ce"), strict=True):
        assert panel.count('class="band') == panel.count("<polyline") == 1
        assert f'data-series="{name}"' in panel
    alone = learning(replace(result, learning_curve=replace(result.learning_curve, others=[])))
    assert alone is not None
    assert alone.title == "Learning curve"
    assert Report.from_json(result.as_json()).learning_curve == result.learning_curve


def test_the_learning_curve_of_an_earlier_version_is_read(store: Store, result: Report):
    """It was of one objective."""
    path = store.folder / SCORES_FILE
    with safe_open(path, "np") as file:
        card, arrays = json.loads(file.metadata()["card"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    card["learning"] = {"objective": "mse", "problems": card["learning"]["problems"]}
    arrays["learning_TSP"] = arrays.pop("learning_OTSP")[0]
    present = path.read_bytes()
    try:
        save_file(arrays, path, metadata={"card": json.dumps(card)})
        earlier = report(read_inputs(store)).learning_curve
    finally:
        path.write_bytes(present)
    assert earlier is not None
    assert result.learning_curve is not None
    assert earlier.lines == [result.learning_curve.line]


def test_at_beta_0_the_best_is_taken(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, signal=8.0)
        probe(store, ["mse"], folds=4, beta=0.0)
        result = report(read_inputs(store))
    mse = {row.name: row for row in result.rows}["mse"]
    assert mse.value == pytest.approx(next(line for line in result.best_of_k.lines if line.name == "mse").value[-1])
    assert mse.value > 0.9


def test_newer_verdicts_ask_for_new_probes(store: Store, result: Report):
    store.note("grader", "another")
    with pytest.raises(QprobeError, match="older than its verdicts or vectors"):
        load_scores(store)
    with pytest.raises(QprobeError, match="no verdicts: run qprobe grade"):
        report(read_inputs(store))
    with pytest.raises(QprobeError, match="72 samples have no verdict yet"):
        probe(store, ["mse"])
    store.add_verdicts("another", store.verdicts("g"))
    result = report(read_inputs(store))
    assert not result.has_probes
    assert any("older than the verdicts" in line for line in warnings(result))
    store.note("grader", "g")


def test_features_of_samples(store: Store):
    ids, indices = ("M/3", "M/0"), np.array([[0, 1, 2, 5], [4, 5, -1, -1]])
    features = sample_features(store, ids, indices)
    groups = features.groups["programs"]
    assert groups[0, 0] == groups[0, 1] != groups[0, 2]
    assert groups[1, 0] == groups[1, 1] >= 0
    assert groups[1, 2:].tolist() == [-1, -1]
    assert features.lengths_PN is not None
    assert features.lengths_PN[0, 0] == len("    return 0\n")
    assert features.log_probabilities_PN is None, "the samples have none"


def test_programs_are_the_same_but_for_spacing_comments_and_quotes():
    same = ["def f():\n    return 'x'\n", 'def f():\n\n    # why\n    return  "x"\n']
    other = ["def f():\n    return 'y'\n", "def f(:\n", "def f(:\n\n", "x = " + "(" * 5000, "\x00", "\ud800"]
    prints = fingerprints([*same, *other])
    assert prints[0] == prints[1]
    assert prints[3] == prints[4], "what does not parse is compared as text"
    assert len(set(prints)) == 6
    assert prints == [fingerprint(program) for program in [*same, *other]]


def test_the_terminal_needs_no_more_than_80_columns(result: Report):
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(terminal(result, full=True))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for words in ("gain of selection", "among 5", "headroom", "training problems", "survive Holm's correction"):
        assert words in text


def test_problems_with_few_samples_are_warned_of(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, signal=8.0)
        fewer = {SampleId("M/0", n): Outcome(Status.UNTESTED) for n in range(3)}
        store.note("grader", "h")
        store.add_verdicts("h", {**store.verdicts("g"), **fewer})
        probe(store, ["mse"], folds=4)
        result = report(read_inputs(store))
    assert result.samples_per_problem == (3, 6)
    assert any("Warning: 1 problem has fewer than 5 graded samples" in line for line in notes(result))
    assert result.rows_at_k[0].rows[0].name == "pass@1"
    assert next(row for row in result.rows_at_k[0].rows if row.name == "mse").value > 0.9


def test_a_greedy_run_is_a_row(store: Store, result: Report, tmp_path: Path):
    with Store(tmp_path / "greedy", create=True) as other:
        other.settle("benchmark", "made")
        other.add_problems(Problem(f"M/{p}", "def f():\n", "f", "assert f()") for p in range(PROBLEMS))
        other.add_completions(Completion(f"M/{p}", 0, "", "", "") for p in range(PROBLEMS))
        other.settle("generation", {"temperature": 0.0})
        other.note("grader", "g")
        passed = {SampleId(f"M/{p}", 0): Outcome(Status.PASSED if p % 2 else Status.FAILED) for p in range(PROBLEMS)}
        other.add_verdicts("g", passed)
    rewards = greedy_rewards(tmp_path / "greedy", "made")
    rows = {row.name: row for row in report(read_inputs(store), greedy=rewards).rows}
    assert rows["greedy"].value == pytest.approx(0.5)
    assert rows["greedy"].gain == pytest.approx(0.5 - 1 / 3)
    with pytest.raises(QprobeError, match="is a run of made, not of mbpp"):
        greedy_rewards(tmp_path / "greedy", "mbpp")
    with Store(tmp_path / "greedy") as other:
        other.note("generation", {"temperature": 0.8})
    with pytest.raises(QprobeError, match="is not greedy: generate one sample per problem"):
        greedy_rewards(tmp_path / "greedy", "made")


def test_repeated_cross_validation(store: Store, result: Report):
    """The mean over cross-validations, by hand, is the report's own."""
    scores, inputs = load_scores(store), read_inputs(store)
    assert result.repeats.seeds == scores.seeds == (0, 1, 2)
    assert scores.scores_SOPN.shape[:3] == (3, 2, PROBLEMS)
    assert len({fold_P.tobytes() for fold_P in scores.folds_SP}) == 3
    parts = inputs.rewards_PN, inputs.mask_PN, inputs.beta
    values_SOP = np.array(
        [
            [
                selection_by_limits(own_PN.astype(float), *parts, limits_P)
                for own_PN, limits_P in zip(*folding, strict=True)
            ]
            for folding in zip(scores.scores_SOPN, scores.limits_SOP, strict=True)
        ]
    )
    rows = {row.name: row for row in result.rows}
    for at, row in enumerate(result.repeats.rows):
        assert result.per_problem.value[row.name] == pytest.approx(values_SOP[:, at].mean(0).tolist())
        assert rows[row.name] == row
        assert row.value == pytest.approx(values_SOP[:, at].mean())
        assert row.gain == pytest.approx(row.value - rows["pass@1"].value)
        assert row.gain_low <= row.gain <= row.gain_high
        gains = [values_SOP[seed, at].mean() - rows["pass@1"].value for seed in range(3)]
        assert result.repeats.spread[row.name] == pytest.approx(np.std(gains, ddof=1))
    assert "| 3 repeats |" in markdown(result)
    selectivity = {(item.name, item.other): item for item in result.differences["controls"]}
    drawn = {name: control.objectives for name, control in scores.controls.items()}
    assert {name: len(drawn[name]) for name in ("shuffled labels", "shuffled within problems")} == {
        "shuffled labels": 20,
        "shuffled within problems": 10,
    }
    control = scores.controls["shuffled labels"]
    own = [place for place, name in enumerate(control.objectives) if name == "ce"]
    draws_CP = [selection_by_limits(control.scores_CPN[at], *parts, control.limits_CP[at]) for at in own]
    expected = rows["ce"].value - np.mean(draws_CP)
    assert selectivity["ce", "shuffled labels"].value == pytest.approx(expected)
    assert "| ce - shuffled labels | +" in markdown(result)


def test_composed_selections_have_rows_costs_and_differences(store: Store, result: Report):
    """The probe is nearly perfect here, so that what it is composed with must not spoil it."""
    rows = {row.name: row for row in result.rows}
    assert rows["vote by mse (programs)"].value > rows["agreement (programs)"].value
    pairs = {(item.name, item.other): item for item in result.differences["composed"]}
    for part in ("mse", "agreement (programs)"):
        item = pairs["vote by mse (programs)", part]
        assert item.value == pytest.approx(rows["vote by mse (programs)"].value - rows[part].value, abs=1e-9)
    labels = 72 * 3 / 4  # of three folds in four
    assert asdict(result.costs["vote by mse (programs)"]) == {
        "completions": 6, "test_completions": 0, "forward_passes": 6, "program_runs": 0, "labels": labels,
    }  # fmt: skip
    assert result.costs["agreement (programs)"].labels == result.costs["agreement (programs)"].forward_passes == 0
    assert result.costs["pass@1"].completions == 1
    assert result.costs["contrast direction"].labels == labels
    text = markdown(result)
    assert "| vote by mse (programs) | agreement (programs) |" in text
    assert "| vote by mse (programs) | 6 |  | 6 |  | 54 |" in text
    assert "vote by mse (programs)" in {row.name for part in result.rows_at_k for row in part.rows}
    assert Report.from_json(json.loads(json.dumps(result.as_json()))).costs == result.costs
