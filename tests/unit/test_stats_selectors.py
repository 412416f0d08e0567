"""Selectors: baselines among k samples compare the k alone, and composed choices are what they say."""

import warnings
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import SampleFeatures, baseline_scores, baseline_selectors, best_of_k, summarise
from harness.stats.baselines import CENTROID, VECTOR_AGREEMENT
from harness.stats.centrality import centred_kernel, centroid_distances, cosine_kernel, mean_cosines
from harness.stats.selectors import ByScores, Central, GroupChoice, Selector, TypicalLength, Vote, WeightedVote
from harness.stats.subsets import CURVE_DRAWS, few_ks, mean_over_subsets, subsets

numbers = st.integers(0, 2**31)


def by_enumeration(choose: Callable[[Sequence[int]], dict[int, float]], rewards: np.ndarray, k: int) -> float:
    """The mean reward over every subset of k, of which `choose` gives the chances of the members."""
    values = []
    for subset in combinations(range(len(rewards)), k):
        chances = choose(subset)
        assert sum(chances.values()) == pytest.approx(1.0)
        values.append(sum(chance * rewards[member] for member, chance in chances.items()))
    return float(np.mean(values))


def evenly(members: Sequence[int]) -> dict[int, float]:
    return {member: 1 / len(members) for member in members}


def best(members: Sequence[int], score: Callable[[int], float]) -> dict[int, float]:
    scores = {member: score(member) for member in members}
    return evenly([member for member, own in scores.items() if own >= max(scores.values()) - 1e-9])


def agrees(selector: Selector, choose: Callable[[Sequence[int]], dict[int, float]], rewards_N: np.ndarray) -> None:
    """One problem with a sample that is not graded, among every number of samples."""
    rewards_PN, mask_PN = np.append(rewards_N, 1.0)[None], np.append(np.ones(len(rewards_N)), 0)[None].astype(bool)
    for k in range(1, len(rewards_N) + 1):
        assert selector.expected(rewards_PN, mask_PN, k)[0] == pytest.approx(by_enumeration(choose, rewards_N, k))
    assert selector.expected(rewards_PN, mask_PN, None)[0] == pytest.approx(
        by_enumeration(choose, rewards_N, len(rewards_N))
    )
    ks = list(range(1, len(rewards_N) + 1))
    np.testing.assert_allclose(
        selector.curve(rewards_PN, mask_PN, ks)[0], [by_enumeration(choose, rewards_N, k) for k in ks]
    )


@given(numbers, st.integers(2, 7))
@settings(max_examples=60, deadline=None)
def test_a_vote_counts_the_drawn_samples(seed: int, samples: int):
    rng = np.random.default_rng(seed)
    groups_N = rng.integers(0, 4, samples + 1)

    def choose(subset: Sequence[int]) -> dict[int, float]:
        return best(subset, lambda one: sum(groups_N[other] == groups_N[one] for other in subset))

    agrees(Vote(groups_N[None]), choose, rng.random(samples))


@given(numbers, st.integers(2, 7))
@settings(max_examples=60, deadline=None)
def test_centrality_is_among_the_drawn_samples(seed: int, samples: int):
    """A subset's own mean, with equal vectors and a vector of zeros among them."""
    rng = np.random.default_rng(seed)
    vectors_ND = rng.standard_normal((samples + 1, 3))[rng.integers(0, samples + 1, samples + 1)]
    vectors_ND[0] = 0.0 if rng.random() < 0.3 else vectors_ND[0]
    rewards_N = rng.random(samples)
    cosine_1NN, centred_1NN = cosine_kernel(vectors_ND)[None], centred_kernel(vectors_ND)[None]

    def agreeing(subset: Sequence[int]) -> dict[int, float]:
        scores = dict(zip(subset, mean_cosines(vectors_ND[list(subset)]), strict=True))
        return best(subset, lambda one: float(scores[one]))

    def nearest(subset: Sequence[int]) -> dict[int, float]:
        middle_D = vectors_ND[list(subset)].mean(0)
        return best(subset, lambda one: -float(np.square(vectors_ND[one] - middle_D).sum()))

    agrees(Central(cosine_1NN), agreeing, rewards_N)
    if centroid_distances(vectors_ND).any():
        agrees(Central(centred_1NN), nearest, rewards_N)


