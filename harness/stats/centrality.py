"""Centrality: how close a sample is to the others of its problem. It needs vectors, or lengths, and no label."""

import numpy as np
from numpy.typing import NDArray

from harness.stats.estimators import Bools, Floats


def mean_cosines(vectors_ND: NDArray[np.floating]) -> Floats:
    """Return the mean cosine [N] of each vector with the other ones of its problem; 0 for a single vector.

    A vector of zeros has cosine 0 with every other. One sum of unit vectors replaces the N^2 products.
    """
    rows_ND = vectors_ND.astype(np.float64)
    norms_N1 = np.linalg.norm(rows_ND, axis=1, keepdims=True)
    units_ND = rows_ND / np.where(norms_N1 > 0, norms_N1, 1.0)
    others_ND = units_ND.sum(0) - units_ND
    return np.asarray((units_ND * others_ND).sum(1) / max(len(rows_ND) - 1, 1))


def cosine_kernel(vectors_ND: NDArray[np.floating]) -> Floats:
    """Return the cosine of every pair of vectors [N, N]: the products of which `mean_cosines` are means."""
    norms_N1 = np.linalg.norm(vectors_ND.astype(np.float64), axis=1, keepdims=True)
    units_ND = vectors_ND / np.where(norms_N1 > 0, norms_N1, 1.0)
    kernel_NN = units_ND @ units_ND.T
    np.fill_diagonal(kernel_NN, 1.0)  # for vectors of zeros too: the mean leaves the vector itself out
    return np.asarray(kernel_NN)


def centred_kernel(vectors_ND: NDArray[np.floating]) -> Floats:
    """Return the product of every pair of vectors [N, N] less their mean, in the unit of `centroid_distances`."""
    centred_ND = vectors_ND.astype(np.float64) - vectors_ND.astype(np.float64).mean(0)
    kernel_NN = centred_ND @ centred_ND.T
    unit = np.diag(kernel_NN).mean() if len(kernel_NN) else 0.0
    equal = not centroid_distances(vectors_ND).any()
    return np.asarray(np.zeros_like(kernel_NN) if equal else kernel_NN / unit)


def centroid_distances(vectors_ND: NDArray[np.floating]) -> Floats:
    """Return the distance [N] of each vector from the mean of its problem's, in units of their root mean square.

    The unit makes several layers comparable, and changes no order within a problem. 0 where all vectors are equal.
    """
    rows_ND = vectors_ND.astype(np.float64)
    distances_N = np.linalg.norm(rows_ND - rows_ND.mean(0), axis=1)
    unit = np.sqrt(np.square(distances_N).mean()) if len(distances_N) else 0.0
    rounding = 1e-7 * np.linalg.norm(rows_ND, axis=1).max(initial=0.0)
    return np.asarray(distances_N / unit if unit > rounding else np.zeros(len(rows_ND)))


def typical_lengths(lengths_PN: Floats, mask_PN: Bools) -> Floats:
    """Return minus the distance [P, N] of each log length from the median of its problem; 0 outside the mask."""
    typical_PN = np.zeros(lengths_PN.shape)
    for row_N, lengths_N, mask_N in zip(typical_PN, lengths_PN, mask_PN, strict=True):
        if mask_N.any():
            logs_N = np.log(np.clip(lengths_N[mask_N], 1, None))
            row_N[mask_N] = -np.abs(logs_N - np.median(logs_N))
    return typical_PN
