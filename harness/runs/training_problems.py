"""The problems of a run that a model may be trained on: those of any split but the one that figures are reported on.

A problem of another split whose prompt is that of a held-out one (several pairs may share a prompt) is held out too.
Whatever trains a model reads its samples through `training_samples`, which checks each problem again.
"""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks import Problem
from harness.errors import QprobeError
from harness.runs.completion import Completion
from harness.runs.store import Store

HELD_OUT = "test"
"""The split that no model is trained on."""


def training_problems(store: Store, splits: Sequence[str] = ()) -> list[Problem]:
    """Return the problems of the splits, by default of all but the held-out one. Raises QprobeError without any."""
    problems = store.problems()
    present = sorted({problem.split for problem in problems})
    if HELD_OUT in splits:
        raise QprobeError(f"The split {HELD_OUT} is held out: no model is trained on its problems; leave it out.")
    if missing := [split for split in splits if split not in present]:
        raise QprobeError(f"{store.folder} has no problems of split {missing[0]!r}. Choose from {', '.join(present)}.")
    wanted = set(splits or present) - {HELD_OUT}
    if not wanted:
        raise QprobeError(
            f"{store.folder} holds problems of the split {HELD_OUT} alone, which is held out: draw samples of training "
            "problems with qprobe generate --split train, or name a split in the benchmark's file."
        )
    held_out = held_out_prompts(problems)
    allowed = [problem for problem in problems if problem.split in wanted and words(problem) not in held_out]
    if not allowed:
        raise QprobeError(
            f"The prompts of all problems of {store.folder} are in its split {HELD_OUT} too, which is held out: split "
            "the data by prompt."
        )
    return allowed


def held_out_prompts(problems: Iterable[Problem]) -> frozenset[str]:
    """Return the prompts of the problems that are held out, as words."""
    return frozenset(words(problem) for problem in problems if problem.split == HELD_OUT)


def words(problem: Problem) -> str:
    """Return the words of a problem's prompt: blanks make no other prompt."""
    return " ".join(problem.prompt.split())


def refuse_held_out(store: Store, problem_ids: Iterable[str]) -> None:
    """Raise QprobeError where a problem is held out, has the prompt of a held-out one, or is unknown to the run."""
    problems = store.problems()
    held_out = held_out_prompts(problems)
    allowed = {problem.id for problem in problems if words(problem) not in held_out}
    if refused := [name for name in dict.fromkeys(problem_ids) if name not in allowed]:
        raise QprobeError(
            f"{len(refused):,} problems are held out, first {refused[0]}: no model is trained on them. "
            f"Train on problems of other splits than {HELD_OUT}."
        )


def training_samples(store: Store, problems: Sequence[Problem]) -> Iterator[tuple[Problem, Completion, float]]:
    """Yield each sample of some training problems with its reward; samples without a reward are left out.

    Raises QprobeError for a problem that is held out, and where the run has no verdicts.
    """
    refuse_held_out(store, (problem.id for problem in problems))
    verdicts = store.verdicts(store.about.require_grader(store.folder))
    for problem in problems:
        for completion in store.completions(problem.id):
            outcome = verdicts.get(completion.id)
            if outcome is not None and outcome.reward is not None:
                yield problem, completion, outcome.reward
