"""Joins by sample, against a plain loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.completion import GREEDY, SampleId
from harness.runs.join import group_numbers, place

samples = st.builds(SampleId, st.sampled_from("ABC"), st.integers(GREEDY, 4))
indices = st.lists(st.lists(st.integers(-1, 6), min_size=3, max_size=3), min_size=3, max_size=3)


@given(st.dictionaries(samples, st.floats(allow_nan=False)), indices)
def test_every_value_is_at_its_place(values: dict[SampleId, float], rows: list[list[int]]):
    placed_PN = place(values, "BCA", np.array(rows), -7.5)
    for p, problem_id in enumerate("BCA"):
        for n in range(3):
            index = rows[p][n]
            expected = -7.5 if index < 0 else values.get(SampleId(problem_id, index), -7.5)
            assert placed_PN[p, n] == expected


def test_a_greedy_sample_is_never_put_at_padding():
    placed_PN = place({SampleId("A", GREEDY): 1.0, SampleId("A", 0): 2.0}, ["A"], np.array([[0, -1]]), 0.0)
    assert placed_PN.tolist() == [[2.0, 0.0]]


def test_the_type_holds_values_and_fill():
    one = {SampleId("A", 0): 1}
    assert place(one, ["A"], np.array([[0, -1]]), -1).dtype == np.int64
    mixed_PN = place({SampleId("A", 0): 0.5}, ["A"], np.array([[0, -1]]), 0)
    assert mixed_PN.tolist() == [[0.5, 0.0]], "an integer fill must not round the values"
    assert place({}, [], np.zeros((0, 4), dtype=np.int64), float("nan")).shape == (0, 4)


@given(st.dictionaries(samples, st.sampled_from("xyz")))
def test_samples_of_a_problem_share_a_number_if_their_keys_are_equal(keys: dict[SampleId, str]):
    numbers = group_numbers(keys)
    assert set(numbers) == set(keys)
    for one in keys:
        for other in keys:
            if one.problem_id == other.problem_id:
                assert (numbers[one] == numbers[other]) == (keys[one] == keys[other])
    for problem_id in {sample.problem_id for sample in keys}:
        own = {number for sample, number in numbers.items() if sample.problem_id == problem_id}
        assert own == set(range(len(own)))
