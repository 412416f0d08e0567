"""Near-duplicate problems, which must not be on both sides of a split."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from benchmarks.problem import Problem

SHINGLE = 3

ALIKE = 0.5
"""The Jaccard similarity of near-duplicates."""

_TEST = re.compile(r"^\s*(assert\b|>>>).*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Problems in groups, to be kept in one fold."""

    groups: dict[str, int]  # a number for each problem; those with the same number are alike
    shortfall: str = ""  # why not all near-duplicates share a group; "" where they do
    most_folds: int = 0  # of which all near-duplicates could be kept together, where they are not; 0: of none

    @property
    def warning(self) -> str:
        """The consequence of the shortfall and the remedy, in sentences; "" without one."""
        if not self.shortfall:
            return ""
        equal = "only equal ones" if len(set(self.groups.values())) < len(self.groups) else "no two"
        remedy = f" At most {self.most_folds} folds keep all of them together." if self.most_folds else ""
        return f"Near-duplicate problems may be in different folds ({equal} share one): {self.shortfall}.{remedy}"


def group_problems(problems: Sequence[Problem], folds: int) -> Grouping:
    """Return the groups of problems with nearly the same description or reference.

    Tests that a prompt shows are no part of its description: they differ between problems that are otherwise equal.
    Where the groups are too few for so many folds, or one has more than half of the problems, only equal ones share a
    group; where these are too few as well, none do. The grouping then has a shortfall.
    """
    near = near_duplicates(problems)
    if not (shortfall := _shortfall(near, folds)):
        return Grouping(near)
    count = len(set(near.values()))
    most_folds = count if count > 1 and not _shortfall(near, 2) else 0
    equal = near_duplicates(problems, 1.0)
    each = {problem.id: number for number, problem in enumerate(problems)}
    return Grouping(each if _shortfall(equal, folds) else equal, shortfall, most_folds)


def near_duplicates(problems: Sequence[Problem], threshold: float = ALIKE) -> dict[str, int]:
    """Return a group number for each problem, the same for those with nearly the same description or reference."""
    return _joined([_by_text(problems, kind, threshold) for kind in (_description, _reference)])


def _shortfall(groups: Mapping[str, int], folds: int) -> str:
    """Return why these groups cannot be kept in so many folds; "" where they can."""
    sizes = Counter(groups.values())
    if 2 * (largest := max(sizes.values(), default=0)) > len(groups):
        return f"{largest:,} of the {len(groups):,} problems are near-duplicates of each other"
    if len(sizes) < folds:
        return f"the {len(groups):,} problems are {len(sizes):,} groups of near-duplicates, too few for {folds} folds"
    return ""


def _description(problem: Problem) -> str:
    return _TEST.sub("", problem.prompt)


def _reference(problem: Problem) -> str:
    return problem.solution.removeprefix(problem.prompt)


def _by_text(problems: Sequence[Problem], text_of: Callable[[Problem], str], threshold: float) -> dict[str, int]:
    """The groups by one text; a problem without it is by itself."""
    texts = {problem.id: text_of(problem).strip() or problem.id for problem in problems}
    return group_near_duplicates(texts, threshold)


def _joined(groupings: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The groups of problems that share one in any of the groupings, directly or through others."""
    names = list(groupings[0])
    leader = list(range(len(names)))
    for groups in groupings:
        first: dict[int, int] = {}
        for place, name in enumerate(names):
            leader[_find(leader, place)] = _find(leader, first.setdefault(groups[name], place))
    return _numbered(names, leader)


def group_near_duplicates(prompts: Mapping[str, str], threshold: float = ALIKE) -> dict[str, int]:
    """Return a group number for each problem, the same for near-duplicates: the `groups` of cross-validation.

    Two prompts are near-duplicates where the Jaccard similarity of their sets of three-word shingles is at least the
    threshold; the groups are the transitive closure. Exact, from an inverted index.
    """
    leader = list(range(len(prompts)))
    for first, second in _similar([_shingles(prompt) for prompt in prompts.values()], threshold):
        leader[_find(leader, first)] = _find(leader, second)
    return _numbered(list(prompts), leader)


def _numbered(names: Sequence[str], leader: list[int]) -> dict[str, int]:
    """The number of each problem's group, counted in the order of the problems."""
    numbers: dict[int, int] = {}
    places = {problem: _find(leader, place) for place, problem in enumerate(names)}
    return {problem: numbers.setdefault(place, len(numbers)) for problem, place in places.items()}


def _shingles(prompt: str) -> frozenset[tuple[str, ...]]:
    """All runs of three words or punctuation marks; a shorter prompt is one shingle."""
    words = re.findall(r"\w+|[^\w\s]", prompt.lower())
    return frozenset(tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))


def _similar(shingles: Sequence[frozenset[tuple[str, ...]]], threshold: float) -> Iterator[tuple[int, int]]:
    """The pairs of places whose sets are similar, from an index of the earlier places by their rarest shingles.

    Two similar sets share so many shingles that they share one of the rarest of each (prefix filtering, Chaudhuri et
    al. 2006): what nearly all prompts have, such as the turns of a dialogue, is then never looked up.
    """
    frequency = Counter(chain.from_iterable(shingles))
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, own in enumerate(shingles):
        least = math.ceil(threshold * len(own) - 1e-9)  # that a similar set has of these
        rarest = sorted(own, key=lambda shingle: (frequency[shingle], shingle))[: len(own) - least + 1]
        for other in {other for shingle in rarest for other in holders[shingle]}:
            count = len(own & shingles[other])
            if count >= threshold * (len(own) + len(shingles[other]) - count):
                yield other, place
        for shingle in rarest:
            holders[shingle].append(place)


def _find(leader: list[int], place: int) -> int:
    """The place that stands for the group of this one."""
    while leader[place] != place:
        leader[place] = place = leader[leader[place]]
    return place
