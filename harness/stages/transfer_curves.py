"""Curves of a transfer: probes trained on fewer problems, and probes of each layer alone."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

import torch

from harness.errors import ProbeError
from harness.probes import Samples, Transfer, View
from harness.reports.transfer import Gains
from harness.stages.probe import LEARNING_SIZES
from harness.stats import pass_at_1, tabulate
from harness.stats.selectors import ByScores

TrainOn = Callable[[Samples, Mapping[str, Samples]], Transfer]
"""Trains on a set and scores others, with the options of the transfer."""

Curves = dict[str, tuple[Gains, ...]]
"""By test set."""


def gains_by(
    train: Samples,
    tests: Mapping[str, Samples],
    train_on: TrainOn,
    seed: int,
    k: int | None,
    *,
    learning: bool,
    by_layer: bool,
) -> dict[str, Curves]:
    """Return the curves that are wanted, by the name of their field in a report."""
    curves = {}
    if learning:
        curves["learning"] = learning_gains(train, tests, train_on, seed, k)
    if by_layer:
        curves["by_layer"] = layer_gains(train, tests, train_on, k)
    return curves


def learning_gains(train: Samples, tests: Mapping[str, Samples], train_on: TrainOn, seed: int, k: int | None) -> Curves:
    """Return the gains of probes trained on 10, 20, 50, ... problems and on all; a larger set contains every smaller.

    Sizes whose problems lack a pass or a failure are left out.
    """
    problems = len(train.problem_ids)
    order_P = torch.randperm(problems, generator=torch.Generator().manual_seed(seed + 1))
    found: dict[str, list[Gains]] = {name: [] for name in tests}
    for size in [*(size for size in LEARNING_SIZES if size < problems), problems]:
        with suppress(ProbeError):
            result = train_on(train.take(order_P[:size].sort().values), tests)
            for name, test in tests.items():
                found[name].append(_gains(str(size), result, name, test, k))
    return {name: tuple(gains) for name, gains in found.items()}


def layer_gains(train: Samples, tests: Mapping[str, Samples], train_on: TrainOn, k: int | None) -> Curves:
    """Return the gains of probes that read one layer and pooling alone, for each of those that all sets have."""
    found: dict[str, list[Gains]] = {name: [] for name in tests}
    for view in train.views:
        result = train_on(only(train, [view]), {name: only(test, [view]) for name, test in tests.items()})
        for name, test in tests.items():
            found[name].append(_gains(str(view), result, name, test, k))
    return {name: tuple(gains) for name, gains in found.items()}


def only(samples: Samples, views: list[View]) -> Samples:
    """Return the samples with some of their layers and poolings."""
    return replace(samples, vectors={view: samples.vectors[view] for view in views})


def _gains(setting: str, result: Transfer, name: str, test: Samples, k: int | None) -> Gains:
    """The rows of all objectives on one test set, by the rules that were selected."""
    rewards_PN, mask_PN = test.rewards_PN.double().numpy(), test.mask_PN.numpy()
    values = {"pass@1": pass_at_1(rewards_PN, mask_PN)}
    for place, objective in enumerate(result.objectives):
        rule = ByScores(result.scores_OPN[name][place].numpy(), result.beta, int(result.limits_O[place]))
        values[objective] = rule.expected(rewards_PN, mask_PN, k)
    values["oracle"] = ByScores(rewards_PN).expected(rewards_PN, mask_PN, k)
    rows = tabulate(values, base="pass@1", oracle="oracle", compared=set(result.objectives))
    return Gains(setting, tuple(rows[1:-1]))
