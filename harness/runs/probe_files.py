"""The probes of a run as files: one per objective, with a card of its origin and its figures."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.probes import Probe, Samples
from harness.probes.added_features import OF_TOKENS
from harness.runs.atomic import atomic_write
from harness.runs.scores import Scores
from harness.runs.store import Store
from harness.stats import TableRow, rule_rows, summarise

FOLDER = "probes"


def probe_path(folder: Path, objective: str) -> Path:
    """Return the path of an objective's probe; characters unfit for a file's name become a dash."""
    return folder / f"{re.sub(r'[^A-Za-z0-9_.]+', '-', objective)}.safetensors"


def save_probes(
    store: Store,
    folder: Path,
    probes: Mapping[str, Probe],
    figures: Mapping[str, Mapping[str, float]],
    folds: int = 0,
) -> list[Path]:
    """Write every probe with its provenance and its figures on its card. Raises QprobeError where it cannot."""
    about = store.about
    embedding = about.require_embedding(store.folder)
    paths = []
    for objective, probe in probes.items():
        card = replace(
            probe.card,
            model=embedding.embedder,
            fingerprint=embedding.fingerprint,
            log_probabilities_of=about.log_probabilities_of if set(OF_TOKENS) & set(probe.card.features) else "",
            benchmark=about.benchmark,
            prompt=about.prompt,
            folds=folds,
            figures=figures[objective],
        )
        path = probe_path(folder, objective)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            replace(probe, card=card).save(draft)
        paths.append(path)
    return paths


def out_of_fold_figures(samples: Samples, scores: Scores) -> dict[str, dict[str, float]]:
    """Return the out-of-fold figures of each objective: means over problems, gains over pass@1, 95 % intervals.

    Those without a prefix are of the rule that each fold found best; then come the gains of every rule.
    """
    rewards_PN, mask_PN, names = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy(), scores.objectives
    own = {name: scores.of(name)[0] for name in names}
    limits = {name: scores.of(name)[1] for name in names}
    beta = scores.settings["beta"]
    summary = summarise(rewards_PN, mask_PN, own, beta=beta, limits=limits, design=scores.design)
    figures = {name: row_figures(summary[name], summary["pass@1"]) for name in names}
    ruled = {name: scores.ruled(name) for name in names}
    for name, rows in rule_rows(rewards_PN, mask_PN, ruled, design=scores.design).items():
        for row in rows:
            figures[name] |= {f"{row.name} {part}": getattr(row, part) for part in ("gain", "gain_low", "gain_high")}
    return figures


def row_figures(row: TableRow, base: TableRow) -> dict[str, float]:
    """A row's figures for a card; JSON has no NaN, so a figure that does not exist is left out."""
    named = {
        "pass@1": base.value,
        "probed": row.value,
        "gain": row.gain,
        "gain_low": row.gain_low,
        "gain_high": row.gain_high,
        "within_problem_auc": row.auc,
    }
    return {name: figure for name, figure in named.items() if not math.isnan(figure)}
