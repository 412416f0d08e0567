"""Composed selections: a filter, a vote or a log-probability with the scores of one probe."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.composed import composed, standard
from harness.stats.rules import UNLIMITED
from harness.stats.selectors import ByScores, GroupChoice


def data(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores that know a little, rewards, a mask with holes, and a filter that knows a little."""
    rng = np.random.default_rng(seed)
    scores_PN = rng.standard_normal((60, 8))
    rewards_PN = (rng.random((60, 8)) < 1 / (1 + np.exp(1 - scores_PN))).astype(float)
    passes_PN = (rng.random((60, 8)) < 0.2 + 0.7 * rewards_PN).astype(float)
    return scores_PN, rewards_PN, rng.random((60, 8)) < 0.9, passes_PN


def test_every_composition_gains_more_than_its_parts_where_both_know_something():
    scores_PN, rewards_PN, mask_PN, passes_PN = data(0)
    rule, choice = ByScores(scores_PN, 0.3), GroupChoice(passes_PN.astype(int), passes_PN)
    logprobs_PN = rewards_PN + 2 * np.random.default_rng(1).standard_normal(rewards_PN.shape)
    groups = {"outputs": np.where(rewards_PN > 0, 0, np.arange(8))}
    made = composed("pg", rule, {"passes shown test": choice}, groups, logprobs_PN, None, mask_PN, np.arange(60) % 5)
    assert {name: part.parts for name, part in made.items()} == {
        "shown test, then pg": ("pg", "passes shown test"),
        "vote by pg (outputs)": ("pg", "agreement (outputs)"),
        "log-probability + pg": ("pg", "mean log-probability"),
    }
    for k in (None, 4):
        of_rule = np.nanmean(rule.expected(rewards_PN, mask_PN, k))
        for selection in made.values():
            assert np.nanmean(selection.selector.expected(rewards_PN, mask_PN, k)) > of_rule
        filtered = made["shown test, then pg"].selector.expected(rewards_PN, mask_PN, k)
        assert np.nanmean(filtered) > np.nanmean(choice.expected(rewards_PN, mask_PN, k))


def test_a_rule_without_a_temperature_weighs_no_vote():
    scores_PN, _, mask_PN, _ = data(0)
    groups = {"programs": np.zeros(mask_PN.shape, dtype=int)}
    rule = ByScores(scores_PN, 0.0, np.full(60, UNLIMITED))
    assert composed("mse", rule, {}, groups, None, None, mask_PN, np.zeros(60, dtype=int)) == {}


def test_a_nearly_random_probe_leaves_the_vote_to_the_majority():
    _, rewards_PN, mask_PN, _ = data(3)
    groups_PN = np.random.default_rng(0).integers(0, 3, mask_PN.shape)
    rule = ByScores(1e-9 * np.random.default_rng(1).standard_normal(mask_PN.shape), 1.0)
    made = composed("pg", rule, {}, {"outputs": groups_PN}, None, None, mask_PN, np.zeros(60, dtype=int))
    levels_PN = np.ones(mask_PN.shape)
    majority_P = GroupChoice(groups_PN, levels_PN, counts=True).expected(rewards_PN, mask_PN, None)
    chosen_P = made["vote by pg (outputs)"].selector.expected(rewards_PN, mask_PN, None)
    sizes_PG = np.stack([((groups_PN == group) & mask_PN).sum(1) for group in range(3)], axis=1)
    clear_P = np.sort(sizes_PG, axis=1)[:, -1] > np.sort(sizes_PG, axis=1)[:, -2]
    np.testing.assert_allclose(chosen_P[clear_P], majority_P[clear_P], atol=1e-6)


@given(st.integers(0, 1000))
def test_standard_scores_have_one_unit_per_fold(seed: int):
    rng = np.random.default_rng(seed)
    fold_P = rng.integers(0, 2, 12)
    scale_P1 = np.where(fold_P == 0, 1.0, 1000.0)[:, None]
    scores_PN, mask_PN = scale_P1 * rng.standard_normal((12, 5)) + 7.0, rng.random((12, 5)) < 0.8
    standard_PN = standard(scores_PN, mask_PN, fold_P)
    assert not standard_PN[~mask_PN].any()
    for fold in set(fold_P.tolist()):
        here_PN = mask_PN & (fold_P == fold)[:, None]
        centred = [row[own] - row[own].mean() for row, own in zip(scores_PN, here_PN, strict=True) if own.any()]
        if here_PN.any() and (deviation := np.concatenate(centred).std()) > 0:
            np.testing.assert_allclose(standard_PN[here_PN], np.concatenate(centred) / deviation, atol=1e-9)
    assert standard(np.ones((2, 2)), np.ones((2, 2), dtype=bool), np.zeros(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert pytest.approx(0.0, abs=1e-9) == (standard_PN.sum(1)).max()


def test_a_probe_that_is_length_selects_nothing_without_it():
    """The control: what is left of scores beside their regression on log length."""
    rng = np.random.default_rng(0)
    lengths_PN, mask_PN = np.exp(rng.standard_normal((40, 6))), np.ones((40, 6), dtype=bool)
    lengths_PN = 50 + 200 * lengths_PN
    rewards_PN = (lengths_PN < np.median(lengths_PN, axis=1, keepdims=True)).astype(float)
    fold_P = np.zeros(40, dtype=int)
    rule = ByScores(-np.log(lengths_PN), 0.1)
    (control,) = composed("pg", rule, {}, {}, None, lengths_PN, mask_PN, fold_P).values()
    assert control.parts == ("pg",)
    assert rule.expected(rewards_PN, mask_PN, None).mean() > 0.9
    assert control.selector.expected(rewards_PN, mask_PN, None).mean() == pytest.approx(0.5, abs=1e-6)
