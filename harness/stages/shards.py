"""Shards: parts of a run's problems, each for another machine, and the run that they make together."""

import re
from dataclasses import asdict, dataclass, replace

from harness.errors import QprobeError
from harness.runs.blocks import blocks
from harness.stages.options import GenerateOptions
from harness.stages.problems import Problems

BLOCK = 256
"""The samples of a block where --shard is given without --block."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several parts, counted from 1, and the places of its problems among all."""

    part: int
    of: int
    places: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.part}/{self.of}"


def read_shard(text: str) -> Part | None:
    """Return the shard that an option names; None for "". Raises QprobeError."""
    if not text:
        return None
    parts = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise QprobeError(f"--shard {text!r} is no part: write --shard 3/16 for the third of sixteen.")
    return Part(int(parts[1]), int(parts[2]))


def with_block(options: GenerateOptions) -> GenerateOptions:
    """Return the options with a block where they name a shard."""
    return replace(options, block=options.block or BLOCK) if read_shard(options.shard) else options


def part_of(problems: int, options: GenerateOptions) -> Part | None:
    """Return the shard and the places of its problems: of N shards, each has every N-th block. None without a shard.

    Raises QprobeError where it has none.
    """
    shard = read_shard(options.shard)
    if shard is None:
        return None
    all_blocks = list(blocks(range(problems), [options.k] * problems, options.block or BLOCK))
    chosen = all_blocks[shard.part - 1 :: shard.of]
    if not chosen:
        raise QprobeError(
            f"--shard {shard} has no problems: {problems:,} problems are {len(all_blocks):,} blocks of "
            f"{options.block or BLOCK:,} samples. Take fewer shards, or a smaller --block."
        )
    return replace(shard, places=tuple(place for block in chosen for place in block))


def shard_of(problems: Problems, options: GenerateOptions) -> Problems:
    """Return the shard's problems, or all without a shard. Raises QprobeError where it has none."""
    part = part_of(len(problems), options)
    if part is None:
        return problems
    chosen = tuple(problems.chosen[place] for place in part.places)
    settings = {**problems.settings, "shard": options.shard}
    return replace(problems, chosen=chosen, settings=settings, part=asdict(part))
