"""Features of samples that need no label: the inputs of the baselines."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.runs.completion import Completion, SampleId
from harness.runs.join import place
from harness.runs.program_groups import program_groups
from harness.runs.store import Store
from harness.runs.vector_store import StoredVectors
from harness.stats import SampleFeatures
from harness.stats.baselines import CENTROID, CERTAINTY, LEAST_LOGPROB, LENGTH, LOGPROB, VECTOR_AGREEMENT
from harness.stats.centrality import centred_kernel, centroid_distances, cosine_kernel, mean_cosines

PROGRAMS = "programs"
"""The name of the groups of samples whose programs are the same."""


def sample_features(store: Store, problem_ids: tuple[str, ...], indices_PN: NDArray[np.int64]) -> SampleFeatures:
    """Return lengths, log-probabilities (if the model's are known), groups of equal programs, and scores of vectors.

    All [P, N]; a problem's vectors are compared over all its stored samples.
    """
    programs: dict[SampleId, str] = {}  # and no completions, whose tokens take several times the memory
    lengths: dict[SampleId, float] = {}
    totals, means, least, certainties = (dict[SampleId, float | None]() for _ in range(4))
    for completion in store.completions():
        sample = completion.id
        programs[sample], lengths[sample] = completion.program, float(len(completion.continuation))
        totals[sample], means[sample] = completion.logprob, _mean_logprob(completion)
        least[sample], certainties[sample] = completion.least_logprob, completion.self_certainty
    groups = program_groups(programs)
    return SampleFeatures(
        lengths_PN=place(lengths, problem_ids, indices_PN, 0.0),
        log_probabilities_PN=_if_all_known(means, problem_ids, indices_PN),
        total_log_probabilities_PN=_if_all_known(totals, problem_ids, indices_PN),
        least_log_probabilities_PN=_if_all_known(least, problem_ids, indices_PN),
        self_certainties_PN=_if_all_known(certainties, problem_ids, indices_PN),
        groups={PROGRAMS: place(groups, problem_ids, indices_PN, -1)},
        scores=vector_scores(store, problem_ids, indices_PN),
    )


def feature_values(
    store: Store, problem_ids: Sequence[str], indices_PN: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return the features beside vectors that a probe may read, [P, N] by name; one that is not known is left out."""
    values: dict[str, dict[SampleId, float | None]] = {name: {} for name in FEATURE_OF}
    for completion in store.completions():
        for name, of in FEATURE_OF.items():
            values[name][completion.id] = of(completion)
    known = {name: _if_all_known(by_sample, problem_ids, indices_PN) for name, by_sample in values.items()}
    return {name: values_PN for name, values_PN in known.items() if values_PN is not None}


def _mean_logprob(completion: Completion) -> float | None:
    """The mean per token; None where it is not known."""
    if completion.logprob is None or not completion.tokens:
        return None
    return completion.logprob / completion.tokens


FEATURE_OF: Mapping[str, Callable[[Completion], float | None]] = {
    LENGTH: lambda completion: float(len(completion.continuation)),
    LOGPROB: _mean_logprob,
    LEAST_LOGPROB: lambda completion: completion.least_logprob,
    CERTAINTY: lambda completion: completion.self_certainty,
}
"""A completion's features beside its vectors, by name; None where one is not known."""


def _if_all_known(
    values: Mapping[SampleId, float | None], problem_ids: Sequence[str], indices_PN: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return the values at their places; None where one is not known."""
    known = {sample: value for sample, value in values.items() if value is not None}
    placed_PN = place(known, problem_ids, indices_PN, np.nan)
    if np.isnan(placed_PN[indices_PN >= 0]).any():
        return None
    return np.where(indices_PN >= 0, placed_PN, 0.0)


def vector_scores(
    store: Store, problem_ids: Sequence[str], indices_PN: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return scores of each sample's vectors beside those of its problem's other samples, [P, N] by name in tables.

    Of several layers and poolings, the mean cosine, and the distance in the space of all of them. Empty where samples
    have no vectors, or no problem has two samples.
    """
    scores = {name: np.zeros(indices_PN.shape) for name in (VECTOR_AGREEMENT, CENTROID)}
    row = -1
    for row, there_N, by_view in _vectors_by_problem(store, problem_ids, indices_PN):
        scores[VECTOR_AGREEMENT][row, there_N] = np.mean([mean_cosines(each_ND) for each_ND in by_view], axis=0)
        squares_N = np.mean([centroid_distances(each_ND) ** 2 for each_ND in by_view], axis=0)
        scores[CENTROID][row, there_N] = -np.sqrt(squares_N)
    return scores if row >= 0 else {}


def vector_kernels(
    store: Store, problem_ids: Sequence[str], indices_PN: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Return what the scores of `vector_scores` are made of: the products of each problem's vectors, [P, N, N]."""
    samples = indices_PN.shape[1]
    kernels = {name: np.zeros((*indices_PN.shape, samples), np.float32) for name in (VECTOR_AGREEMENT, CENTROID)}
    row = -1
    for row, there_N, by_view in _vectors_by_problem(store, problem_ids, indices_PN):
        pairs = np.ix_(there_N, there_N)
        kernels[VECTOR_AGREEMENT][row][pairs] = np.mean([cosine_kernel(each_ND) for each_ND in by_view], axis=0)
        kernels[CENTROID][row][pairs] = np.mean([centred_kernel(each_ND) for each_ND in by_view], axis=0)
    return kernels if row >= 0 else {}


def _vectors_by_problem(
    store: Store, problem_ids: Sequence[str], indices_PN: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.bool_], list[NDArray[np.float32]]]]:
    """Yield each problem's row, the places of its samples and their vectors by view, one problem at a time.

    Nothing where samples have no vectors, or no problem has two samples.
    """
    about = store.about
    if about.view is None or about.embeddings[about.view].shards is None or (indices_PN >= 0).sum(1).max(initial=0) < 2:
        return
    vectors = StoredVectors.open(store, about.view)
    if vectors.missing(_ids(problem_ids, indices_PN)) or not vectors.has_files:
        return
    for row, (problem_id, indices_N) in enumerate(zip(problem_ids, indices_PN, strict=True)):
        yield row, indices_N >= 0, list(vectors.read(_ids([problem_id], indices_N[None])).values())


def _ids(problem_ids: Sequence[str], indices_PN: NDArray[np.int64]) -> list[SampleId]:
    return [
        SampleId(problem_id, index)
        for problem_id, indices_N in zip(problem_ids, indices_PN.tolist(), strict=True)
        for index in indices_N
        if index >= 0
    ]
