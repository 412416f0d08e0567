"""Centrality of samples, against sums over pairs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.centrality import centroid_distances, mean_cosines, typical_lengths


def drawn(seed: int) -> np.ndarray:
    """Vectors of one problem, some equal to each other and some zero."""
    rng = np.random.default_rng(seed)
    vectors_ND = rng.standard_normal((rng.integers(1, 9), rng.integers(1, 5))) * 10.0 ** rng.integers(-3, 4)
    vectors_ND[rng.random(len(vectors_ND)) < 0.1] = 0.0
    return vectors_ND[rng.integers(0, len(vectors_ND), len(vectors_ND))].astype(np.float32)


@given(st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_mean_cosines_are_means_over_pairs(seed: int):
    vectors_ND = drawn(seed)
    for i, mean in enumerate(mean_cosines(vectors_ND)):
        cosines = []
        for j, other_D in enumerate(vectors_ND.astype(float)):
            norms = np.linalg.norm(vectors_ND[i].astype(float)) * np.linalg.norm(other_D)
            if i != j:
                cosines.append(vectors_ND[i].astype(float) @ other_D / norms if norms else 0.0)
        np.testing.assert_allclose(mean, np.mean(cosines) if cosines else 0.0, atol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_centroid_distances_order_as_distances_do_whatever_the_scale_and_place(seed: int):
    vectors_ND = drawn(seed).astype(float)
    middle_D = sum(vectors_ND) / len(vectors_ND)
    plain_N = np.array([float(np.sqrt(sum((row_D - middle_D) ** 2))) for row_D in vectors_ND])
    distances_N = centroid_distances(vectors_ND)
    if plain_N.max() > 1e-6 * np.abs(vectors_ND).max():
        np.testing.assert_allclose(distances_N * np.sqrt((plain_N**2).mean()), plain_N, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(centroid_distances(vectors_ND * 7), distances_N, atol=1e-6)
    else:
        np.testing.assert_array_equal(distances_N, 0.0)


@given(st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_typical_lengths_are_nearest_to_the_middle_of_the_sorted_ones(seed: int):
    rng = np.random.default_rng(seed)
    lengths_PN = rng.integers(0, 300, (4, 7)).astype(float)
    mask_PN = rng.random((4, 7)) < 0.7
    typical_PN = typical_lengths(lengths_PN, mask_PN)
    assert not typical_PN[~mask_PN].any()
    for typical_N, lengths_N, mask_N in zip(typical_PN, lengths_PN, mask_PN, strict=True):
        logs = sorted(float(np.log(max(length, 1.0))) for length in lengths_N[mask_N])
        if logs:
            middle = (logs[(len(logs) - 1) // 2] + logs[len(logs) // 2]) / 2
            own = [-abs(float(np.log(max(length, 1.0))) - middle) for length in lengths_N[mask_N]]
            np.testing.assert_allclose(typical_N[mask_N], own, atol=1e-12)
