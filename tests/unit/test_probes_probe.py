"""A trained probe: one file, one card, and no need of this package to use it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from harness.probes import (
    Grid,
    Probe,
    ProbeError,
    Schedule,
    TrainingPlan,
    View,
    group_near_duplicates,
    learning_curves,
    load_probe,
    train_and_test,
    train_probes,
)
from harness.probes.synthetic import PLANTED, plant

GRID = Grid(l2s=(0.1, 0.001), learning_rates=(3e-3,))
QUICK = TrainingPlan(grid=GRID, schedule=Schedule(epochs=12, patience=4), inner_folds=3, inner_used=1)


def probe(form: str = "linear") -> Probe:
    grid = replace(QUICK.grid, forms=(form,))
    trained = train_probes(plant(20, 10, 8).samples, ["mse"], plan=replace(QUICK, grid=grid))["mse"]
    return replace(trained, card=replace(trained.card, model="some/model", figures={"gain": 0.1}))


@pytest.mark.parametrize("form", ["linear", "mlp", "mlp-2", "gated"])
def test_a_saved_probe_is_the_same_probe(form: str, tmp_path: Path):
    saved, vectors_RD = probe(form), torch.randn(7, 3, 8)
    saved.save(tmp_path / "probe.safetensors")
    loaded = load_probe(tmp_path / "probe.safetensors", model="some/model")
    assert loaded.card == saved.card
    assert all(torch.equal(loaded.weights[name], weight) for name, weight in saved.weights.items())
    torch.testing.assert_close(loaded(vectors_RD), saved(vectors_RD))
    assert loaded(vectors_RD).shape == (7, 3)


def test_a_linear_probe_loads_without_this_package(tmp_path: Path):
    saved, vectors = probe(), torch.randn(5, 8)
    saved.save(tmp_path / "probe.safetensors")
    tensors = load_file(tmp_path / "probe.safetensors")
    scores = vectors @ tensors["project"][0, 0] + tensors["offset"][0, 0]
    torch.testing.assert_close(scores, saved(vectors))
    with safe_open(tmp_path / "probe.safetensors", framework="pt") as file:
        card = json.loads(file.metadata()["card"])
    assert (card["model"], card["views"], card["objective"]) == ("some/model", [[26, "last"]], "mse")


def test_another_models_vectors_are_refused(tmp_path: Path):
    probe().save(tmp_path / "probe.safetensors")
    with pytest.raises(ProbeError, match="reads vectors of some/model, not of other/model"):
        load_probe(tmp_path / "probe.safetensors", model="other/model")
    with pytest.raises(ProbeError, match="not vectors of width 9"):
        probe()(torch.randn(5, 9))
    with pytest.raises(ProbeError, match="1 view"):
        probe()([torch.randn(5, 8), torch.randn(5, 8)])


def test_what_is_no_probe_is_refused(tmp_path: Path):
    (tmp_path / "text").write_text("not tensors")
    save_file({"x": torch.ones(2)}, tmp_path / "plain")
    save_file({"x": torch.ones(2)}, tmp_path / "torn", metadata={"card": "{"})
    for name, message in {
        "absent": "not a probe file",
        "text": "not a probe file",
        "plain": "no card",
        "torn": "cannot be read",
    }.items():
        with pytest.raises(ProbeError, match=message):
            load_probe(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"project": None}, "'project' of shape"),
        ({"project": torch.zeros(1, 1, 9)}, "'project' of shape"),
        ({"project": torch.zeros(8)}, "'project' of shape"),
        ({"offset": torch.zeros(3)}, "'offset' is missing or has another shape"),
        ({"offset": torch.zeros(1, 1, dtype=torch.int64)}, "'offset' is missing or has another shape"),
        ({"more": torch.zeros(1)}, "'more' is missing or has another shape"),
    ],
)
def test_weights_that_are_not_those_of_the_card_are_refused(
    tmp_path: Path, change: dict[str, torch.Tensor | None], says: str
):
    whole = probe()
    weights = {name: weight for name, weight in {**whole.weights, **change}.items() if weight is not None}
    replace(whole, weights=weights).save(tmp_path / "p.safetensors")
    with pytest.raises(ProbeError, match=f"p.safetensors is not a probe file: .*{says}"):
        load_probe(tmp_path / "p.safetensors")


@pytest.mark.parametrize("card", ["[" * 100_000, "3", "[]", '{"views": 3}', '{"views": [[1e999, "last"]]}'])
def test_a_card_of_another_content_is_refused(tmp_path: Path, card: str):
    save_file({"x": torch.ones(2)}, tmp_path / "p", metadata={"card": card})
    with pytest.raises(ProbeError, match="cannot be read"):
        load_probe(tmp_path / "p")


def test_probes_transfer_to_problems_they_never_saw():
    planted = plant(80, 20, 16, signal=3.0)
    train, test = planted.samples.take(range(60)), planted.samples.take(range(60, 80))
    result = train_and_test(train, {"held out": test}, ["mse", "pg"], plan=QUICK, controls=2)
    assert result.scores_OPN["held out"].shape == (2, 20, 20)
    assert result.control_CPN["held out"].shape == (2, 20, 20)
    truth_PN = planted.truth_PN[60:]
    for scores_PN in result.scores_OPN["held out"]:
        assert torch.corrcoef(torch.stack([scores_PN.flatten(), truth_PN.flatten().double()]))[0, 1] > 0.7
    assert result.probes["mse"].card.data == train.digest()
    assert result.probes["mse"].card.problems == 60


def test_a_test_set_may_share_no_problem_with_the_training_set():
    samples = plant(20, 5, 4).samples
    with pytest.raises(ProbeError, match="shares 5 problems with the training set, such as planted/15"):
        train_and_test(samples, {"test": samples.take(range(15, 20))}, ["mse"], plan=QUICK)


def test_a_test_set_must_have_the_layer_that_was_chosen():
    samples = plant(20, 5, 4).samples
    test = samples.take(range(15, 20))
    blind = replace(test, vectors={View(1, "mean"): test.vectors[PLANTED]})
    with pytest.raises(ProbeError, match="reads layer 26/last, of which the samples have no vectors"):
        train_and_test(samples.take(range(15)), {"test": blind}, ["mse"], plan=QUICK)


def test_more_training_problems_find_more():
    planted = plant(120, 10, 32, signal=3.0)
    (values_TSP,) = learning_curves(planted.samples, ["mse"], [6, 24, 96], seeds=[0, 1], plan=QUICK)
    assert values_TSP.shape == (3, 2, 120)
    means = values_TSP.mean((1, 2)).tolist()
    assert means == sorted(means)
    assert means[-1] > float(planted.samples.rewards_PN.mean()) + 0.3
    assert (values_TSP[:, 0] != values_TSP[:, 1]).any(1).all(), "every seed draws other folds"
    (again_TSP, of_ce_TSP) = learning_curves(planted.samples, ["mse", "ce"], [6, 24], seeds=[0], plan=QUICK)
    np.testing.assert_allclose(again_TSP[:, 0], values_TSP[:2, 0], atol=1e-6)
    assert (of_ce_TSP != again_TSP).any()
    with pytest.raises(ProbeError, match="has 96 training problems, not 97"):
        learning_curves(planted.samples, ["mse"], [97], plan=QUICK)


def test_near_duplicate_prompts_are_one_group():
    prompts = {
        "a": "Write a function to find the largest number in a list.",
        "b": "Write a function to reverse the words of a sentence.",
        "c": "Write a python function to find the largest number in a list.",
        "d": "Write a python function to find the largest even number in a list.",
        "e": "Hi",
    }
    groups = group_near_duplicates(prompts)
    assert groups["a"] == groups["c"]
    assert len({groups["a"], groups["b"], groups["e"]}) == 3
    assert set(group_near_duplicates(prompts, threshold=1.0).values()) == {0, 1, 2, 3, 4}


def test_a_view_the_samples_lack_is_refused():
    grid = Grid(views=(View(99, "last"),))
    with pytest.raises(ProbeError, match=r"There are no vectors of layer 99/last\. Choose from 26/last\."):
        train_probes(plant(10, 4, 3).samples, ["mse"], plan=replace(QUICK, grid=grid))
    assert View(26, "last") == PLANTED