@given(numbers, st.integers(2, 7))
@settings(max_examples=60, deadline=None)
def test_typical_length_is_that_of_the_drawn_samples(seed: int, samples: int):
    rng = np.random.default_rng(seed)
    lengths_N = rng.integers(1, 40, samples + 1).astype(float)

    def choose(subset: Sequence[int]) -> dict[int, float]:
        middle = np.median(np.log(lengths_N[list(subset)]))
        return best(subset, lambda one: -abs(float(np.log(lengths_N[one])) - middle))

    agrees(TypicalLength(lengths_N[None]), choose, rng.random(samples))


@given(numbers, st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_a_weighted_vote_takes_the_heaviest_group(seed: int, samples: int):
    rng = np.random.default_rng(seed)
    groups_N, weights_N = rng.integers(0, 3, samples + 1), rng.integers(1, 4, samples + 1) / 4

    def choose(subset: Sequence[int]) -> dict[int, float]:
        totals = {group: sum(weights_N[i] for i in subset if groups_N[i] == group) for group in groups_N[list(subset)]}
        winners = [group for group, total in totals.items() if total == max(totals.values())]
        return {i: weights_N[i] / totals[groups_N[i]] / len(winners) if groups_N[i] in winners else 0.0 for i in subset}

    agrees(WeightedVote(groups_N[None], weights_N[None]), choose, rng.random(samples))


@given(numbers, st.integers(2, 6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_filter_leaves_its_highest_level_to_the_scores(seed: int, samples: int, softly: bool):
    """The arg max, or a softmax, of the scores among those drawn samples that are on the highest drawn level."""
    rng = np.random.default_rng(seed)
    levels_N, scores_N = rng.integers(0, 3, samples + 1), rng.integers(0, 4, samples + 1).astype(float)

    def choose(subset: Sequence[int]) -> dict[int, float]:
        top = [one for one in subset if levels_N[one] == max(levels_N[list(subset)])]
        if not softly:
            return best(top, lambda one: float(scores_N[one]))
        odds = {one: np.exp(scores_N[one] / 0.7) for one in top}
        return {one: odd / sum(odds.values()) for one, odd in odds.items()}

    within = ByScores(scores_N[None], 0.7 if softly else 0.0)
    agrees(GroupChoice(levels_N[None], levels_N[None].astype(float), within=within), choose, rng.random(samples))


@given(numbers, st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_levels_that_count_weigh_a_vote(seed: int, samples: int):
    """CodeT's consensus sets: a level times the number of the group's drawn samples, then the arg max of scores."""
    rng = np.random.default_rng(seed)
    groups_N, scores_N = rng.integers(0, 3, samples + 1), rng.random(samples + 1)
    levels_N = rng.integers(0, 5, 3).astype(float)[groups_N]

    def choose(subset: Sequence[int]) -> dict[int, float]:
        totals = {
            group: levels_N[groups_N == group][0] * sum(groups_N[one] == group for one in subset)
            for group in groups_N[list(subset)]
        }
        winners = [group for group, total in totals.items() if total == max(totals.values())]
        chances: dict[int, float] = {}
        for group in winners:
            own = best([one for one in subset if groups_N[one] == group], lambda one: float(scores_N[one]))
            chances |= {one: chance / len(winners) for one, chance in own.items()}
        return chances

    selector = GroupChoice(groups_N[None], levels_N[None], counts=True, within=ByScores(scores_N[None]))
    agrees(selector, choose, rng.random(samples))


def test_drawn_subsets_are_near_the_mean_over_all_of_them():
    rng = np.random.default_rng(0)
    groups_PN, rewards_PN = rng.integers(0, 6, (40, 30)), (rng.random((40, 30)) < 0.3).astype(float)
    mask_PN = np.ones((40, 30), dtype=bool)
    drawn_P = WeightedVote(groups_PN, np.ones((40, 30))).expected(rewards_PN, mask_PN, 6)
    exact_P = Vote(groups_PN).expected(rewards_PN, mask_PN, 6)
    assert np.abs(drawn_P - exact_P).max() < 0.05
    assert abs((drawn_P - exact_P).mean()) < 0.006
    assert subsets(30, 6, 1000).shape == (1000, 6)
    for members_k in subsets(30, 6, 1000).tolist():
        assert len(set(members_k)) == 6
        assert set(members_k) < set(range(30))


def test_a_problem_with_too_few_samples_has_no_value():
    mask_PN = np.array([[True, True, False], [False, False, False], [True, True, True]])
    groups_PN = np.array([[0, 1, 2], [0, 0, 0], [0, 0, 1]])
    rewards_PN = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    selectors = (Vote(groups_PN), GroupChoice(groups_PN, groups_PN * 1.0), TypicalLength(groups_PN + 1.0))
    for selector in (*selectors, ByScores(groups_PN * 1.0)):
        assert np.isnan(selector.expected(rewards_PN, mask_PN, None)).tolist() == [False, True, False]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some have too few samples
            values_P = selector.expected(rewards_PN, mask_PN, 3)
        assert np.isnan(values_P).tolist() == [True, True, False]


def test_a_table_among_few_samples_does_not_use_the_others():
    """Replacing what is not drawn leaves a figure alone: two samples agree, and the third is right."""
    rewards_PN, mask_PN = np.array([[0.0, 0.0, 1.0]]), np.ones((1, 3), dtype=bool)
    features = SampleFeatures(lengths_PN=np.array([[3.0, 3.0, 90.0]]), groups={"programs": np.array([[0, 0, 1]])})
    vectors_ND = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    kernels = {VECTOR_AGREEMENT: cosine_kernel(vectors_ND)[None], CENTROID: centred_kernel(vectors_ND)[None]}
    baselines = baseline_scores(features, mask_PN)
    baselines |= {VECTOR_AGREEMENT: mean_cosines(vectors_ND)[None], CENTROID: -centroid_distances(vectors_ND)[None]}
    selectors = baseline_selectors(features, kernels)
    assert selectors.keys() == {"agreement (programs)", "typical length", VECTOR_AGREEMENT, CENTROID}
    for k, value in ((2, 1 / 3), (3, 0.0)):
        table = summarise(rewards_PN, mask_PN, {}, k=k, baselines=baselines, selectors=selectors)
        assert [table[name].value for name in selectors] == [pytest.approx(value)] * 4
    assert best_of_k(baselines["agreement (programs)"], rewards_PN, mask_PN, [2])[0, 0] == 0.0, "voting with all three"


def test_a_selector_alone_has_a_row():
    rng = np.random.default_rng(1)
    rewards_PN, mask_PN = (rng.random((20, 5)) < 0.4).astype(float), np.ones((20, 5), dtype=bool)
    passes_PN = rewards_PN * (rng.random((20, 5)) < 0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in (None, 3):
            table = summarise(rewards_PN, mask_PN, {}, k=k, selectors={"filter": GroupChoice(passes_PN, passes_PN)})
            assert table["filter"].value == pytest.approx(
                float(ByScores(passes_PN).expected(rewards_PN, mask_PN, k).mean())
            )
            assert table["filter"].gain > 0.1


def test_a_curve_is_interpolated_between_numbers_of_samples_that_are_near():
    """Over 100 samples: within .02 of the means at every k, and equal where it has its own points."""
    rng = np.random.default_rng(0)
    rewards_PN, mask_PN = (rng.random((40, 100)) < rng.random((40, 1))).astype(float), np.ones((40, 100), dtype=bool)
    mask_PN[0, 70:] = False
    lengths_PN = 100.0 + rng.integers(0, 50, (40, 100)) + 10 * rewards_PN
    selector, ks = TypicalLength(lengths_PN), list(range(1, 101))
    own = few_ks(ks, {70, 100})
    assert own == [*range(1, 11), 15, 22, 32, 46, 66, 70, 99, 100]
    assert few_ks([5], set()) == [5]
    assert few_ks([20, 25, 40], set()) == [20, 40]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a problem has 70 samples
        curve_PK = selector.curve(rewards_PN, mask_PN, ks)
        exact_PK = mean_over_subsets(selector.chances, rewards_PN, mask_PN, ks, 400)
        own_PK = mean_over_subsets(selector.chances, rewards_PN, mask_PN, own, CURVE_DRAWS)
    np.testing.assert_array_equal(np.isnan(curve_PK), np.isnan(exact_PK))
    np.testing.assert_allclose(curve_PK[:, np.array(own) - 1], own_PK)
    assert np.abs(np.nanmean(curve_PK - exact_PK, axis=0)).max() < 0.02
