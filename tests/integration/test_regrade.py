"""Second gradings, and answers to the shown test, of real programs in a real sandbox."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import Problem
from harness.commands.terminal import Terminal
from harness.reports.report import ChangedReward, Stability
from harness.reports.stability import stability
from harness.reports.visible_answers import visible_answers
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stages.grade import Budget, grade
from harness.stages.regrade import regrade as regrade_stage
from harness.stages.visible_tests import run_visible_tests
from harness.stats import agreement
from sandbox import Outcome, Sandbox, Status

PROGRAMS = [
    "def f(x):\n    return {x, 2 * x}\n",
    "def f(x):\n    return {2 * x, x}\n",  # another program, the same answer
    "def f(x):\n    return frozenset([2.0 * x, float(x)])\n",  # equal, and of another type
    "def f(x):\n    return [x, 2 * x]\n",
    "def f(x):\n    raise ValueError\n",
    "def f(x):\n    return 1 / 0\n",
    "def f(x):\n    return object()\n",
    "def f(x:\n",
    "def f(x):\n    return 'answer 1 True'\n",
    "def f(x):\n    raise AssertionError('answer 1 True')\n",
]
SHOWN = Problem("S/0", '"""\nBoth.\nassert f(3) == {3, 6}\n"""\n', "f", "assert f(3) == {3, 6}\nassert f(0) == {0}")
SILENT = Problem("S/1", "Both.\n", "f", "assert f(3) == {3, 6}")


@pytest.fixture
def store(tmp_path: Path, process_sandbox: Sandbox) -> Store:
    store = Store(tmp_path / "run", create=True)
    store.add_problems([SHOWN, SILENT])
    rows = enumerate([*PROGRAMS, PROGRAMS[0]])
    store.add_completions(Completion("S/0", n, SHOWN.prompt, "", program) for n, program in rows)
    store.add_completions([Completion("S/1", 0, SILENT.prompt, "", PROGRAMS[0])])
    grade(store, process_sandbox, Budget(), Terminal(quiet=True))
    return store


def test_samples_with_equal_answers_agree(store: Store, process_sandbox: Sandbox):
    grader = store.settings()["grader"]
    indices_PN = np.array([[*range(11), -1], [0, *[-1] * 11]])
    assert visible_answers(store, grader, ["S/0", "S/1"], indices_PN) is None
    assert run_visible_tests(store, process_sandbox, Budget(), Terminal(quiet=True)) == 1
    answers = visible_answers(store, grader, ["S/0", "S/1"], indices_PN)
    assert answers is not None
    assert answers.problems == 1
    votes_PN = agreement(answers.groups_PN, indices_PN >= 0)
    assert votes_PN[0].tolist() == [4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 4, 0]
    assert answers.passes_PN[0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert votes_PN[1].tolist() == [1, *[0] * 11]
    assert run_visible_tests(store, process_sandbox, Budget(), Terminal(quiet=True)) == 1, "nothing is left to do"


def stability_of(store: Store, grader: str) -> Stability | None:
    return stability(store.verdicts(grader), store.verdicts(VerdictSet.REGRADE.key(grader)))


def test_a_verdict_that_changed_is_named(store: Store, process_sandbox: Sandbox):
    grader = store.settings()["grader"]
    assert stability_of(store, grader) is None
    regrade_stage(store, process_sandbox, Budget(), Terminal(quiet=True), programs=5)
    first = stability_of(store, grader)
    assert first is not None
    assert (first.programs, first.changed) == (5, [])
    regrade_stage(store, process_sandbox, Budget(), Terminal(quiet=True), programs=12)
    every = stability_of(store, grader)
    assert every is not None
    assert every.programs == 12
    other = {SampleId("S/0", 3): Outcome(Status.PASSED), SampleId("S/0", 4): Outcome(Status.TIMEOUT)}
    store.add_verdicts(VerdictSet.REGRADE.key("other"), other)
    store.add_verdicts("other", {sample: store.verdicts(grader)[sample] for sample in other})
    changed = stability_of(store, "other")
    assert changed is not None
    assert changed.changed == [ChangedReward("S/0", 3, "failed", "passed")], "another failure changes no reward"
