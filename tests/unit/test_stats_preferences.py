"""Accuracy by length, and confidences: against what they are by definition."""

import numpy as np
import pytest

from harness.stats.preferences import LengthGroups, accuracy_by_length, confidences


def test_length_alone_is_right_in_half_of_the_balanced_pairs():
    chosen_P, rejected_P = np.array([9.0, 9, 9, 1, 5]), np.array([1.0, 1, 1, 9, 5])
    groups = LengthGroups.of(chosen_P, rejected_P)
    longest_P = np.array([1.0, 1, 1, 0, 0.5])
    (row,) = accuracy_by_length({"longest": longest_P}, groups, resamples=500)
    assert (row.longer, row.shorter, row.balanced, row.similar) == (1.0, 0.0, 0.5, 0.5)
    assert (row.low, row.high) == (0.5, 0.5)


def test_similar_lengths_are_within_a_tenth_and_groups_without_pairs_have_no_accuracy():
    groups = LengthGroups.of(np.array([10.0, 10, 10]), np.array([9.0, 9.1, 1]))
    assert groups.similar_P.tolist() == [False, True, False]
    (row,) = accuracy_by_length({"one": np.ones(3)}, groups, resamples=50)
    assert row.longer == 1.0
    assert np.isnan(row.shorter)
    assert np.isnan(row.balanced)


def test_the_interval_holds_its_share_of_the_time():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        chosen_P, rejected_P = rng.integers(1, 100, (2, 150)).astype(float)
        values_P = (rng.random(150) < 0.7).astype(float)
        groups = LengthGroups.of(chosen_P, rejected_P)
        (row,) = accuracy_by_length({"one": values_P}, groups, resamples=200)
        held += row.low <= 0.7 <= row.high
    assert held >= 180


def test_confidences_are_the_sigmoid_of_the_margin_without_overflow():
    scores_PN = np.array([[1.0, 0.0], [0.0, 1.0], [1e4, -1e4]])
    expected = 1 / (1 + np.exp(-1.0))
    assert confidences(scores_PN) == pytest.approx(
        np.array([[expected, 1 - expected], [1 - expected, expected], [1, 0]])
    )
