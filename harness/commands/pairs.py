"""The commands for pair sets: list, show, fetch, check."""

import json as jsonlib
from collections import Counter
from typing import Annotated

import typer

from harness.commands import options as args
from harness.commands.benchmarks import checks_table, print_findings
from harness.commands.terminal import Terminal

pairs = typer.Typer(
    name="pairs", help="List, show, fetch and check pair sets: replies that people preferred.", no_args_is_help=True
)
Name = Annotated[
    str, typer.Argument(help="hh, shp or oasst, NAME:FILE.jsonl, FILE.jsonl or MAPPING.toml", metavar="SET")
]
Ratio = Annotated[float, typer.Option(help="least ratio of the votes of an SHP pair; closer ones are left out", min=1)]


@pairs.command(name="list")
def list_() -> None:
    """List the pair sets that qprobe reads from the hub by name."""
    from benchmarks.pairs import PAIR_SETS

    for name, (dataset, licence) in PAIR_SETS.items():
        print(f"{name}  {dataset} ({licence})")


@pairs.command()
def show(
    name: Name,
    pair: Annotated[str | None, typer.Option(help="id of the pair to show; default: a summary of the set")] = None,
    min_score_ratio: Ratio = 2.0,
    json: args.Json = False,
) -> None:
    """Show a summary of a pair set, or one of its pairs."""
    from dataclasses import asdict

    from benchmarks.pairs import open_pairs, pairs_digest
    from harness.errors import QprobeError

    pair_set = open_pairs(name, min_score_ratio=min_score_ratio)
    all_pairs = pair_set.pairs()
    if pair is None:
        card = {
            "name": pair_set.name,
            "pairs": len(all_pairs),
            "prompts": len({one.prompt for one in all_pairs}),
            "splits": Counter(one.split for one in all_pairs),
            "left_out": len(pair_set.left_out),
            "licence": pair_set.licence,
            "sha256": pairs_digest(all_pairs),
        }
        print(jsonlib.dumps(card, indent=1))
        return
    chosen = next((one for one in all_pairs if one.id == pair), None)
    if chosen is None:
        raise QprobeError(f"{pair_set.name} has no pair {pair!r}; the first is {all_pairs[0].id}.")
    if json:
        print(jsonlib.dumps(asdict(chosen), indent=1))
    else:
        text = f"{chosen.prompt}\n\n--- chosen ---\n{chosen.chosen}\n\n--- rejected ---\n{chosen.rejected}"
        Terminal().out.print(text, markup=False, highlight=False)


@pairs.command()
def check(name: Name, min_score_ratio: Ratio = 2.0, json: args.Json = False) -> None:
    """Check a pair set: empty and equal replies, prompts shared between splits, near-duplicates, the part of length.

    The exit status is 1 if a check fails.
    """
    from dataclasses import asdict

    from benchmarks.pairs import examine_pairs, open_pairs
    from harness.errors import QprobeError

    terminal = Terminal()
    pair_set = open_pairs(name, min_score_ratio=min_score_ratio)
    checks = list(examine_pairs(pair_set.pairs(), pair_set.left_out))
    if json:
        print(jsonlib.dumps([{**asdict(result), "fails": result.fails} for result in checks], indent=1))
    else:
        terminal.out.print(checks_table(checks, "pairs"))
        print_findings(checks, terminal)
    if failed := [result.name for result in checks if result.fails]:
        raise QprobeError(f"{pair_set.name}: {len(failed)} of {len(checks)} checks failed: {'; '.join(failed)}.")


@pairs.command()
def fetch(name: Name) -> None:
    """Fetch a pair set from the hub, so that it can be used offline."""
    from benchmarks.pairs import open_pairs

    pair_set = open_pairs(name)
    copy = pair_set.fetch()
    count = len(pair_set.pairs())
    place = f"cached in {copy}" if copy else "nothing to fetch, its data is on this machine"
    Terminal().message(f"{pair_set.name}: {count:,} pairs; {place}.")
