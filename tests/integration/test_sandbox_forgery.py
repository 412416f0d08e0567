"""Random words on the channel, in the place of the program's answers: none scores, and none is left ungraded."""

import json
import random
from collections.abc import Iterator

from sandbox_programs import TARGETS

from sandbox import Job, Limits, Sandbox
from sandbox.guest import codec, library

PROGRAMS = 300
TAGS = [*codec._UNPACKERS, *library.UNPACKERS]
ATOMS = [None, True, False, 0, 1, -1, 9, 2**70, 1.5, float("nan"), float("inf"), "", "a", "len", "type", "function"]
NAMES = ["ValueError", "StopIteration", "SystemExit", "KeyError", "UnicodeDecodeError", "ExceptionGroup", 3, None, []]


def value(rng: random.Random, depth: int = 0) -> object:
    """Something like a packed value."""
    kind = rng.random() if depth < 5 else 0.0
    if kind < 0.35:
        return rng.choice(ATOMS)
    if kind < 0.6:
        return [value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 3, 7, 9]))]
    if kind < 0.75:
        return {"h": [rng.choice([0, 1, -1, None, "a"]), rng.choice(["function", "iterator", "object", "thing"]), "n"]}
    return {tag: value(rng, depth + 1) for tag in rng.sample(TAGS, rng.choice([1, 1, 1, 0, 2]))}


def message(rng: random.Random) -> object:
    """Something like a message."""
    operation = rng.choice(["call", "call_named", "next", "name", None, []])
    return rng.choice(
        [
            ["value", value(rng)],
            ["value", ["loaded", value(rng)]],
            ["raised", rng.choice(NAMES), value(rng), value(rng)],
            ["stop"],
            ["left", value(rng)],
            ["ask", operation, rng.choice([0, 1, -1, None, "a", []]), value(rng)],
            value(rng),
        ]
    )


def forgeries() -> Iterator[Job]:
    rng = random.Random(0)
    for number in range(PROGRAMS):
        bodies = [json.dumps(message(rng)).encode() for _ in range(rng.choice([1, 2, 3, 5]))]
        frames = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
        words = frames if rng.random() < 0.85 else frames[: rng.randrange(len(frames))]
        when = rng.choice(["if True:", "def solve(*a):"])  # instead of loading, or of an answer
        program = f"import os\n{when}\n    os.write(3, {words!r})\n    os._exit(0)"
        target = TARGETS[rng.choice(list(TARGETS))]
        mode, by_reference = rng.choice(["separate", "live"]), rng.random() < 0.3
        yield Job(str(number), program, target.tests, "solve", target.setup, Limits(2.0, 6.0), mode, by_reference)


def test_random_words_never_score(process_sandbox: Sandbox):
    outcomes = list(process_sandbox.run(forgeries()))
    assert len(outcomes) == PROGRAMS
    assert {job.program: outcome for job, outcome in outcomes if outcome.reward != 0.0} == {}
