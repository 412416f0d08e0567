"""Progress of a run: how much of its work its folder holds, and whether a command is at work on it."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.pairs.pair import PAIRS
from harness.runs.reading import is_held
from harness.runs.store import Store


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The numbers of samples that each stage has finished, the greedy ones left out."""

    at_work: bool  # a command that writes holds the run
    problems: int
    samples: int
    expected: int | None  # samples that generation is to draw; None where a file gave them
    graded: int | None  # None for replies, which nothing grades
    embedded: int | None  # None where no embedding has begun

    def __str__(self) -> str:
        """Return the numbers as a clause; "" where nothing is missing."""
        total = max(self.samples, self.expected or 0)
        parts = [f"{self.samples:,} of {total:,} samples are there"] if self.samples < total else []
        if self.graded is not None and self.graded < total:
            parts.append(f"{self.graded:,} of {total:,} are graded")
        if self.embedded is not None and self.embedded < total:
            parts.append(f"{self.embedded:,} of {total:,} are embedded")
        return ", ".join(parts)


def run_progress(store: Store) -> RunProgress:
    """Return how far a run is."""
    about, samples = store.about, store.count_samples()
    problems = len(store.problems())
    grader = about.grading or about.grader or ""
    shards = about.embeddings[about.view].shards if about.view else None
    return RunProgress(
        at_work=is_held(store.folder),
        problems=problems,
        samples=samples,
        expected=problems * about.k if about.k else None,
        graded=store.count_verdicts(grader) if grader or not about.benchmark.startswith(PAIRS) else None,
        embedded=None if shards is None else samples - store.count_without_vectors(shards),
    )


def unfinished_run(folder: Path) -> str:
    """Return `unfinished` of the run in a folder; "" for a folder that is no run."""
    if not (folder / "run.sqlite").is_file():
        return ""
    with Store(folder, read_only=True) as store:
        return unfinished(store)


def unfinished(store: Store) -> str:
    """Return a sentence about what a run lacks yet; "" where it is complete and no command is at work."""
    progress = run_progress(store)
    if progress.at_work:
        return f"A command is at work in {store.folder}: {progress or 'no sample lacks anything'} so far."
    return f"{store.folder} is not finished: {progress}." if str(progress) else ""
