"""Reports of runs without probes, and the warnings above every report, on made runs."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import Problem
from harness.errors import OneSidedError, QprobeError
from harness.reports.browser_data import browser_data
from harness.reports.build import report
from harness.reports.compare import compare
from harness.reports.extraction_failures import CUT
from harness.reports.inputs import read_inputs
from harness.reports.render.formats import FORMATS, markdown
from harness.reports.render.html import page
from harness.reports.render.tables import heading, pass_at_k_cells, selection_cells
from harness.reports.render.warnings import warnings
from harness.reports.report import Report
from harness.runs.completion import Completion, SampleId
from harness.runs.samples import load_samples
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stages.probe import probe
from harness.stats.intervals import paired_p
from harness.stats.limits import highest_unseen, smallest_p
from harness.stats.table import RESAMPLES
from sandbox import Outcome, Status
from tests.made_run import fill


def reported(folder: Path, outcomes: Mapping[Status, int], *, samples: int = 2, reason: str = "stop") -> Report:
    """The report of a run whose problems have those outcomes, one per problem, for all their samples."""
    statuses = [status for status, count in outcomes.items() for _ in range(count)]
    with Store(folder, create=True) as store:
        store.settle("benchmark", "made")
        store.note("generation", {"max_new_tokens": 300})
        store.add_problems(Problem(f"M/{p}", "def f():\n", "f", "assert f()") for p in range(len(statuses)))
        ids = [SampleId(f"M/{p}", n) for p in range(len(statuses)) for n in range(samples)]
        store.add_completions(
            Completion(*sample, "def f():\n", "", f"def f():\n    return {sample.sample}\n", reason) for sample in ids
        )
        store.add_verdicts("g", {sample: Outcome(statuses[int(sample[0][2:])], "NameError: List") for sample in ids})
        store.note("grader", "g")
        return report(read_inputs(store))


def test_verdicts_alone_make_a_report_in_every_form(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, problems=40)
        inputs = read_inputs(store)
    result = report(inputs)
    rows = {row.name: row for row in result.rows}
    assert rows["pass@1"].value == pytest.approx(1 / 3)
    assert {"shortest", "longest", "agreement (programs)"} <= rows.keys(), "baselines that need no vectors stay"
    assert (next(iter(rows)), [*rows][-1]) == ("pass@1", "pass@6")
    assert [(row.k, row.tests) for row in result.pass_at_k] == [(1, "all"), (6, "all")]
    assert pass_at_k_cells(result)[1][0][:2] == ("pass@1", ".333")
    assert warnings(result) == []
    data = browser_data(inputs)
    assert all("fold" not in problem and "scores" not in problem for problem in data["problems"])
    texts = [write(result) for write in FORMATS.values()] + [page(result, data)]
    assert all("agreement" in text and "nan" not in text for text in texts)
    assert Report.from_json(result.as_json()).as_json() == result.as_json()


def test_probes_replace_the_table_and_keep_the_figures(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store)
        without = report(read_inputs(store))
        probe(store, ["mse"], folds=4, preset="paper")
        result = report(read_inputs(store))
    assert result.has_probes
    assert not without.has_probes
    assert result.pass_at_k == without.pass_at_k
    assert pass_at_k_cells(result) == ((), [])
    shared = {row.name: row for row in without.rows}
    for row in result.rows:
        if row.name in shared:  # up to rounding, which depends on the number of rows
            own, other = asdict(row), asdict(shared[row.name])
            assert own.pop("name") == other.pop("name")
            assert own == pytest.approx(other, abs=1e-12, nan_ok=True)


def test_base_tests_are_columns_of_their_own(tmp_path: Path):
    """As evalplus prints them: by the base tests, and by all."""
    with Store(tmp_path / "run", create=True) as store:
        fill(store)
        base = {sample: Outcome(Status.PASSED) for sample in store.sample_ids() if sample.sample < 3}
        failed = {sample: Outcome(Status.FAILED) for sample in store.sample_ids() if sample not in base}
        store.add_verdicts(VerdictSet.BASE_TESTS.key("g"), base | failed)
        result = report(read_inputs(store))
    header, rows = pass_at_k_cells(result)
    assert header == ("pass@k", "all tests", "95 % interval", "base tests", "95 % interval")
    assert (rows[0][0], rows[0][1], rows[0][3]) == ("pass@1", ".333", ".500")


def test_runs_without_probes_are_compared(tmp_path: Path):
    for name, problems in (("a", 12), ("b", 9)):
        with Store(tmp_path / name, create=True) as store:
            fill(store, problems=problems)
    comparison = compare([tmp_path / "a", tmp_path / "b"])
    assert [item.row for item in comparison.differences] == ["pass@1", "pass@6"]
    assert comparison.problems == 9
    with Store(tmp_path / "b") as store:
        probe(store, ["mse"], folds=3, preset="paper")
        store.note("grader", "later")
        store.add_verdicts("later", store.verdicts("g"))
    with pytest.raises(QprobeError, match="older than its verdicts"):
        compare([tmp_path / "a", tmp_path / "b"])


def test_one_sample_per_problem_leaves_nothing_to_select(tmp_path: Path):
    result = reported(tmp_path / "run", {Status.PASSED: 20, Status.FAILED: 30}, samples=1)
    assert [row.name for row in result.rows] == ["pass@1"]
    assert selection_cells(result) == ((), [])
    assert [row.k for row in result.pass_at_k] == [1]
    assert result.pass_at_k[0].value == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("outcomes", "reason", "says"),
    [
        ({Status.FAILED: 5}, "length", "10 of 10 samples were cut at the token limit of 300: draw them with"),
        ({Status.SYNTAX: 4, Status.FAILED: 1}, "stop", "8 of 10 samples do not compile (most often: NameError: List)"),
        (
            {Status.ERROR: 3, Status.FAILED: 2},
            "stop",
            "6 of 10 samples end with an error (most often: NameError: List)",
        ),
        ({Status.TIMEOUT: 5}, "stop", "10 of 10 samples exceed their CPU time: raise --timeout"),
        ({Status.UNSUPPORTED: 5}, "stop", "10 of 10 samples are unsupported and have no reward"),
        ({Status.FAILED: 2, Status.ERROR: 2, Status.EXITED: 3}, "stop", "6 of 14 samples end before their tests do"),
    ],
)
def test_where_nothing_passes_the_cause_comes_first(tmp_path: Path, outcomes: dict, reason: str, says: str):
    result = reported(tmp_path / "run", outcomes, reason=reason)
    first = warnings(result)[0]
    assert first.startswith(f"No sample passes. {says}")
    text = markdown(result)
    assert text.index("No sample passes") < text.index("| pass@k |")
    assert "nan" not in text


def test_more_than_a_twentieth_cut_is_a_warning(tmp_path: Path):
    result = reported(tmp_path / "run", {Status.PASSED: 20, Status.FAILED: 20})
    at_limit = [replace(result, extraction_failures={CUT: cut}) for cut in (4, 5)]
    assert not any("token limit" in line for line in warnings(at_limit[0])), "5 % of 80"
    assert "5 of 80 samples (6.2 %) were cut at the token limit of 300" in warnings(at_limit[1])[0]


def test_missing_problems_and_verdicts_are_warnings(tmp_path: Path):
    result = reported(tmp_path / "run", {Status.PASSED: 20, Status.FAILED: 20})
    some = replace(result, benchmark_problems=164, ungraded=3)
    lines = warnings(some)
    assert any("The run has 40 of the 164 problems of made" in line for line in lines)
    assert any("3 samples without a verdict take no part" in line for line in lines)
    assert "40 of 164 problems x 2 samples" in heading(some)


def test_ungraded_samples_take_no_part(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store)
        verdicts = store.verdicts("g")
        store.note("grader", "half")
        store.add_verdicts("half", {sample: verdicts[sample] for sample in verdicts if sample.sample < 3})
        result = report(read_inputs(store))
        with pytest.raises(QprobeError, match="have no verdict yet"):
            load_samples(store)
    assert (result.samples, result.ungraded) == (36, 36)
    assert result.samples_per_problem == (3, 3)


def test_a_run_without_samples_needs_them_first(tmp_path: Path):
    with (
        Store(tmp_path / "run", create=True) as store,
        pytest.raises(QprobeError, match="has no samples: run qprobe import or qprobe generate"),
    ):
        read_inputs(store)


def test_a_first_grading_is_reported_as_far_as_it_is(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store)
        store._db.execute("DELETE FROM settings WHERE name = 'grader'")
        with pytest.raises(QprobeError, match="no verdicts: run qprobe grade"):
            read_inputs(store)
        store.note("grading", "new")
        with pytest.raises(QprobeError, match="no verdicts: run qprobe grade"):
            read_inputs(store)
        store.add_verdicts("new", {SampleId("M/0", 0): Outcome(Status.PASSED)})
        result = report(read_inputs(store))
    assert (result.samples, result.ungraded) == (1, 71)
    assert "nan" not in markdown(result)


def test_a_small_run_says_what_it_cannot_show(tmp_path: Path):
    """Ten problems, seven of which can tell selections apart: p is at least 2 / 2^7."""
    with Store(tmp_path / "run", create=True) as store:
        fill(store, problems=10, samples=2)
        informative = report(read_inputs(store)).informative_problems
        result = report(read_inputs(store))
    assert informative == 7
    (line,) = warnings(result)
    base = result.rows[0]
    assert line.startswith("Of 10 problems, 7 can tell selections apart: no p-value can be below .016. The 95 %")
    assert f"is {base.high - base.low:.3f} wide".replace("0.", ".") in line
    objectives = replace(result, hyperparameters={name: [] for name in "abcdefgh"})
    assert "(.12 after Holm's correction for 8 objectives)" in warnings(objectives)[0]
    many = reported(tmp_path / "many", {Status.PASSED: 20, Status.FAILED: 20})
    assert "none has both passes and failures: every selection is equally good" in warnings(many)[0]


def test_an_interval_without_a_width_is_no_certainty(tmp_path: Path):
    none, every = (reported(tmp_path / status, {status: 10}) for status in (Status.FAILED, Status.PASSED))
    assert "only values above .259 are excluded" in warnings(none)[-1]
    assert "only values below .741 are excluded" in warnings(every)[-1]


@pytest.mark.parametrize("problems", [1, 3, 7, 10])
def test_the_smallest_p_is_that_of_the_clearest_differences(problems: int):
    clearest = float(paired_p(np.ones((1, problems)), RESAMPLES, 0)[0])
    assert clearest == pytest.approx(smallest_p(problems), rel=0.3)
    assert smallest_p(problems, 8) == min(1.0, 8 * smallest_p(problems))
    assert smallest_p(1000) == 1 / (RESAMPLES + 1)


def test_the_highest_unseen_rate_is_the_one_that_hides_in_a_twentieth_of_runs():
    for problems in (1, 10, 164):
        assert (1 - highest_unseen(problems)) ** problems == pytest.approx(0.05)


def test_one_sided_verdicts_are_an_error_of_their_own(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store)
        store.note("grader", "all")
        store.add_verdicts("all", dict.fromkeys(store.sample_ids(), Outcome(Status.FAILED)))
        with pytest.raises(OneSidedError, match="no passing sample: there is nothing to learn from"):
            probe(store, ["mse"], folds=3)
