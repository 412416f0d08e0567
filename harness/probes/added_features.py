"""Features beside the vectors: columns that need no label, which a probe may read as it reads hidden states.

Each is standardised within its problem, so that it only compares a problem's samples; one problem's columns depend on
no other problem, and a held-out fold's on no training problem.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from harness.probes.samples import ProbeError, Samples
from harness.stats.baselines import CERTAINTY, LEAST_LOGPROB
from harness.stats.baselines import LENGTH as LENGTH
from harness.stats.baselines import LOGPROB as LOGPROB
from harness.stats.centrality import mean_cosines
from harness.stats.estimators import Floats

CENTRALITY = "centrality"
OF_TOKENS = (LOGPROB, LEAST_LOGPROB, CERTAINTY)
"""Mean log-probability per token, that of the least likely token, and self-certainty."""
FEATURES = (CENTRALITY, LENGTH, *OF_TOKENS)
"""Mean cosine of the vector with those of the problem's other samples; log length; and those of tokens."""


def check_features(names: Sequence[str]) -> None:
    """Raise ProbeError for an unknown name."""
    if unknown := [name for name in names if name not in FEATURES]:
        raise ProbeError(f"There is no feature {unknown[0]!r}: choose from {', '.join(FEATURES)}.")


def columns_of(names: Sequence[str], vectors_ND: NDArray[np.floating], values: Mapping[str, Floats]) -> Floats:
    """Return the features of one problem's samples [N, F], each standardised; `values` holds those besides vectors."""
    makers: dict[str, Callable[[], Floats]] = {
        CENTRALITY: lambda: mean_cosines(vectors_ND),
        LENGTH: lambda: np.log(np.clip(values[LENGTH], 1, None)),
    }
    columns_NF = np.stack([makers[name]() if name in makers else values[name] for name in names], axis=1)
    centred_NF = columns_NF - columns_NF.mean(axis=0)
    scale_F = centred_NF.std(axis=0)
    constant_F = scale_F <= 1e-9 * np.abs(columns_NF).max(axis=0, initial=1e-300)  # up to rounding
    return np.asarray(np.where(constant_F, 0.0, centred_NF / np.where(constant_F, 1.0, scale_F)))


def with_features(samples: Samples, names: Sequence[str], values_PN: Mapping[str, Floats]) -> Samples:
    """Return the samples with the features behind the numbers of every vector; padding stays 0.

    `values_PN` holds the features besides centrality. Raises ProbeError for an unknown name, and for a feature whose
    values are not known.
    """
    check_features(names)
    if missing := [name for name in names if name != CENTRALITY and name not in values_PN]:
        raise ProbeError(f"The samples' {missing[0]} is not known: leave {missing[0]} out of --features.")
    there_PN = (samples.indices_PN >= 0).cpu().numpy()
    widened = {}
    for view, vectors_PND in samples.vectors.items():
        columns_PNF = torch.zeros(*there_PN.shape, len(names), dtype=vectors_PND.dtype)
        for problem, there_N in enumerate(there_PN):
            own = {name: each_PN[problem, there_N] for name, each_PN in values_PN.items()}
            columns_NF = columns_of(names, vectors_PND[problem].cpu().numpy()[there_N], own)
            columns_PNF[problem, torch.from_numpy(there_N)] = torch.from_numpy(columns_NF).to(vectors_PND.dtype)
        widened[view] = torch.cat([vectors_PND, columns_PNF.to(vectors_PND.device)], dim=2)
    return replace(samples, vectors=widened, features=samples.features + len(names))
