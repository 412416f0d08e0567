"""Probes that need no training anew: those that the run holds, where they were trained on just the same inputs."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import harness.probes
from benchmarks.data_files import sha256_of_all
from harness.probes import CrossValidation, Samples, View
from harness.probes.hyperparameters import Hyperparameters
from harness.probes.model_selection import Selected
from harness.probes.registry import OBJECTIVES
from harness.runs import features
from harness.runs.probe_files import FOLDER, probe_path
from harness.runs.scores import scores_if_current
from harness.runs.store import Store
from harness.stats import SelectionRule, rules


def fingerprint(store: Store, samples: Samples, objectives: Sequence[str], settings: Mapping[str, Any]) -> str:
    """Return a hash of all that scores and probes depend on; "" with an objective whose code is the user's."""
    if not set(objectives) <= OBJECTIVES.keys():
        return ""
    about = [list(objectives), dict(settings), samples.problem_ids, list(map(str, samples.views)), _code()]
    sha256 = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for tensor in (samples.rewards_PN, samples.mask_PN, samples.indices_PN, *samples.vectors.values()):
        sha256.update(str(tuple(tensor.shape)).encode())
        sha256.update(np.ascontiguousarray(tensor.numpy()).data)
    for completion in store.completions():  # of which baselines are made
        known = [*completion.id, completion.prompt, completion.program, completion.logprob, completion.tokens]
        known += [completion.least_logprob, completion.self_certainty]
        sha256.update(json.dumps(known).encode())
    return sha256.hexdigest()


@cache
def _code() -> list[str]:
    """The version of PyTorch, and a hash of the code that makes scores and probes."""
    own = [Path(__file__).with_name("probe.py"), Path(features.__file__), Path(rules.__file__)]
    files = [*sorted(Path(harness.probes.__path__[0]).glob("*.py")), *own]
    return [torch.__version__, sha256_of_all(files)]


def kept_result(store: Store, samples: Samples, inputs: str, objectives: Sequence[str]) -> CrossValidation | None:
    """Return the run's cross-validation where its inputs had this fingerprint and each objective has its probe."""
    scores = scores_if_current(store)
    if scores is None or not inputs or scores.inputs != inputs:
        return None
    if not all(probe_path(store.folder / FOLDER, name).is_file() for name in objectives):
        return None
    return CrossValidation(
        scores.problem_ids,
        scores.objectives,
        torch.from_numpy(scores.scores_OPN),
        scores.controls,
        torch.from_numpy(scores.fold_P),
        {name: tuple(map(_selected, folds)) for name, folds in scores.chosen.items()},
        float(scores.settings["beta"]),
        scores.limits_OP,
        samples.without_signal(),
    )


def as_card(selected: Selected) -> dict[str, Any]:
    """Return the result of model selection as JSON types; a missing figure is null."""
    chosen = selected.hyperparameters
    hyperparameters = {**vars(chosen), "views": [str(view) for view in chosen.views]}
    figures = {"inner_figure": selected.figure, "kl": selected.kl}
    return {
        **hyperparameters,
        "rule": selected.rule.kind,
        "temperature": selected.temperature,
        "k": selected.k,
        "epochs": selected.epochs,
        **{name: None if math.isnan(figure) else figure for name, figure in figures.items()},
    }


def _selected(card: Mapping[str, Any]) -> Selected:
    """Return the result of model selection that `as_card` wrote."""
    views = tuple(map(View.parse, card["views"]))
    chosen = Hyperparameters(views, card["form"], card["l2"], card["learning_rate"], card["beta"])
    rule = SelectionRule.of_kind(card["rule"], card["temperature"], card["k"])
    figure, kl = (math.nan if card[name] is None else card[name] for name in ("inner_figure", "kl"))
    return Selected(chosen, card["epochs"], rule, card["temperature"], card["k"], figure, kl)
