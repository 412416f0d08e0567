"""The stages as functions of values: no run, no files. A run does the same and keeps the results."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmarks import Problem
from harness.models.engine import View
from harness.models.model import Model
from harness.models.vectors import Vectors
from harness.progress import SILENT, Progress
from harness.runs.completion import Completion, SampleId
from harness.stages.embed import embed_completions
from harness.stages.generate import draw, plan
from harness.stages.grade import grade_completions
from harness.stages.options import GenerateOptions, GradeOptions
from harness.stages.problems import Problems
from sandbox import Outcome, Sandbox, open_sandbox


def generate(
    problems: Problems,
    model: Model,
    *,
    k: int = GenerateOptions.k,
    seed: int = GenerateOptions.seed,
    prompt: str = GenerateOptions.prompt,
    progress: Progress = SILENT,
) -> list[Completion]:
    """Return k completions per problem, by problem and index; the same ones that a run would hold.

    Raises QprobeError for a prompt or a model that cannot be used.
    """
    work = plan(problems, k=k, seed=seed, prompt=prompt)
    completions: dict[SampleId, Completion] = {}
    engine = model.for_prompt(chat=work.prompt.chat).engine()
    with progress.task("Generating", len(work.wanted)) as advance:
        for completion in draw(engine, work):
            completions[completion.id] = completion
            advance()
    return [completions[SampleId(problem.id, index)] for problem, index in work.wanted]


def grade(
    completions: Iterable[Completion],
    problems: Sequence[Problem],
    sandbox: str | Sandbox = GradeOptions.sandbox,
    *,
    options: GradeOptions | None = None,
    progress: Progress = SILENT,
) -> dict[SampleId, Outcome]:
    """Return the outcome of every completion, graded in "docker", "process" or a sandbox that you opened.

    An outcome's `reward` is 1.0, 0.0, or None where the sandbox failed. Raises SandboxError where it cannot run.
    """
    options = options or GradeOptions()
    budget = options.budget
    if not isinstance(sandbox, str):
        return grade_completions(completions, problems, sandbox, budget, progress)
    options = replace(options, sandbox=sandbox)  # type: ignore[arg-type] # the options check the name
    with open_sandbox(options.sandbox, options.workers, options.image, runtime=options.runtime) as opened:
        return grade_completions(completions, problems, opened, budget, progress)


def embed(
    completions: Sequence[Completion],
    problems: Sequence[Problem],
    model: Model,
    *,
    layers: str | Sequence[float] | None = None,
    pooling: str | None = None,
    progress: Progress = SILENT,
) -> dict[View, Vectors]:
    """Return the vectors of the completions: per layer and pooling an array [completions, width], float32.

    Raises QprobeError for a model or a layer that does not exist.
    """
    reader = model.embedder(layers, pooling)
    stops = {problem.id: problem.stop for problem in problems}
    return embed_completions(completions, reader, stops, progress)
