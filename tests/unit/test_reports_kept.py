"""A report that the run's folder holds is printed as it is, and computed anew after any change of its inputs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.commands import stages
from harness.reports import build
from harness.reports.kept import KEY_FILE
from harness.runs.completion import SampleId
from harness.runs.store import Store
from sandbox import Outcome, Status
from tests.made_run import fill


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with Store(tmp_path / "run", create=True) as store:
        fill(store, problems=4)
    return tmp_path / "run"


def is_computed(run: Path, monkeypatch: pytest.MonkeyPatch, ks: str | None = None) -> bool:
    """Report on a run, and return whether its figures were computed."""
    computed = []

    def compute(*arguments: object) -> object:
        computed.append(arguments)
        return compute_it(*arguments)

    compute_it: Callable[..., object] = build.report_and_page
    with monkeypatch.context() as patched:
        patched.setattr(build, "report_and_page", compute)
        stages.report(run, k=ks, quiet=True)
    return bool(computed)


def add_verdict(run: Path) -> None:
    with Store(run) as store:
        store.add_verdicts("other", {SampleId("M/0", 0): Outcome(Status.FAILED, "assert f()", 0.01, 0.02)})


CHANGES: dict[str, Callable[[Path], object]] = {
    "another verdict": add_verdict,
    "an edited report": lambda run: (run / "report.json").write_text("{}"),
    "no page": lambda run: (run / "report.html").unlink(),
    "a damaged note": lambda run: (run / KEY_FILE).write_text("[1"),
    "more provenance": lambda run: (run / "provenance.jsonl").write_text('{"stage": "grade", "ended": "2026"}\n'),
}


def test_it_is_printed_again_without_being_computed(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert is_computed(run, monkeypatch)
    first, page = capsys.readouterr().out, (run / "report.html").read_bytes()
    assert not is_computed(run, monkeypatch)
    assert capsys.readouterr().out == first
    assert (run / "report.html").read_bytes() == page


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_computed_anew_after(run: Path, change: str, monkeypatch: pytest.MonkeyPatch):
    assert is_computed(run, monkeypatch)
    CHANGES[change](run)
    assert is_computed(run, monkeypatch)
    assert not is_computed(run, monkeypatch)


def test_a_table_at_other_k_is_never_the_kept_one(run: Path, monkeypatch: pytest.MonkeyPatch):
    assert is_computed(run, monkeypatch)
    assert is_computed(run, monkeypatch, ks="2")
    assert is_computed(run, monkeypatch), "the folder holds the report with k = 2"


def test_a_copy_with_another_name_has_its_own_report(run: Path, monkeypatch: pytest.MonkeyPatch):
    assert is_computed(run, monkeypatch)
    shutil.copytree(run, run.with_name("copy"))
    assert is_computed(run.with_name("copy"), monkeypatch), "the heading has the name of the folder"
