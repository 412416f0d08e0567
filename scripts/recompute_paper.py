"""Compute the rows of a reproduction again from its stored samples, with none of the harness's code.

    python -m scripts.recompute_paper results/paper

It reads `paper.json`, the runs' SQLite files, the files of scores, vectors and probes, and prints each figure of the
table beside its own. Exit status 1 if two differ. The table on preferences has scripts/recompute_preferences.py.
"""

import json
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import comb
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

TOLERANCE = 1e-3
Rewards = Mapping[str, Mapping[int, float]]
"""By problem and index; -1 is the greedy completion."""
API = [f"api-{name}{states}" for name in ("mse", "ce", "pg") for states in ("", "-api")]
KINDS = {"few-shot": "few-", "sft": "sft-", "api": "api-"}


def open_run(folder: Path) -> sqlite3.Connection:
    """Open a run's database for reading."""
    return sqlite3.connect(f"{(folder / 'run.sqlite').absolute().as_uri()}?mode=ro", uri=True)


def settings(folder: Path) -> dict[str, object]:
    """Return the settings of a run."""
    rows = open_run(folder).execute("SELECT name, value FROM settings")
    return {name: json.loads(value) for name, value in rows}


def rewards(folder: Path) -> Rewards:
    """Return 1 for each sample that passes and 0 for each that does not."""
    query = "SELECT problem_id, idx, status FROM verdicts WHERE grader = ?"
    found: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for problem, index, status in open_run(folder).execute(query, (settings(folder)["grader"],)):
        found[problem][index] = float(status == "passed")
    return found


def drawn(run: Rewards) -> Iterator[tuple[str, dict[int, float]]]:
    """Yield each problem's rewards without the greedy one's."""
    for problem, own in run.items():
        yield problem, {index: reward for index, reward in own.items() if index >= 0}


def pass_at(run: Rewards, k: int) -> float:
    """Return the unbiased estimate of pass@k."""
    values = []
    for _, own in drawn(run):
        n, passed = len(own), int(sum(own.values()))
        values.append(1 - comb(n - passed, k) / comb(n, k))
    return fmean(values)


def greedy(run: Rewards) -> float:
    """Return the share of problems whose greedy completion passes."""
    return fmean(own[-1] for own in run.values())


def selected(run: Rewards, scores: Mapping[tuple[str, int], float]) -> float:
    """Return the mean reward of the best-scored sample; equal ones are as likely."""
    values = []
    for problem, own in drawn(run):
        best = max(scores[problem, index] for index in own)
        values.append(fmean(reward for index, reward in own.items() if scores[problem, index] == best))
    return fmean(values)


def scores_of(path: Path) -> dict[tuple[str, int], float]:
    """Return the scores in a file."""
    rows = [json.loads(line) for line in path.read_text().split("\n") if line]
    return {(row["problem"], row["index"]): row["score"] for row in rows}


def vectors_of(folder: Path, fingerprint: str, view: list[object]) -> dict[tuple[str, int], NDArray[np.float32]]:
    """Return a run's vectors of one model, layer and pooling."""
    database, found = open_run(folder), {}
    for name, about in settings(folder).items():
        if not name.startswith("shard ") or not isinstance(about, dict) or view not in about["views"]:
            continue
        if about["embedder"].get("fingerprint", "") != fingerprint:  # a server tells none
            continue
        key, column = name.removeprefix("shard "), about["views"].index(view)
        rows = np.fromfile(folder / f"vectors-{key}.f32", "<f4").reshape(-1, len(about["views"]), about["width"])
        for problem, index, row in database.execute("SELECT problem_id, idx, row FROM vectors WHERE view = ?", (key,)):
            found[problem, index] = rows[row, column]
    return found


def probed(run: Rewards, folder: Path, probe: Path) -> float:
    """Return the mean reward of a draw by softmax(score / beta)."""
    with safe_open(probe, framework="np") as file:
        card = json.loads(file.metadata()["card"])
        weights, offset = file.get_tensor("project"), file.get_tensor("offset")
    vectors, values = vectors_of(folder, card["fingerprint"], card["views"][0]), []
    for problem, own in drawn(run):
        points = np.array([vectors[problem, index] @ weights[0, 0] + offset[0, 0] for index in own], dtype=np.float64)
        chances = np.exp((points - points.max()) / card["beta"])
        values.append(float(chances @ np.array(list(own.values())) / chances.sum()))
    return fmean(values)


def recomputed(folder: Path, row: str, test: str) -> float | None:
    """Return one figure; None for a row that this script does not know."""
    kind = next((prefix for name, prefix in KINDS.items() if row.startswith(name)), "")
    run_folder = folder / f"{kind}{test}"
    run = rewards(run_folder)
    k = min(sum(index >= 0 for index in own) for own in run.values())
    objective = next((name for name in ("mse", "ce") if row.removesuffix("-api").endswith(name)), "pg")
    location = row if row in ("attn", "mlp") else "server" if row.endswith("-api") else "res"
    known: dict[str, Callable[[], float]] = {
        "pass@1": lambda: pass_at(run, 1),
        "pass@10": lambda: pass_at(run, 10),
        "oracle": lambda: pass_at(run, k),
        "greedy": lambda: greedy(run),
        "api-pass@1": lambda: pass_at(run, 1),
        "api-greedy": lambda: greedy(run),
        "api-oracle": lambda: pass_at(run, k),
        "few-shot": lambda: greedy(run),
        "sft": lambda: greedy(run),
        "prompted": lambda: selected(run, scores_of(run_folder / "scores" / "prompted.jsonl")),
        "reward": lambda: selected(run, scores_of(run_folder / "scores" / "classifier.jsonl")),
        **{
            name: lambda: probed(run, run_folder, folder / "probes" / f"{kind}{location}" / f"{objective}.safetensors")
            for name in ("mse", "ce", "pg", "attn", "mlp", "few-shot-probe", "sft-probe", *API)
        },
    }
    return known[row]() if row in known else None


def compare(cells: Sequence[Mapping[str, Any]], again: Callable[[str, str], float | None]) -> int:
    """Print every figure of a table twice, and return how many differ."""
    differ = 0
    for cell in cells:
        value = again(cell["row"], cell["test"]) if cell["ours"] is not None else None
        if value is not None:
            wrong = abs(value - cell["ours"]["value"]) > TOLERANCE
            differ += wrong
            print(f"{cell['row']:15} {cell['test']:12} {cell['ours']['value']:.4f} {value:.4f}{'  DIFFERS' * wrong}")
    return differ


def main() -> None:
    """Print every figure of the table twice."""
    folder = Path(sys.argv[1])
    cells = json.loads((folder / "paper.json").read_text())["cells"]
    sys.exit(bool(compare(cells, partial(recomputed, folder))))


if __name__ == "__main__":
    main()
