"""Commands that use trained probes."""

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from harness.commands import arguments as args
from harness.terminal import Terminal

if TYPE_CHECKING:
    from harness.ranking import Ranking


def rank(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES", help="a JSONL file of completions, gzip'ed or not")],
    probe: Annotated[Path, typer.Option(help="a probe that qprobe probe wrote: RUN/probes/NAME.safetensors")],
    benchmark: Annotated[
        str | None, typer.Option(help="where prompts come from [default: the rows themselves]")
    ] = None,
    embedder: Annotated[str | None, typer.Option(help="where the probe's own model is now [default: its card]")] = None,
    format_name: Annotated[str, typer.Option("--format", help="human-eval, codet, mbpp-eval or auto")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the picked completions here")] = None,
    device: args.Device = "auto",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Score completions with a trained probe and pick the best of each problem; nothing is run."""
    from benchmarks.registry import open_benchmark
    from harness.probes import load_probe
    from harness.ranking import as_json, open_reader, picked_rows, read_completions
    from harness.ranking import rank as rank_completions

    chosen = load_probe(probe)
    completions = read_completions(samples, open_benchmark(benchmark) if benchmark else None, format_name)
    reader = open_reader(chosen, embedder, device)
    terminal = Terminal(quiet=quiet)
    rankings = rank_completions(chosen, completions, reader, terminal)
    if output is not None:
        _write_rows(output, [jsonlib.dumps(row) for row in picked_rows(rankings)])
        terminal.say(f"Wrote {len(rankings):,} picked completions to {output}.")
    if json:
        print(jsonlib.dumps(as_json(chosen, rankings), indent=1))
    else:
        terminal.out.print(_table(rankings))


def _write_rows(path: Path, rows: Sequence[str]) -> None:
    from harness.files import whole_file

    with whole_file(path) as draft:
        draft.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _table(rankings: "Sequence[Ranking]") -> Table:
    """A line a problem: which of its samples to take, and how sure the probe is of it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(("problem", "samples", "best", "score", "chance", "its first line")):
        table.add_column(name, justify="right" if 0 < number < 5 else "left", no_wrap=number < 5)
    for ranking in rankings:
        best = ranking.best
        first_line = best.completion.continuation.strip().partition("\n")[0]
        cells = (str(len(ranking.samples)), str(best.completion.index), f"{best.score:.3f}", f"{best.chance:.2f}")
        table.add_row(Text(ranking.problem_id), *cells, Text(first_line, no_wrap=True, overflow="ellipsis"))
    return table
