"""The samples of a run as probes learn from them: vectors and rewards, joined by sample."""

from harness.errors import QprobeError
from harness.probes import Samples
from harness.runs.store import Store
from harness.runs.vector_store import read_views


def load_samples(store: Store) -> Samples:
    """Join a run's vectors and rewards by sample. Raises QprobeError where a stage is missing or unfinished."""
    about = store.about
    grader, _ = about.require_grader(store.folder), about.require_embedding(store.folder)
    ids = store.sample_ids()
    vectors = read_views(store, str(about.view), ids)
    rewards: dict[tuple[str, int], float | None] = {
        sample: outcome.reward for sample, outcome in store.verdicts(grader).items()
    }
    if missing := len([sample for sample in ids if sample not in rewards]):
        raise QprobeError(f"{missing:,} samples have no verdict yet: run qprobe grade {store.folder} again.")
    return Samples.join(ids, vectors, rewards)
