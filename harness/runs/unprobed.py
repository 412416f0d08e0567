"""The samples of a run without probes, at the places that scores would have: what a report needs besides verdicts."""

import numpy as np
from numpy.typing import NDArray

from harness.errors import QprobeError
from harness.runs.completion import SampleId
from harness.runs.features import sample_features
from harness.runs.scores import Scores, current
from harness.runs.store import Store


def unprobed_scores(store: Store) -> Scores:
    """Return the places and features of a run's samples, without objectives.

    A first grading that has not ended counts as far as it is. Raises QprobeError without samples, or without verdicts.
    """
    ids = store.sample_ids()
    if not ids:
        raise QprobeError(f"{store.folder} has no samples: run qprobe import or qprobe generate first.")
    about = store.about
    grader = about.shown_grader or about.require_grader(store.folder)
    settings = {**current(store), "grader": grader, "beta": 0.0}
    problem_ids, indices_PN = _places(ids)
    return Scores(
        settings=settings,
        problem_ids=problem_ids,
        objectives=(),
        indices_PN=indices_PN,
        seeds=(),
        scores_SOPN=np.zeros((1, 0, *indices_PN.shape), dtype=np.float32),
        limits_SOP=np.zeros((1, 0, len(problem_ids)), dtype=np.int64),
        among_SOP=np.zeros((1, 0, len(problem_ids)), dtype=np.int64),
        folds_SP=np.full((1, len(problem_ids)), -1),
        units_P=np.arange(len(problem_ids)),
        controls={},
        chosen={},
        features=sample_features(store, problem_ids, indices_PN),
    )


def _places(ids: list[SampleId]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the problems in the order of their samples, and each one's indices [P, N], -1 for padding."""
    indices: dict[str, list[int]] = {}
    for sample in ids:
        indices.setdefault(sample.problem_id, []).append(sample.sample)
    indices_PN = np.full((len(indices), max(map(len, indices.values()))), -1, dtype=np.int64)
    for p, own in enumerate(indices.values()):
        indices_PN[p, : len(own)] = own
    return tuple(indices), indices_PN
