"""Merge the shards of a run."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import options as args
from harness.commands.terminal import Terminal

Shards = Annotated[list[Path], typer.Argument(metavar="SHARD...", help="folders of all shards, in any order")]


def merge(run: args.Run, shards: Shards, quiet: args.Quiet = False) -> None:
    """Make one run of the shards that run or generate --shard made: samples, verdicts and vectors."""
    from harness.runs.store import Store
    from harness.stages.merge import merge as merge_stage

    terminal = Terminal(quiet=quiet)
    with ExitStack() as opened:
        parts = [opened.enter_context(Store(folder, read_only=True)) for folder in shards]
        store = opened.enter_context(Store(run, create=True))
        samples = merge_stage(store, parts, terminal)
    terminal.message(f"{run} holds {samples:,} samples: qprobe run {run}, with the shards' options, does the rest.")
