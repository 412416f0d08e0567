"""The greedy completion as a baseline: what one sample at temperature 0 earns, from a run of its own."""

from pathlib import Path

from harness.errors import QprobeError
from harness.runs.store import Store


def greedy_rewards(folder: Path, benchmark: str) -> dict[str, float]:
    """The reward of the one greedy sample of each problem, by the problem's id.

    Raises QprobeError where the run is of another benchmark, has no verdicts, or was not drawn greedily.
    """
    with Store(folder) as store:
        about = store.settings()
        if about.get("benchmark") != benchmark:
            raise QprobeError(f"{folder} is a run of {about.get('benchmark')}, not of {benchmark}.")
        if about.get("grader") is None:
            raise QprobeError(f"{folder} has no verdicts: run qprobe grade {folder} first.")
        ids = store.sample_ids()
        if about.get("generation", {}).get("temperature", 0.0) != 0.0 or len({each.problem_id for each in ids}) < len(
            ids
        ):
            raise QprobeError(f"{folder} is not greedy: draw one sample a problem with --temperature 0 --k 1.")
        verdicts = store.verdicts(about["grader"])
    return {sample.problem_id: outcome.reward for sample, outcome in verdicts.items() if outcome.reward is not None}
