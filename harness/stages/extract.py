"""Extract: make the programs again from the stored text of a run's completions, without drawing anything."""

import tomllib
from dataclasses import dataclass

from benchmarks.prompt import Prompt
from harness.errors import QprobeError
from harness.runs.config_file import CONFIG_FILE
from harness.runs.scores import SCORES_FILE
from harness.runs.store import Store


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an extraction did."""

    samples: int
    changed: int  # programs that read differently now; their verdicts and vectors are gone


@dataclass(frozen=True, slots=True)
class MadeWith:
    """How a run's programs came out of its text."""

    benchmark: str
    errata: bool
    prompt: str


def settings_of_run(store: Store, *, benchmark: str | None = None, prompt: str | None = None) -> MadeWith:
    """What the run's own configuration says, but for what is given. Raises QprobeError where neither says it."""
    path = store.folder / CONFIG_FILE
    known = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    benchmark = benchmark or known.get("benchmark")
    if benchmark is None:
        raise QprobeError(f"{store.folder} does not say which benchmark it is of: give --benchmark.")
    if prompt is None and "file" in store.settings().get("source", {}):
        raise QprobeError(
            f"{store.folder} holds imported samples, whose programs came with their file: "
            "give --prompt to make them from the text in that prompt's way."
        )
    return MadeWith(benchmark, known.get("errata", True), prompt or known.get("prompt", "paper"))


def extract(store: Store, prompt: Prompt) -> Extracted:
    """Redo every program from its raw text; verdicts and vectors of those that change are dropped, the others stay.

    Raises QprobeError where the run holds no completions.
    """
    samples = changed = 0
    for problem in store.problems():
        fresh = {}
        for completion in store.completions(problem.id):
            samples += 1
            program = prompt.extract(problem, completion.text)
            if completion.text and program != completion.program:
                fresh[completion.id] = program
        store.replace_programs(fresh)
        changed += len(fresh)
    if not samples:
        raise QprobeError(f"{store.folder} holds no completions yet: there is nothing to extract from.")
    if changed:
        (store.folder / SCORES_FILE).unlink(missing_ok=True)
    return Extracted(samples, changed)
