"""Features of samples that need no vector: the inputs of the baselines."""

import numpy as np
from numpy.typing import NDArray

from harness.runs.completion import Completion
from harness.runs.join import group_numbers, place
from harness.runs.program_hash import fingerprints
from harness.runs.store import Store
from harness.stats import SampleFeatures

PROGRAMS = "programs"
"""The name of the groups of samples whose programs are the same."""


def sample_features(store: Store, problem_ids: tuple[str, ...], indices_PN: NDArray[np.int64]) -> SampleFeatures:
    """Return lengths, log-probabilities (if the model's are known) and groups of equal programs, [P, N] each."""
    completions = {completion.id: completion for completion in store.completions()}
    prints = fingerprints([completion.program for completion in completions.values()])
    lengths = {sample: float(len(completion.continuation)) for sample, completion in completions.items()}
    logprobs = {sample: _mean_logprob(completion) for sample, completion in completions.items()}
    groups = group_numbers(dict(zip(completions, prints, strict=True)))
    logprobs_PN = place(logprobs, problem_ids, indices_PN, 0.0)
    return SampleFeatures(
        place(lengths, problem_ids, indices_PN, 0.0),
        logprobs_PN if np.isfinite(logprobs_PN).all() else None,
        {PROGRAMS: place(groups, problem_ids, indices_PN, -1)},
    )


def _mean_logprob(completion: Completion) -> float:
    if completion.logprob is None or not completion.tokens:
        return float("nan")
    return completion.logprob / completion.tokens
