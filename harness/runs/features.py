"""What is known of every sample beside its vector: the food of the baselines."""

import numpy as np
from numpy.typing import NDArray

from harness.runs.completion import Completion, SampleId
from harness.runs.program_hash import fingerprints
from harness.runs.store import Store
from harness.stats import SampleFeatures

PROGRAMS = "programs"
"""The name of the groups of samples whose programs are the same."""


def sample_features(store: Store, problem_ids: tuple[str, ...], indices_PN: NDArray[np.int64]) -> SampleFeatures:
    """Lengths, log-probabilities (where the model's are known) and groups of equal programs, [P, N] each."""
    completions = {completion.id: completion for completion in store.completions()}
    prints = dict(zip(completions, fingerprints([each.program for each in completions.values()]), strict=True))
    lengths_PN = np.zeros(indices_PN.shape)
    logprobs_PN = np.zeros(indices_PN.shape)
    groups_PN = np.full(indices_PN.shape, -1, dtype=np.int64)
    for p, problem_id in enumerate(problem_ids):
        numbers: dict[str, int] = {}
        for n in np.flatnonzero(indices_PN[p] >= 0):
            sample = SampleId(problem_id, int(indices_PN[p, n]))
            lengths_PN[p, n] = len(completions[sample].continuation)
            logprobs_PN[p, n] = _mean_logprob(completions[sample])
            groups_PN[p, n] = numbers.setdefault(prints[sample], len(numbers))
    known = bool(np.isfinite(logprobs_PN).all())
    return SampleFeatures(lengths_PN, logprobs_PN if known else None, {PROGRAMS: groups_PN})


def _mean_logprob(completion: Completion) -> float:
    if completion.logprob is None or not completion.tokens:
        return float("nan")
    return completion.logprob / completion.tokens
