"""Certainties: kept with the completion, and rows of the report where every sample has them."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.reports.build import report
from harness.reports.inputs import read_inputs
from harness.runs.completion import Completion
from harness.runs.features import sample_features
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.made_run import fill


def certain(store: Store, samples: int = 6) -> None:
    """Add a further problem's worth of known certainties to every sample of a made run."""
    with sqlite3.connect(store.folder / "run.sqlite") as database:
        rows = database.execute("SELECT problem_id, idx FROM completions").fetchall()
        values = [(*row, -1.0 - (row[1] * 5 % samples), 2.0 + row[1]) for row in rows]
        database.executemany("INSERT INTO certainties VALUES (?, ?, ?, ?)", values)


def test_a_store_returns_what_it_was_given(tmp_path: Path):
    whole = Completion("P/0", 0, "p", "t", "program", "stop", 2, -3.0, 1, (5, 6), -2.5, 7.5)
    parts = [
        whole,
        replace(whole, index=1, token_ids=()),
        replace(whole, index=2, least_logprob=None),
        replace(whole, index=3, least_logprob=None, self_certainty=None),
    ]
    with Store(tmp_path / "run", create=True) as store:
        fill(store, problems=1, samples=1, name="P/")
        store.add_completions([replace(part, index=part.index + 1) for part in parts])
        stored = [replace(part, index=part.index - 1) for part in store.completions()][1:]
        assert stored == parts


def test_rows_need_every_samples_value(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store)
        names = {"least log-probability", "self-certainty"}
        assert not names & {row.name for row in report(read_inputs(store)).rows}, "as in runs of earlier versions"
        certain(store)
        ids, indices_PN = tuple(f"M/{p}" for p in range(12)), np.tile(np.arange(6), (12, 1))
        features = sample_features(store, ids, indices_PN)
        assert features.self_certainties_PN is not None
        assert features.self_certainties_PN[3].tolist() == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        without = {row.name: row for row in report(read_inputs(store)).rows}
        assert names <= set(without)
        passes = [(5 + p) % 3 == 0 for p in range(12)]
        assert without["self-certainty"].value == pytest.approx(np.mean(passes)), "the last sample is the most certain"
        probe(store, ["mse"], folds=3, preset="paper")
        probed = {row.name: row for row in report(read_inputs(store)).rows}
        for name in names:
            assert probed[name].value == pytest.approx(without[name].value), "kept beside the scores"


def test_a_run_of_an_earlier_version_is_read(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        fill(store, problems=1)
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as database:
        database.execute("DROP TABLE certainties")
    with Store(tmp_path / "run", read_only=True) as store:
        assert {completion.self_certainty for completion in store.completions()} == {None}
