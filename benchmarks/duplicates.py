"""Near-duplicate problems, which must not be on both sides of a split."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

SHINGLE = 3


def group_near_duplicates(prompts: Mapping[str, str], threshold: float = 0.5) -> dict[str, int]:
    """Return a group number for each problem, the same for near-duplicates: the `groups` of cross-validation.

    Two prompts are near-duplicates where the Jaccard similarity of their sets of three-word shingles is at least the
    threshold; the groups are the transitive closure. Exact, from an inverted index: a thousand prompts take about a
    second.
    """
    leader = list(range(len(prompts)))
    for first, second in _similar([_shingles(prompt) for prompt in prompts.values()], threshold):
        leader[_find(leader, first)] = _find(leader, second)
    numbers: dict[int, int] = {}
    places = {problem: _find(leader, place) for place, problem in enumerate(prompts)}
    return {problem: numbers.setdefault(place, len(numbers)) for problem, place in places.items()}


def _shingles(prompt: str) -> frozenset[tuple[str, ...]]:
    """All runs of three words or punctuation marks; a shorter prompt is one shingle."""
    words = re.findall(r"\w+|[^\w\s]", prompt.lower())
    return frozenset(tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))


def _similar(shingles: Sequence[frozenset[tuple[str, ...]]], threshold: float) -> Iterator[tuple[int, int]]:
    """The pairs of places whose sets are similar, from an index of the earlier places by shingle."""
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, own in enumerate(shingles):
        shared = Counter(chain.from_iterable(holders[shingle] for shingle in own))
        for other, count in shared.items():
            if count >= threshold * (len(own) + len(shingles[other]) - count):
                yield other, place
        for shingle in own:
            holders[shingle].append(place)


def _find(leader: list[int], place: int) -> int:
    """The place that stands for the group of this one."""
    while leader[place] != place:
        leader[place] = place = leader[leader[place]]
    return place
