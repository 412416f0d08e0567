"""Near-duplicate problems, which must not stand on both sides of a split."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

SHINGLE = 3


def group_near_duplicates(prompts: Mapping[str, str], threshold: float = 0.5) -> dict[str, int]:
    """Number the problems so that near-duplicates share a number: what cross-validation takes as its `groups`.

    Two prompts are near-duplicates where the Jaccard similarity of their sets of three-word shingles is at least the
    threshold; so is what either is a near-duplicate of. Exact, from an inverted index: a thousand prompts take about
    a second.
    """
    shingles = {problem: _shingles(prompt) for problem, prompt in prompts.items()}
    leader = {problem: problem for problem in prompts}
    for (first, second), shared in _shared(shingles).items():
        if shared >= threshold * (len(shingles[first]) + len(shingles[second]) - shared):
            leader[_find(leader, first)] = _find(leader, second)
    numbers: dict[str, int] = {}
    return {problem: numbers.setdefault(_find(leader, problem), len(numbers)) for problem in prompts}


def _shingles(prompt: str) -> frozenset[tuple[str, ...]]:
    """Every run of three words or signs; a shorter prompt is one shingle."""
    words = re.findall(r"\w+|[^\w\s]", prompt.lower())
    return frozenset(tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))


def _shared(shingles: Mapping[str, frozenset[tuple[str, ...]]]) -> Counter[tuple[str, str]]:
    """How many shingles each pair of problems shares; pairs that share none are absent."""
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    shared: Counter[tuple[str, str]] = Counter()
    for problem, own in shingles.items():
        for shingle in own:
            shared.update((other, problem) for other in holders[shingle])
            holders[shingle].append(problem)
    return shared


def _find(leader: dict[str, str], problem: str) -> str:
    """The problem that stands for the group of this one."""
    while leader[problem] != problem:
        leader[problem] = problem = leader[leader[problem]]
    return problem
