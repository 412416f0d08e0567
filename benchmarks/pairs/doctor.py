"""The doctor of pair sets: faults that make a probe's accuracy mean something else than a preference."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from benchmarks.doctor.check import Check, Finding
from benchmarks.duplicates import group_near_duplicates
from benchmarks.pairs.pair import ASSISTANT, HUMAN, Pair

NORMAL_95 = 1.959964
"""The quantile of a normal distribution for an interval of 95 %."""


def examine_pairs(pairs: Sequence[Pair], left_out: Sequence[str] = ()) -> Iterator[Check]:
    """Examine a pair set and yield what each check found, the quick ones first; `left_out` as in PairSet."""
    without_prompt = tuple(Finding(*_split(line)) for line in left_out)
    note = "rows left out: no common prompt, or votes too close"
    yield Check("rows give pairs", len(pairs) + len(left_out), without_prompt, note=note, must_hold=False)
    yield _check("replies are not empty", pairs, _empty)
    yield _check("replies differ", pairs, lambda pair: "" if _text(pair.chosen) != _text(pair.rejected) else "equal")
    yield _contradictions(pairs)
    yield _repetitions(pairs)
    yield _across_splits(pairs)
    yield _near_duplicates(pairs)
    yield _length(pairs)


def _split(line: str) -> tuple[str, str]:
    place, _, reason = line.partition(": ")
    return place, reason


def _check(name: str, pairs: Sequence[Pair], fault: Callable[[Pair], str]) -> Check:
    found = tuple(Finding(pair.id, why) for pair in pairs if (why := fault(pair)))
    return Check(name, len(pairs), found)


def _empty(pair: Pair) -> str:
    empty = [name for name in ("chosen", "rejected") if not getattr(pair, name).strip()]
    return f"the {' and '.join(empty)} reply is empty" if empty else ""


def _text(reply: str) -> str:
    return " ".join(reply.split())


def _contradictions(pairs: Sequence[Pair]) -> Check:
    """Pairs that another one states the other way round."""
    seen = {(pair.prompt, _text(pair.chosen), _text(pair.rejected)): pair.id for pair in pairs}
    found = []
    for pair in pairs:
        other = seen.get((pair.prompt, _text(pair.rejected), _text(pair.chosen)))
        if other is not None and other != pair.id:
            found.append(Finding(pair.id, f"{other} prefers the other reply"))
    return Check("no pair contradicts another", len(pairs), tuple(found), must_hold=False)


def _repetitions(pairs: Sequence[Pair]) -> Check:
    found = [
        Finding(again.id, f"repeats {first.id}")
        for first, *others in _grouped(pairs, lambda pair: (pair.prompt, _text(pair.chosen), _text(pair.rejected)))
        for again in others
    ]
    return Check("no pair is repeated", len(pairs), tuple(found), must_hold=False)


def _across_splits(pairs: Sequence[Pair]) -> Check:
    """Prompts of several splits: a probe would be tested on a prompt that it was trained on."""
    found = []
    for group in _grouped(pairs, lambda pair: _text(pair.prompt)):
        splits = sorted({pair.split for pair in group})
        if len(splits) > 1:
            found.append(Finding(group[0].id, f"its prompt is in the splits {', '.join(splits)}"))
    return Check("splits share no prompt", len(pairs), tuple(found))


def _near_duplicates(pairs: Sequence[Pair]) -> Check:
    """Prompts with nearly the same words, of which equal ones are none: cross-validation keeps both together."""
    prompts = {group[0].id: _words(group[0].prompt) for group in _grouped(pairs, lambda pair: _text(pair.prompt))}
    groups = group_near_duplicates(prompts)
    first: dict[int, str] = {}
    found = [
        Finding(name, f"nearly the prompt of {first[number]}")
        for name, number in groups.items()
        if first.setdefault(number, name) != name
    ]
    return Check("no near-duplicate prompts", len(prompts), tuple(found), must_hold=False)


def _words(prompt: str) -> str:
    return prompt.replace(HUMAN, "\n").replace(ASSISTANT, "\n")


def _length(pairs: Sequence[Pair]) -> Check:
    """A preference for the longer or the shorter reply, which a probe may learn in place of quality."""
    differing = [pair for pair in pairs if len(pair.chosen) != len(pair.rejected)]
    if not differing:
        return Check("length says nothing", len(pairs), note="all replies are equally long", must_hold=False)
    longer = sum(len(pair.chosen) > len(pair.rejected) for pair in differing)
    low, high = wilson_interval(longer, len(differing))
    note = f"the longer reply is chosen in {longer / len(differing):.1%} of pairs [{low:.1%}, {high:.1%}]"
    biased = not low <= 0.5 <= high
    finding = (Finding("all pairs", f"{note}: report length beside every probe"),) if biased else ()
    return Check("length says nothing", len(pairs), finding, note="" if biased else note, must_hold=False)


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    share, square = count / total, NORMAL_95**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = NORMAL_95 / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    return centre - half, centre + half


def _grouped(pairs: Sequence[Pair], key: Callable[[Pair], Hashable]) -> list[list[Pair]]:
    groups: defaultdict[Hashable, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[key(pair)].append(pair)
    return list(groups.values())
