"""Samples as text for a terminal: lists of problems and samples, and one sample in full.

Programs and answers are text of a model's making: characters that a terminal would obey are shown by their numbers.
"""

import difflib
from collections.abc import Iterator, Sequence

from rich.syntax import Syntax
from rich.text import Text

from harness.reports.render.numbers import counted, short
from harness.reports.viewed_samples import ViewedProblem, ViewedSample, sample_name

STYLES = {"passed": "green", "ungraded": "dim"}
"""Status -> its colour; every other status is a failure."""

_TEST_LINES, _TEST_WIDTH = 40, 200
_FEW_SCORES = 3


def visible(text: str) -> str:
    """Return text that prints as it is: control characters, and those that change the direction, as <U+001B>."""
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else f"<U+{ord(char):04X}>" for char in text)


def problem_lines(problems: Sequence[ViewedProblem]) -> Iterator[Text]:
    """Yield one line per problem: its passes, and whether the sample that each objective selects passes."""
    width = max((len(item.problem.id) for item in problems), default=0)
    for item in problems:
        line = Text(f"{visible(item.problem.id):<{width}}  {item.passed:>3} of {item.graded} pass")
        yield line.append(_picked(item))


def _picked(item: ViewedProblem) -> Text:
    """Return whether the selected sample passes, and for which objectives where they differ."""
    picks = _picks(item)
    parts = []
    for passes, word, style in ((True, "passes", "green"), (False, "fails", "red")):
        names = [name for name, pick_passes in picks.items() if pick_passes is passes]
        if names:
            parts.append((f"{word} for {', '.join(names)}" if len(names) < len(picks) else word, style))
    return Text.assemble("; the selected sample ", Text("; ").join(Text(*part) for part in parts)) if parts else Text()


def _picks(item: ViewedProblem) -> dict[str, bool]:
    """Return by objective whether a best-scored sample passes."""
    passes: dict[str, bool] = {}
    for sample in item.samples:
        for name in sample.picked_by:
            passes[name] = passes.get(name, False) or sample.status == "passed"
    return passes


def sample_lines(problems: Sequence[ViewedProblem]) -> Iterator[Text]:
    """Yield one line per sample: its name, verdict and reasons."""
    names = [sample_name(sample.completion.id) for item in problems for sample in item.samples]
    width = max(map(len, names), default=0)
    for name, sample in zip(names, (sample for item in problems for sample in item.samples), strict=True):
        detail = sample.outcome.detail if sample.outcome else ""
        yield _with_status(f"{visible(name):<{width}}", sample).append(f"  {visible(detail)}")


def problem_view(item: ViewedProblem) -> Iterator[Text]:
    """Yield a problem with its prompt, its tests, and a line on each sample."""
    fold = "" if item.fold is None else f", held out in fold {item.fold + 1}"
    yield _title(f"{item.problem.id}: {item.passed} of {counted(item.graded, 'sample')} pass{fold}")
    yield from _section("Prompt", item.prompt, item)
    yield from _section("Tests", _beginning(item.problem.tests), item)
    yield from _heading("Samples")
    for sample in item.samples:
        yield _with_status(f"{sample.completion.index:>4}", sample).append(_scores(sample))
        if sample.outcome and sample.outcome.detail:
            yield Text(f"      {visible(sample.outcome.detail)}")


def sample_view(item: ViewedProblem, sample: ViewedSample, *, diff: bool = False) -> Iterator[Text]:
    """Yield one sample in full; with `diff`, the program as its difference from the reference solution."""
    yield _with_status(visible(sample_name(sample.completion.id)), sample, bold=True)
    detail, _, values = (sample.outcome.detail if sample.outcome else "").partition(" # ")
    for line in (detail, values):
        if line:
            yield Text(f"  {visible(line)}")
    yield Text(f"  {', '.join(_facts(item, sample))}", style="dim")
    width = max(map(len, sample.scores), default=0)
    for name, score in sample.scores.items():
        picked = ", selected" if score.is_best else ""
        yield Text(f"  {name:<{width}}  {short(score.value):>6}, rank {score.rank}{picked}")
    completion = sample.completion
    if not completion.program.startswith(item.prompt):
        yield from _section("Prompt", item.prompt, item)
    if completion.text.strip() not in completion.program:
        yield from _section("Answer of the model", completion.text, item)
    if diff:
        yield from _difference(item, completion.program)
    else:
        yield from _section("Program", completion.program, item)


def _facts(item: ViewedProblem, sample: ViewedSample) -> Iterator[str]:
    completion, outcome = sample.completion, sample.outcome
    if outcome:
        yield f"{outcome.cpu_seconds:.3f} s of CPU time"
    if completion.tokens is not None:
        yield counted(completion.tokens, "token")
    if completion.logprob is not None:
        yield f"log-probability {completion.logprob:.2f}"
    yield counted(len(completion.continuation), "character")
    if completion.finish_reason == "length":
        yield "cut at the token limit"
    if item.fold is not None:
        yield f"held out in fold {item.fold + 1}"


def _scores(sample: ViewedSample) -> str:
    """Return what one line holds: few scores, and the objectives that select the sample."""
    few = sample.scores if len(sample.scores) <= _FEW_SCORES else {}
    parts = [f"{name} {short(score.value)}" for name, score in few.items()]
    if sample.picked_by:
        every = len(sample.picked_by) == len(sample.scores) > 1
        parts.append("selected by " + ("every objective" if every else ", ".join(sample.picked_by)))
    return "".join(f"  {part}" for part in parts)


def _difference(item: ViewedProblem, program: str) -> Iterator[Text]:
    if not item.problem.solution:
        yield from _section("Program (its problem has no reference solution)", program, item)
        return
    yield from _heading("Difference from the reference solution")
    lines = (item.problem.solution.splitlines(), program.splitlines())
    for line in difflib.unified_diff(*lines, "reference", "program", lineterm="", n=1000):
        style = {"+": "green", "-": "red"}.get(line[:1], "")
        yield Text(visible(line), style=style)


def _section(title: str, text: str, item: ViewedProblem) -> Iterator[Text]:
    yield from _heading(title)
    code = Syntax("", item.problem.language or "python", background_color="default")
    shown = code.highlight(visible(text))
    shown.rstrip()
    yield shown


def _heading(title: str) -> Iterator[Text]:
    yield Text()
    yield Text(title, style="bold")


def _title(text: str) -> Text:
    return Text(visible(text), style="bold")


def _with_status(name: str, sample: ViewedSample, *, bold: bool = False) -> Text:
    style = STYLES.get(sample.status, "red")
    return Text.assemble((name, "bold" if bold else ""), "  ", (f"{sample.status:<8}", style))


def _beginning(tests: str) -> str:
    """Return the first lines of tests, which may have megabytes."""
    lines = tests.splitlines()
    shown = [line if len(line) <= _TEST_WIDTH else f"{line[:_TEST_WIDTH]} ..." for line in lines[:_TEST_LINES]]
    if len(lines) > _TEST_LINES:
        shown.append(f"# ... {len(lines) - _TEST_LINES:,} more lines")
    return "\n".join(shown)
