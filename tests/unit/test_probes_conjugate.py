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


def solved(samples: Samples, *, by_steps: bool, standardise: bool, monkeypatch: pytest.MonkeyPatch) -> list[Trained]:
    """Probes of overlapping training sets, penalties and rewards, with validation, by one of the two ways."""
    monkeypatch.setattr(conjugate, "LEAST_WIDTH", 1 if by_steps else 10**9)
    fold_P = torch.arange(len(samples.problem_ids)) % 4
    specs = [
        spec((fold_P != one) & (fold_P != other), l2, fold_P == one, permutation=permutation)
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
    monkeypatch.setattr(conjugate, "ROWS_AT_ONCE", 7)
    parts = solved(samples, by_steps=True, standardise=True, monkeypatch=monkeypatch)
    compare(parts, whole, samples, 1e-4)


@pytest.mark.parametrize(("graded", "width", "pays"), [(4096, 2048, True), (4095, 2048, False), (10**6, 2047, False)])
def test_steps_pay_for_wide_vectors_of_many_samples(graded: int, width: int, pays: bool):
    assert conjugate.pays(graded, width) is pays
