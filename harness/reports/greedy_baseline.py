"""The greedy completion as a baseline: the reward of one sample at temperature 0, from a separate run."""

from pathlib import Path

from harness.errors import QprobeError
from harness.runs.store import Store


def greedy_rewards(folder: Path, benchmark: str) -> dict[str, float]:
    """Return the reward of the one greedy sample of each problem, by the problem's id.

    Raises QprobeError if the run is of another benchmark, has no verdicts, or was not sampled greedily.
    """
    with Store(folder, read_only=True) as store:
        about = store.about
        if about.benchmark != benchmark:
            raise QprobeError(f"{folder} is a run of {about.benchmark}, not of {benchmark}.")
        grader = about.require_grader(folder)
        ids = store.sample_ids()
        several = len({sample.problem_id for sample in ids}) < len(ids)
        if several or about.generation.get("temperature", 0.0) != 0.0:
            raise QprobeError(f"{folder} is not greedy: generate one sample per problem with --temperature 0 --k 1.")
        verdicts = store.verdicts(grader)
    return {sample.problem_id: outcome.reward for sample, outcome in verdicts.items() if outcome.reward is not None}
