"""The state that a program can leave for the next in its container: every channel is tried and measured.

A writer and a reader run in turn. The writer advances a counter, or does not, as a random bit has it; the reader says
what it sees. A channel is closed where the bit cannot be told from two readings in a row.
"""

import math
import random
from collections.abc import Iterator, Sequence

import pytest
from sandbox_programs import read_plain

from sandbox import Job, Limits, Sandbox, open_sandbox
from tests.engine import require_engine

pytestmark = pytest.mark.docker

CHANNELS = read_plain("channels")
LIMITS = Limits(cpu_seconds=3.0, wall_seconds=20.0)
BITS = random.Random(1).sample([0, 1] * 6, 12)

PIPES = """
import os
M = 16384
def number():
    ends = os.pipe()
    try:
        return os.fstat(ends[0]).st_ino
    finally:
        for end in ends:
            os.close(end)
def read():
    return number() % M * 2 // M
def write(state):
    while read() != state or number() % (M // 2) > M // 8:
        pass
"""
"""The kernel numbers pipes over the whole machine. A writer continues until the number is in one half of a circle."""

CLOCK = """
import time
M = 1.0
def read():
    return int(time.time() % M * 2 / M)
def write(state):
    while read() != state or time.time() % (M / 2) > M / 8:
        time.sleep(0.001)
"""
"""The same with the time at which the next program starts."""


@pytest.fixture(scope="module")
def lone_sandbox() -> Iterator[Sandbox]:
    """One container: the next program meets what the last one left."""
    require_engine()
    with open_sandbox("docker", workers=1) as sandbox:
        yield sandbox


def _send(sandbox: Sandbox, channel: str, bits: Sequence[int]) -> list[int | None]:
    """Return what a reader sees after each of `bits`; None where it sees nothing."""

    def jobs() -> Iterator[Job]:
        for number, bit in enumerate(bits):
            act = "try:\n        write()\n    except OSError:\n        pass" if bit else "pass"
            yield Job(f"write {number}", f"{channel}\ndef f():\n    {act}", "f()", "f", limits=LIMITS)
            yield Job(f"read {number}", f"{channel}\ndef f():\n    raise ValueError(read())", "f()", "f", limits=LIMITS)

    outcomes = {job.key: outcome for job, outcome in sandbox.run(jobs())}
    details = [outcomes[f"read {number}"].detail for number in range(len(bits))]
    return [int(detail.split()[1]) if detail.startswith("ValueError") else None for detail in details]


def _information(readings: Sequence[int | None], bits: Sequence[int]) -> float:
    """Bits per use that the best threshold on the step between two readings tells; 0 where it tells too few."""
    pairs = [
        (after - before, bit)
        for before, after, bit in zip(readings, readings[1:], bits[1:], strict=False)
        if before is not None and after is not None
    ]
    if len(pairs) < len(bits) // 2:
        return 0.0
    return max(_mutual([(step > threshold, bit) for step, bit in pairs]) for threshold, _ in pairs)


def _mutual(pairs: Sequence[tuple[bool, int]]) -> float:
    """The mutual information of two binary variables, in bits."""
    total = len(pairs)
    joint = {(one, other): pairs.count((one, other)) / total for one in (False, True) for other in (0, 1)}
    left = {one: joint[one, 0] + joint[one, 1] for one in (False, True)}
    right = {other: joint[False, other] + joint[True, other] for other in (0, 1)}
    return sum(share * math.log2(share / left[one] / right[other]) for (one, other), share in joint.items() if share)


def test_the_measure_tells_open_from_closed():
    opened = [0]
    for bit in BITS:
        opened.append(opened[-1] + 100 * bit + 1)
    assert _information(opened[1:], BITS) > 0.9
    assert _information([7] * len(BITS), BITS) == 0.0
    assert _information([None] * len(BITS), BITS) == 0.0


@pytest.mark.parametrize("name", CHANNELS)
def test_a_channel_is_closed(lone_sandbox: Sandbox, name: str):
    readings = _send(lone_sandbox, CHANNELS[name], BITS)
    assert _information(readings, BITS) < 0.6, readings  # a step that is always the same tells nothing


def _states_kept(sandbox: Sandbox, channel: str, states: Sequence[int]) -> float:
    """The share of `states` that a reader finds as the writer before it left them."""

    def jobs() -> Iterator[Job]:
        for number, state in enumerate(states):
            yield Job(f"write {number}", f"{channel}\ndef f():\n    write({state})", "f()", "f", limits=LIMITS)
            yield Job(f"read {number}", f"{channel}\ndef f():\n    raise ValueError(read())", "f()", "f", limits=LIMITS)

    outcomes = {job.key: outcome.detail for job, outcome in sandbox.run(jobs())}
    kept = [outcomes[f"read {number}"].startswith(f"ValueError: {state} ") for number, state in enumerate(states)]
    return sum(kept) / len(kept)


@pytest.mark.slow
@pytest.mark.parametrize("channel", [PIPES, CLOCK], ids=["numbers of pipes", "time"])
def test_an_open_channel_keeps_a_state(lone_sandbox: Sandbox, channel: str):
    """The channels that sandbox/README.md names as open are measured; the measure finds an open channel."""
    kept = _states_kept(lone_sandbox, channel, [0, 1, 1, 0, 1, 0, 0, 1, 1, 0])
    print(f"{kept:.0%} of the states kept")
    assert 0.0 < kept <= 1.0  # a busy machine makes noise
