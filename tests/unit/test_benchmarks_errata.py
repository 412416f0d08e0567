"""Errata: known wrong problems are corrected, visibly, unless the user declines."""

import json
from pathlib import Path

import pytest

from benchmarks import BenchmarkError, Problem
from benchmarks.doctor import Check, Finding
from benchmarks.doctor.checkup import _sorted_out
from benchmarks.errata import FOLDER, errata_of, read_errata
from benchmarks.humaneval import HumanEval
from benchmarks.registry import open_benchmark
from harness.runs.store import Store
from harness.stages.import_samples import import_samples
from tests.unit.test_benchmarks_plugins import CLASS

PROBLEMS = [Problem(f"P/{n}", "def f():\n", "f", "assert f() == 1") for n in range(3)]
GOOD = """
[[problem]]
id = "P/0"
what = "drop"
why = "it cannot be solved"
source = "us"
[[problem]]
id = "P/1"
what = "replace"
why = "its test is wrong"
source = "us"
fields = {tests = "assert f() == 2"}
[[problem]]
id = "P/2"
what = "weak"
why = "one test only"
source = "us"
checks = ["constant programs fail"]
"""


def errata(folder: Path, text: str = GOOD):
    (folder / "p.toml").write_text(text)
    return read_errata(folder / "p.toml")


def test_problems_are_dropped_replaced_or_only_known(tmp_path: Path):
    corrections = errata(tmp_path)
    assert [(problem.id, problem.tests) for problem in corrections.apply(PROBLEMS)] == [
        ("P/1", "assert f() == 2"),
        ("P/2", "assert f() == 1"),
    ]
    assert corrections.described == f"p {corrections.sha256[:8]} (1 drop, 1 replace, 1 weak)"


def test_what_is_known_does_not_fail_the_doctor(tmp_path: Path):
    findings = (Finding("P/1", "passes: return 1"), Finding("P/2", "passes: return 1"))
    check = _sorted_out(Check("constant programs fail", 3, findings), errata(tmp_path))
    assert check.findings == findings[:1]
    assert check.known == (Finding("P/2", "passes: return 1 (one test only)"),)
    assert _sorted_out(Check("cheats fail", 3, findings), errata(tmp_path)).findings == findings
    assert _sorted_out(Check("cheats fail", 3, findings), None).findings == findings


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('source = "us"\n', ""), "'P/0' has no field 'source'"),
        (('what = "drop"', 'what = "burn"'), "unknown action 'burn'; choose from drop, replace, weak"),
        (('what = "drop"', 'what = "drop"\nhow = "x"'), "'P/0' has the unknown field 'how'"),
        (('what = "drop"', 'what = "replace"'), "replace needs fields"),
        (('what = "weak"', 'what = "drop"'), "weak needs checks"),
        (("fields = {tests", "fields = {test"), "'test' is not a replaceable text"),
        (("[[problem]]", "[[problem"), "p.toml: "),
    ],
)
def test_wrong_errata_are_named(tmp_path: Path, change: tuple[str, str], complaint: str):
    assert change[0] in GOOD
    with pytest.raises(BenchmarkError, match=complaint):
        errata(tmp_path, GOOD.replace(*change, 1))


def test_an_errata_of_other_data_is_refused(tmp_path: Path):
    with pytest.raises(BenchmarkError, match="name an unknown problem, P/0; give --no-errata"):
        errata(tmp_path).apply(PROBLEMS[1:])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_errata_reads(path: Path):
    corrections = read_errata(path)
    assert corrections.notes
    assert len({note.id for note in corrections.notes}) == len(corrections.notes)


def test_shipped_benchmarks_have_errata_that_can_be_declined():
    plain, corrected = open_benchmark("humaneval", errata=False), open_benchmark("humaneval")
    assert isinstance(plain, HumanEval)
    assert errata_of(plain) is None
    corrections = errata_of(corrected)
    assert corrections is not None
    assert {note.what for note in corrections.notes} == {"weak"}
    assert corrected.problems() == plain.problems(), "nothing is changed, so that scores compare"


def test_a_file_s_own_name_gives_it_no_errata(tmp_path: Path):
    (tmp_path / "humaneval.py").write_text(CLASS.replace('"mine"', '"humaneval"'))
    assert errata_of(open_benchmark(f"{tmp_path}/humaneval.py:Mine")) is None


def test_a_run_keeps_which_errata_it_was_made_under(tmp_path: Path):
    samples = tmp_path / "samples.jsonl"
    samples.write_text(json.dumps({"task_id": "HumanEval/0", "completion": "    pass\n"}))
    for name, under in (("with", True), ("without", False)):
        with Store(tmp_path / name, create=True) as store:
            import_samples(store, open_benchmark("humaneval", errata=under), samples)
            assert store.settings()["errata"].startswith("humaneval ") is under
