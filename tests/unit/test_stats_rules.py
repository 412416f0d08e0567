"""Selection rules against every subset, and the table of each probe's rules."""

import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import RuledScores, SelectionRule, pass_at_1, rule_rows, selection_by_limits
from harness.stats.rules import BY_SOFTMAX, UNLIMITED

PROBLEM = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), min_size=5, max_size=5)


def arrays(problems: list[list[tuple[int, bool, bool]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores_PN, rewards_PN, mask_PN = (
        np.array([[sample[part] for sample in problem] for problem in problems], dtype=float) for part in range(3)
    )
    return scores_PN, rewards_PN * mask_PN, mask_PN.astype(bool)


def by_subsets(samples: list[tuple[int, bool]], size: int, pick: float) -> float:
    """The mean over subsets of that size of softmax selection at temperature `pick`, at 0 of the best, ties shared."""
    values = []
    for subset in combinations(samples, size):
        best = max(score for score, _ in subset)
        odds = [float(score == best) if pick == 0 else np.exp((score - best) / pick) for score, _ in subset]
        values.append(sum(o * reward for o, (_, reward) in zip(odds, subset, strict=True)) / sum(odds))
    return float(np.mean(values))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(PROBLEM, min_size=1, max_size=4),
    st.sampled_from([BY_SOFTMAX, 1, 2, 3, UNLIMITED]),
    st.sampled_from([0.0, 0.5]),
)
def test_each_problem_follows_its_own_rule(problems: list[list[tuple[int, bool, bool]]], limit: int, beta: float):
    scores_PN, rewards_PN, mask_PN = arrays(problems)
    limits = [limit if place % 2 == 0 else UNLIMITED for place in range(len(problems))]
    for k in (None, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # problems with fewer samples
            values_P = selection_by_limits(scores_PN, rewards_PN, mask_PN, beta, limits, k)
        for value, own, problem in zip(values_P, limits, problems, strict=True):
            graded = [(score, reward) for score, reward, there in problem if there]
            if len(graded) < (k or 1):
                assert np.isnan(value)
                continue
            size = len(graded) if k is None else k
            size = size if own == BY_SOFTMAX else min(size, own)
            assert value == pytest.approx(by_subsets(graded, size, beta if own == BY_SOFTMAX else 0.0), abs=1e-8)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(PROBLEM, min_size=1, max_size=3),
    st.sampled_from([SelectionRule(0.5), SelectionRule(k=2), SelectionRule()]),
)
def test_the_chances_of_a_rule_give_its_value(problems: list[list[tuple[int, bool, bool]]], rule: SelectionRule):
    scores_PN, rewards_PN, mask_PN = arrays(problems)
    chances_PN = rule.chances(scores_PN, mask_PN)
    graded_P = mask_PN.any(1)
    np.testing.assert_allclose(chances_PN.sum(1), graded_P)
    values_P = selection_by_limits(scores_PN, rewards_PN, mask_PN, rule.temperature, [rule.limit] * len(problems))
    np.testing.assert_allclose((chances_PN * rewards_PN).sum(1)[graded_P], values_P[graded_P], atol=1e-12)


def test_rules_have_names():
    rules = (SelectionRule(0.1), SelectionRule(k=5), SelectionRule(k=1), SelectionRule())
    assert [str(rule) for rule in rules] == ["softmax at 0.1", "arg max among 5", "a random sample", "arg max"]
    assert [rule.kind for rule in rules] == ["softmax", "arg max among", "arg max among", "arg max"]


def test_the_table_has_the_rules_that_a_probe_has():
    """Scores whose highest are wrong: the arg max loses, the best of two gains."""
    scores_PN = np.tile(np.array([3.0, 2.0, 1.0, 0.0]), (60, 1))
    rewards_PN = np.tile(np.array([0.0, 1.0, 1.0, 0.0]), (60, 1))
    mask_PN = np.ones(scores_PN.shape, dtype=bool)
    among_P = np.full(60, 2)
    rows = rule_rows(
        rewards_PN,
        mask_PN,
        {"all": RuledScores(scores_PN, 0.5, among_P), "hard": RuledScores(-scores_PN, 0.0, None)},
        resamples=500,
    )
    by_kind = {row.name: row for row in rows["all"]}
    assert list(by_kind) == ["arg max", "softmax", "arg max among"]
    assert [row.name for row in rows["hard"]] == ["arg max"]
    assert by_kind["arg max"].gain == pytest.approx(-0.5)
    assert by_kind["arg max among"].value == pytest.approx(3 / 6)
    assert by_kind["softmax"].gain < 0
    assert all(row.p_holm >= row.p for row in (*rows["all"], *rows["hard"]))
    assert pass_at_1(rewards_PN, mask_PN).mean() == 0.5
