"""Extract: make the programs again from the stored text of a run's completions."""

import tomllib
from dataclasses import dataclass

from benchmarks.prompt import Prompt
from harness.errors import QprobeError
from harness.runs.config_file import CONFIG_FILE
from harness.runs.scores import SCORES_FILE
from harness.runs.store import Store


@dataclass(frozen=True, slots=True)
class Extracted:
    """The result of an extraction."""

    samples: int
    changed: int  # programs that are different now; their verdicts and vectors are deleted


@dataclass(frozen=True, slots=True)
class MadeWith:
    """The settings that decide a run's programs."""

    benchmark: str
    errata: bool
    prompt: str


def settings_of_run(store: Store, *, benchmark: str | None = None, prompt: str | None = None) -> MadeWith:
    """Return the settings given, or else those of the run's configuration. Raises QprobeError where both lack one."""
    path = store.folder / CONFIG_FILE
    configuration = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    benchmark = benchmark or configuration.get("benchmark")
    if benchmark is None:
        raise QprobeError(f"The benchmark of {store.folder} is unknown; give --benchmark.")
    if prompt is None and (source := store.about.source) and source.file:
        raise QprobeError(
            f"{store.folder} holds imported samples, whose programs are those of their file; "
            "give --prompt to extract them from the text in that prompt's way."
        )
    return MadeWith(benchmark, configuration.get("errata", True), prompt or configuration.get("prompt", "paper"))


def extract(store: Store, prompt: Prompt) -> Extracted:
    """Redo every program from its raw text; verdicts and vectors of the programs that change are deleted.

    Raises QprobeError where the run holds no completions.
    """
    samples = changed = 0
    for problem in store.problems():
        programs = {}
        for completion in store.completions(problem.id):
            samples += 1
            program = prompt.extract(problem, completion.text)
            if completion.text and program != completion.program:
                programs[completion.id] = program
        store.replace_programs(programs)
        changed += len(programs)
    if not samples:
        raise QprobeError(f"{store.folder} holds no completions yet; run qprobe generate or import first.")
    if changed:
        (store.folder / SCORES_FILE).unlink(missing_ok=True)
    return Extracted(samples, changed)
