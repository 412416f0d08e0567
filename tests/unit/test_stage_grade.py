"""How long programs may run: fixed, or following the reference within bounds that a user sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import QprobeError
from harness.stages.grade import Budget
from sandbox import Limits
from sandbox.grading_mode import GradingPlan

SECONDS = st.floats(0.001, 100)


@given(SECONDS, st.floats(1, 50), SECONDS, SECONDS)
def test_the_limit_follows_the_reference_within_bounds(reference: float, factor: float, one: float, other: float):
    floor, ceiling = sorted((one, other))
    limits = Budget(factor=factor, floor=floor, ceiling=ceiling).limits(GradingPlan(reference_seconds=reference))
    assert limits.cpu_seconds == sorted((floor, factor * reference, ceiling))[1]
    assert limits.wall_seconds >= 5 * limits.cpu_seconds


def test_without_a_reference_the_usual_limits_hold():
    assert Budget().limits(GradingPlan()) == Limits()


def test_a_fixed_time_heeds_no_reference():
    limits = Budget(cpu_seconds=6.0).limits(GradingPlan(reference_seconds=0.01))
    assert (limits.cpu_seconds, limits.wall_seconds) == (6.0, 30.0)


def test_bounds_the_wrong_way_round_are_refused():
    with pytest.raises(QprobeError, match="--timeout-min 3 is more than --timeout-max 2"):
        Budget(floor=3.0, ceiling=2.0)
