"""The command that shows problems, programs and verdicts of a run."""

import json as json_text
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import options as args
from harness.commands.terminal import Terminal
from harness.errors import QprobeError

if TYPE_CHECKING:
    from rich.text import Text

    from harness.reports.viewed_samples import ViewedProblem, Wanted

Sample = Annotated[
    str | None,
    typer.Argument(metavar="PROBLEM[/INDEX]", help="problem or sample, such as HumanEval/3 or HumanEval/3/7"),
]
Failing = Annotated[bool, typer.Option("--failing", help="only programs that fail")]
Picked = Annotated[str | None, typer.Option(metavar="OBJECTIVE", help="only the samples that this objective selects")]
Diff = Annotated[bool, typer.Option("--diff", help="show programs as differences from the reference solution")]


def show(
    run: args.Run,
    sample: Sample = None,
    failing: Failing = False,
    picked: Picked = None,
    diff: Diff = False,
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Show a run's problems, or one problem with its samples, or a program with its verdict and scores.

    With --failing, --picked or --diff, a problem's samples are shown in full. Reads also a run that is in use.
    """
    from harness.reports.published import is_published, what_is_missing
    from harness.reports.viewed_samples import Wanted, find_sample, sample_name, view
    from harness.runs.run_progress import unfinished
    from harness.runs.store import Store

    terminal = Terminal(quiet=quiet)
    if is_published(run):
        if sample or failing or picked or diff:
            raise QprobeError(what_is_missing(run))
        return _show_published(run, terminal, as_json=json)
    with Store(run, read_only=True) as store:
        if missing := unfinished(store):
            terminal.message(missing)
        problem_id, index = find_sample(sample, store) if sample is not None else (None, None)
        wanted = Wanted(problem_id, index, failing, picked)
        problems = view(store, wanted)
        if not problems and not (failing or picked):
            raise QprobeError(f"{run} has no samples yet: run qprobe import or qprobe generate first.")
    if json:
        print(json_text.dumps([item.as_json() for item in problems], indent=1))
        return None
    for line in _lines(problems, wanted, diff=diff):
        terminal.out.print(line, soft_wrap=True)
    if not problems:
        terminal.message("No sample fits.")
    elif problem_id is None:
        terminal.message(f"One program: qprobe show {run} {sample_name(problems[0].samples[0].completion.id)}.")
    return None


def _show_published(run: Path, terminal: Terminal, *, as_json: bool) -> None:
    from harness.commands.show import show_published

    show_published(run, terminal, "json" if as_json else "table")


def _lines(problems: "list[ViewedProblem]", wanted: "Wanted", *, diff: bool) -> "Iterator[Text]":
    from rich.text import Text

    from harness.reports.render.samples import problem_lines, problem_view, sample_lines, sample_view

    is_filtered = wanted.failing or wanted.picked is not None
    if wanted.problem_id is None and not diff:
        yield from sample_lines(problems) if is_filtered else problem_lines(problems)
    elif wanted.index is None and not is_filtered and not diff:
        for item in problems:
            yield from problem_view(item)
    else:
        pairs = [(item, one) for item in problems for one in item.samples]
        for number, (owner, one) in enumerate(pairs):
            if number:
                yield Text()
            yield from sample_view(owner, one, diff=diff)
