"""Each objective: its gradient against finite differences, its defining property, its indifference to padding."""

import math
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from harness.probes import OBJECTIVES, ProbeError, find_objective
from harness.probes.objectives import Context, Objective, policy

CONTEXT = Context(beta=0.5, mean_reward=0.3)
RANKING = ["pg", "pg-problem", "pg-loo", "pairwise", "hinge", "dpo", "listwise", "copg"]


def batch(seed: int = 0, problems: int = 4, samples: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, rewards and a mask with holes; every problem keeps a pass and a failure but the last, which fails."""
    generator = torch.Generator().manual_seed(seed)
    scores_PN = torch.randn(problems, samples, generator=generator, dtype=torch.float64)
    rewards_PN = (torch.rand(problems, samples, generator=generator) < 0.4).double()
    rewards_PN[:, 0], rewards_PN[:, 1], rewards_PN[-1] = 1.0, 0.0, 0.0
    mask_PN = torch.rand(problems, samples, generator=generator) < 0.8
    mask_PN[:, :2] = True
    return scores_PN, rewards_PN, mask_PN


@pytest.fixture(params=list(OBJECTIVES))
def objective(request: pytest.FixtureRequest) -> Objective:
    return OBJECTIVES[request.param]


def test_gradient_is_that_of_finite_differences(objective: Objective):
    scores_PN, rewards_PN, mask_PN = batch()
    assert torch.autograd.gradcheck(lambda s: objective(s, rewards_PN, mask_PN, CONTEXT), scores_PN.requires_grad_())


def test_what_is_masked_changes_nothing(objective: Objective):
    scores_PN, rewards_PN, mask_PN = batch()
    other_PN = torch.where(mask_PN, scores_PN, 7.0).requires_grad_()
    rewards_too_PN = torch.where(mask_PN, rewards_PN, 1.0)
    loss = objective(other_PN, rewards_too_PN, mask_PN, CONTEXT)
    assert loss.item() == pytest.approx(objective(scores_PN, rewards_PN, mask_PN, CONTEXT).item(), abs=1e-12)
    (gradient_PN,) = torch.autograd.grad(loss, other_PN)
    assert not gradient_PN[~mask_PN].any()


def test_many_probes_at_once_are_each_of_them_alone(objective: Objective):
    scores_MPN = torch.stack([batch(seed)[0] for seed in range(3)])
    _, rewards_PN, mask_PN = batch()
    mask_MPN = torch.stack([mask_PN, torch.ones_like(mask_PN), torch.zeros_like(mask_PN)])
    settings = [(0.1, 0.1), (0.5, 0.2), (2.0, 0.3)]
    columns = torch.tensor(settings, dtype=torch.float64).T[:, :, None, None]
    together_M = objective(scores_MPN, rewards_PN, mask_MPN, Context(*columns))
    for m, (beta, mean_reward) in enumerate(settings):
        alone = objective(scores_MPN[m], rewards_PN, mask_MPN[m], Context(beta, mean_reward))
        assert together_M[m].item() == pytest.approx(alone.item(), abs=1e-7)


def test_an_empty_mask_gives_no_loss_and_no_gradient(objective: Objective):
    scores_PN, rewards_PN, mask_PN = batch()
    loss = objective(scores_PN.requires_grad_(), rewards_PN, torch.zeros_like(mask_PN), CONTEXT)
    (gradient_PN,) = torch.autograd.grad(loss, scores_PN)
    assert loss.item() == 0.0
    assert not gradient_PN.any()


@pytest.mark.parametrize("name", RANKING)
def test_ranking_objectives_are_blind_to_a_problems_level(name: str):
    """Adding a constant to a problem's scores changes no choice within it: these objectives do not see difficulty."""
    scores_PN, rewards_PN, mask_PN = batch()
    level_P1 = torch.tensor([[3.0], [-2.0], [0.5], [9.0]], dtype=torch.float64)
    loss = OBJECTIVES[name](scores_PN, rewards_PN, mask_PN, CONTEXT)
    moved = OBJECTIVES[name](scores_PN + level_P1, rewards_PN, mask_PN, CONTEXT)
    assert moved.item() == pytest.approx(loss.item(), abs=1e-9)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_raising_a_pass_lowers_the_loss(name: str):
    scores_PN, rewards_PN, mask_PN = batch()
    scores_PN = (0.3 + 0.01 * scores_PN).requires_grad_()
    (gradient_PN,) = torch.autograd.grad(OBJECTIVES[name](scores_PN, rewards_PN, mask_PN, CONTEXT), scores_PN)
    mixed = mask_PN[:-1]
    assert (gradient_PN[:-1][mixed & (rewards_PN[:-1] > 0)] < 0).all()
    assert (gradient_PN[:-1][mixed & (rewards_PN[:-1] == 0)] > 0).all()


def test_mse_is_least_at_the_rewards():
    scores_PN, rewards_PN, mask_PN = batch()
    assert OBJECTIVES["mse"](rewards_PN, rewards_PN, mask_PN, CONTEXT).item() == 0.0
    assert OBJECTIVES["mse"](scores_PN, rewards_PN, mask_PN, CONTEXT).item() > 0.0


def test_ce_is_the_log_likelihood_of_a_coin():
    scores_PN, rewards_PN, mask_PN = batch()
    terms = [
        -math.log(1 / (1 + math.exp(-q)) if r else 1 - 1 / (1 + math.exp(-q)))
        for q, r, m in zip(scores_PN.flatten().tolist(), rewards_PN.flatten().tolist(), mask_PN.flatten(), strict=True)
        if m
    ]
    expected = sum(terms) / len(terms)
    assert OBJECTIVES["ce"](scores_PN, rewards_PN, mask_PN, CONTEXT).item() == pytest.approx(expected)


def test_pg_with_the_problems_mean_is_minus_the_gain():
    scores_PN, rewards_PN, mask_PN = batch()
    chances_PN = policy(scores_PN, mask_PN, CONTEXT.beta)
    pass_at_1_P = (rewards_PN * mask_PN).sum(1) / mask_PN.sum(1)
    gain = ((chances_PN * rewards_PN).sum(1) - pass_at_1_P).mean()
    assert OBJECTIVES["pg-problem"](scores_PN, rewards_PN, mask_PN, CONTEXT).item() == pytest.approx(-gain.item())


@pytest.mark.parametrize("name", ["pg-problem", "pg-loo"])
def test_baselines_of_the_policy_gradient_agree_up_to_scale(name: str):
    scores_PN, rewards_PN, _ = batch()
    mask_PN = torch.ones_like(rewards_PN, dtype=torch.bool)
    scores_PN.requires_grad_()
    plain_PN, other_PN = (
        torch.autograd.grad(OBJECTIVES[which](scores_PN, rewards_PN, mask_PN, CONTEXT), scores_PN)[0]
        for which in ("pg", name)
    )
    n = mask_PN.shape[1]
    torch.testing.assert_close(other_PN, plain_PN * (n / (n - 1) if name == "pg-loo" else 1.0))


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_pair_objectives_are_means_over_all_pairs(seed: int):
    scores_PN, rewards_PN, mask_PN = batch(seed)
    chances_PN = policy(scores_PN, mask_PN, CONTEXT.beta)
    forms = {
        "pairwise": lambda p, w, lost: math.log1p(math.exp(scores_PN[p, lost] - scores_PN[p, w])),
        "hinge": lambda p, w, lost: max(0.0, 0.1 - float(scores_PN[p, w] - scores_PN[p, lost])),
        "dpo": lambda p, w, lost: math.log1p(math.exp(chances_PN[p, lost] - chances_PN[p, w])),
    }
    for name, form in forms.items():
        by_problem = []
        for p in range(len(scores_PN)):
            places = mask_PN[p].nonzero().flatten().tolist()
            pairs = [(w, x) for w, x in product(places, places) if rewards_PN[p, w] > rewards_PN[p, x]]
            by_problem += [sum(form(p, w, x) for w, x in pairs) / len(pairs)] if pairs else []
        loss = OBJECTIVES[name](scores_PN, rewards_PN, mask_PN, CONTEXT).item()
        assert loss == pytest.approx(sum(by_problem) / len(by_problem))


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_copg_is_the_mean_squared_contrast_of_pairs(seed: int):
    scores_PN, rewards_PN, mask_PN = batch(seed)
    log_ratio_PN = (policy(scores_PN, mask_PN, CONTEXT.beta) * mask_PN.sum(1, keepdim=True)).clamp(min=1e-300).log()
    regularised_PN = rewards_PN - CONTEXT.beta * log_ratio_PN
    by_problem = []
    for p in range(len(scores_PN)):
        places = mask_PN[p].nonzero().flatten().tolist()
        pairs = [(i, j) for i, j in product(places, places) if i != j]
        by_problem.append(sum((regularised_PN[p, i] - regularised_PN[p, j]) ** 2 / 2 for i, j in pairs) / len(pairs))
    loss = OBJECTIVES["copg"](scores_PN, rewards_PN, mask_PN, CONTEXT).item()
    assert loss == pytest.approx(float(sum(by_problem)) / len(by_problem))


def test_listwise_is_the_cross_entropy_to_the_passes():
    scores_PN = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    rewards_PN, mask_PN = torch.tensor([[1.0, 0.0, 1.0]]), torch.ones(1, 3, dtype=torch.bool)
    logs_N = torch.log_softmax(scores_PN[0] / 0.5, 0)
    expected = -(logs_N[0] + logs_N[2]).item() / 2
    assert OBJECTIVES["listwise"](scores_PN, rewards_PN, mask_PN, CONTEXT).item() == pytest.approx(expected)


def test_an_unknown_objective_suggests_near_matches():
    with pytest.raises(ProbeError, match=r"Unknown objective 'pairwize'\. Did you mean pairwise"):
        find_objective("pairwize")


def test_a_dotted_path_needs_no_declaration():
    assert find_objective("harness.probes.objectives:mse") is OBJECTIVES["mse"]
    with pytest.raises(ProbeError, match="cannot be imported"):
        find_objective("harness.probes.objectives:nothing")


def test_a_strangers_package_adds_an_objective_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "stranger.py").write_text(
        "def loss(scores, rewards, mask, context):\n    return scores.sum((-2, -1))\n"
    )
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qprobe.objectives]\nstrange = stranger:loss\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_objective("strange")(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3), CONTEXT).item() == 6.0


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def loss(s, r, m, c):\n    return s.mean()\n", r"gave a loss of shape \[\], not \[2\]"),
        ("def loss(s, r, m):\n    return s.mean()\n", "TypeError: loss.. takes 3 positional arguments"),
        ("def loss(s, r, m, c):\n    return r.sum((-2, -1)) + m.sum((-2, -1))\n", "does not require grad"),
        ("def loss(s, r, m, c):\n    return 1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_an_objective_that_cannot_be_trained_is_refused(tmp_path: Path, code: str, says: str):
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(ProbeError, match=rf"Objective '.*mine.py:loss' cannot be trained .*{says}"):
        find_objective(f"{tmp_path}/mine.py:loss")
