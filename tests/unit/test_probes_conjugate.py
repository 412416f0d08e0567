"""Ridge regression by conjugate gradients, against a decomposition of each system's matrix."""

from dataclasses import replace

import pytest
import torch

from harness.probes import Samples, conjugate
from harness.probes.closed_form import solve
from harness.probes.controls import Permutation
from harness.probes.synthetic import PLANTED
from harness.probes.training import Trained, measure
from tests.unit.test_probes_closed_form import RULES, made, spec

WIDTH = 6


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def solved(
    samples: Samples, *, by_steps: bool, standardise: bool, monkeypatch: pytest.MonkeyPatch, trials: bool = False
) -> list[Trained]:
    """Probes of overlapping training sets, penalties and rewards, by one of the two ways; trials are validated."""
    monkeypatch.setattr(conjugate, "LEAST_WIDTH", 1 if by_steps else 10**9)
    fold_P = torch.arange(len(samples.problem_ids)) % 4
    specs = [
        spec((fold_P != one) & (fold_P != other), l2, fold_P == one if trials else None, permutation=permutation)
        for one in range(4)
        for other in range(one)
        for l2 in (1.0, 0.01, 0.0)
        for permutation in (None, Permutation(1, 0))
    ]
    return solve(samples, specs, RULES, measure(samples) if standardise else None)


def compare(some: list[Trained], others: list[Trained], samples: Samples, tolerance: float) -> None:
    for one, other in zip(some, others, strict=True):
        scores_PN, same_PN = (result.probe([samples.vectors[PLANTED]]).double() for result in (one, other))
        spread = same_PN[samples.mask_PN].std()
        torch.testing.assert_close(scores_PN / spread, same_PN / spread, rtol=0, atol=tolerance)
        assert one.curve_EBS.shape == other.curve_EBS.shape


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_both_ways_give_the_same_probes(seed: int, standardise: bool, monkeypatch: pytest.MonkeyPatch):
    samples = made(24, 8, WIDTH, seed)
    if not standardise:  # in raw units a matrix of numbers from 1e-6 to 1e6 has no float32 inverse
        samples = replace(samples, vectors={PLANTED: samples.vectors[PLANTED] / torch.logspace(-3, 3, WIDTH)})
    some, others = (
        solved(samples, by_steps=by_steps, standardise=standardise, monkeypatch=monkeypatch)
        for by_steps in (True, False)
    )
    compare(some, others, samples, 1e-4)


def test_probes_that_are_only_compared_are_solved_in_fewer_steps(monkeypatch: pytest.MonkeyPatch):
    """To the tolerance of trials, but not to that of probes that are kept."""
    samples = made(24, 8, WIDTH)
    corrections = []
    whole = conjugate.Systems._correction
    monkeypatch.setattr(
        conjugate.Systems, "_correction", lambda self, *given: (corrections.append(1), whole(self, *given))[1]
    )
    by_decomposition, _, trials = (
        solved(samples, by_steps=by_steps, standardise=True, monkeypatch=monkeypatch, trials=are_trials)
        for by_steps, are_trials in ((False, True), (True, False), (True, True))
    )
    assert len(corrections) == 3, "two for those that are kept, one for trials"
    compare(trials, by_decomposition, samples, 3 * conjugate.TOLERANCE_OF_TRIALS)
    for one, other in zip(trials, by_decomposition, strict=True):
        torch.testing.assert_close(torch.tensor(one.curve_EBS), torch.tensor(other.curve_EBS), rtol=0, atol=0.02)


def test_vectors_far_from_zero_lose_no_precision(monkeypatch: pytest.MonkeyPatch):
    samples = made(24, 8, WIDTH)
    samples = replace(samples, vectors={PLANTED: (samples.vectors[PLANTED] / torch.logspace(-3, 3, WIDTH) + 300)})
    some, others = (
        solved(samples, by_steps=by_steps, standardise=True, monkeypatch=monkeypatch) for by_steps in (True, False)
    )
    compare(some, others, samples, 1e-4)


@pytest.mark.parametrize("limits", [{"STEPS": 0}, {"STEPS": 1, "REFINEMENTS": 1}])
def test_a_system_that_steps_leave_unsolved_is_decomposed(limits: dict[str, int], monkeypatch: pytest.MonkeyPatch):
    samples = made(24, 8, WIDTH)
    expected = solved(samples, by_steps=False, standardise=True, monkeypatch=monkeypatch)
    for name, value in limits.items():
        monkeypatch.setattr(conjugate, name, value)
    found = solved(samples, by_steps=True, standardise=True, monkeypatch=monkeypatch)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.probe.weights["project"], other.probe.weights["project"])


def test_a_part_of_the_systems_at_a_time(monkeypatch: pytest.MonkeyPatch):
    samples = made(24, 8, WIDTH)
    whole = solved(samples, by_steps=True, standardise=True, monkeypatch=monkeypatch)
    monkeypatch.setattr(conjugate, "WIDEST_SYSTEMS", 5 * WIDTH)
    monkeypatch.setattr("harness.probes.samples.ROWS_AT_ONCE", 7)
    parts = solved(samples, by_steps=True, standardise=True, monkeypatch=monkeypatch)
    compare(parts, whole, samples, 1e-4)


@pytest.mark.parametrize(("graded", "width", "pays"), [(4096, 2048, True), (4095, 2048, False), (10**6, 2047, False)])
def test_steps_pay_for_wide_vectors_of_many_samples(graded: int, width: int, pays: bool):
    assert conjugate.pays(graded, width) is pays
