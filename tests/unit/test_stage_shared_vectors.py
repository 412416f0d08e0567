"""Vectors as a file: another run of the same samples gets them, whatever their order, and nothing else is read."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from benchmarks.registry import open_benchmark
from harness.errors import QprobeError
from harness.models.hf.embedder import HfEmbedder
from harness.probes import load_probe
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages.embed import embed
from harness.stages.export import export
from harness.stages.import_samples import import_samples
from harness.stages.probe import probe
from harness.stages.rank import open_reader, rank
from harness.stages.shared_vectors import FORMAT, SAMPLES, import_vectors, read_vectors
from sandbox import Outcome, Status
from scripts.publish_runs import REFERENCE
from tests.runs import QUIET, make_run


@pytest.fixture
def run(tmp_path: Path, tiny_llama: Path) -> Path:
    return make_run(tmp_path / "own", tiny_llama)


@pytest.fixture
def file(run: Path, tmp_path: Path) -> Path:
    path = tmp_path / "vectors.safetensors"
    with Store(run, read_only=True) as store:
        rows = export(store, path)
        assert rows == len(store.sample_ids()), "all samples of this run differ"
    return path


def reversed_copy(run: Path, folder: Path) -> Path:
    """The samples of a run in another order, with their verdicts and without vectors."""
    with Store(run, read_only=True) as old, Store(folder, create=True) as store:
        store.settle("benchmark", "own")
        store.note("source", {"file": "own.jsonl", "complete": True})
        store.add_problems(reversed(old.problems()))
        drawn = [replace(one, index=5 - one.index) for one in old.completions()]
        store.add_completions(drawn)
        store.note("grader", "known")
        status = {True: Status.PASSED, False: Status.FAILED}
        store.add_verdicts("known", {one.id: Outcome(status[one.index % 2 == 0]) for one in drawn})
    return folder


def test_the_same_samples_in_another_order_get_their_vectors(run: Path, file: Path, tmp_path: Path, tiny_llama: Path):
    with Store(run) as old, Store(reversed_copy(run, tmp_path / "new")) as new:
        assert import_vectors(new, read_vectors(file)) == 0
        ids = new.sample_ids()
        given = read_views(new, new.about.view or "", ids)
        known = read_views(old, old.about.view or "", [one._replace(sample=5 - one.sample) for one in ids])
        assert list(given) == list(known)
        for view, vectors in given.items():
            np.testing.assert_array_equal(vectors, known[view].astype(np.float16).astype(np.float32))
        probe(new, ["mse"], folds=3, repeats=1)
        trained = load_probe(new.folder / "probes" / "mse.safetensors")
        own = list(new.completions("own/3"))
    (ranking,) = rank(trained, own, open_reader(trained), QUIET)
    assert ranking.best.completion.index % 2 == 0


def test_an_import_again_adds_nothing(run: Path, file: Path, tmp_path: Path):
    with Store(reversed_copy(run, tmp_path / "new")) as new:
        import_vectors(new, read_vectors(file))
        before = {shard: new.vector_rows(shard) for shard in new.about.shards}
        import_vectors(new, read_vectors(file))
        assert {shard: new.vector_rows(shard) for shard in new.about.shards} == before


def test_vectors_of_a_file_do_not_mix_with_those_of_another_precision(run: Path, file: Path, tiny_llama: Path):
    with Store(run) as store:
        view = store.about.view
        import_vectors(store, read_vectors(file))
        assert store.about.view != view
        done = embed(store, HfEmbedder(f"hf:{tiny_llama}", layers="1,2"), QUIET)
        assert (done.view, done.new) == (view, 0)


def test_samples_without_vectors_are_counted(run: Path, file: Path, tmp_path: Path):
    with Store(reversed_copy(run, tmp_path / "new")) as new:
        new.replace_programs({new.sample_ids()[0]: "def other():\n    pass\n"})
        assert import_vectors(new, read_vectors(file)) == 1


def test_vectors_of_other_samples_are_refused(file: Path, tmp_path: Path, tiny_llama: Path):
    with (
        Store(make_run(tmp_path / "other", tiny_llama, benchmark="other")) as store,
        pytest.raises(QprobeError, match="is of other samples"),
    ):
        import_vectors(store, read_vectors(file))


def test_numbers_beyond_float16_are_refused(run: Path, tmp_path: Path):
    (vectors,) = run.glob("vectors-*.f32")
    numbers = np.fromfile(vectors, "<f4")
    numbers[3] = 1e5
    numbers.tofile(vectors)
    with Store(run, read_only=True) as store, pytest.raises(QprobeError, match="beyond float16's 65504"):
        export(store, tmp_path / "v.safetensors")
    assert not (tmp_path / "v.safetensors").exists()


ABOUT = {"format": FORMAT, "embedder": "hf:m", "identity": "{}"}


@pytest.mark.parametrize(
    ("tensors", "about"),
    [
        ({"1/last": np.zeros((2, 3), np.float16)}, ABOUT),
        ({SAMPLES: np.zeros((2, 16), np.uint8)}, ABOUT),
        ({"1/last": np.zeros((3, 3), np.float16), SAMPLES: np.zeros((2, 16), np.uint8)}, ABOUT),
        ({"1/last": np.zeros((2, 3), np.float32), SAMPLES: np.zeros((2, 16), np.uint8)}, ABOUT),
        ({"last": np.zeros((2, 3), np.float16), SAMPLES: np.zeros((2, 16), np.uint8)}, ABOUT),
        ({"1/last": np.full((2, 3), np.nan, np.float16), SAMPLES: np.zeros((2, 16), np.uint8)}, ABOUT),
        ({"1/last": np.zeros((2, 3), np.float16), SAMPLES: np.zeros((2, 16), np.uint8)}, {**ABOUT, "format": "other"}),
        ({"1/last": np.zeros((2, 3), np.float16), SAMPLES: np.zeros((2, 16), np.uint8)}, {**ABOUT, "identity": "["}),
        ({"1/last": np.zeros((2, 3), np.float16), SAMPLES: np.zeros((2, 16), np.uint8)}, {"format": FORMAT}),
    ],
    ids=["samples", "layers", "rows", "precision", "name", "nan", "format", "identity", "embedder"],
)
def test_other_files_are_refused(tensors: dict[str, Any], about: dict[str, str], tmp_path: Path):
    path = tmp_path / "v.safetensors"
    save_file(tensors, path, metadata=about)
    with pytest.raises(QprobeError, match="no file of vectors, as qprobe export writes it"):
        read_vectors(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 40])
def test_files_of_other_kinds_are_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "v.safetensors"
    path.write_bytes(content)
    with pytest.raises(QprobeError, match="no file of vectors"):
        read_vectors(path)
    with pytest.raises(QprobeError, match="missing: no such file of vectors"):
        read_vectors(tmp_path / "missing")


def test_exported_samples_keep_their_log_probabilities(run: Path):
    with Store(run) as store:
        first = next(store.completions())
        known = replace(first, index=9, tokens=7, logprob=-2.5, least_logprob=-1.0, self_certainty=3.0)
        store.add_completions([known])
        exported = io.BytesIO()
        from harness.stages.export import export_jsonl

        export_jsonl(store, exported)
    rows = {(row["problem"], row["index"]): row for row in map(json.loads, exported.getvalue().splitlines())}
    row = rows[known.problem_id, 9]
    assert [row[name] for name in ("tokens", "logprob", "least_logprob", "self_certainty")] == [7, -2.5, -1.0, 3.0]


def test_equal_samples_share_a_row(run: Path, tmp_path: Path):
    with Store(run) as store:
        first = next(store.completions())
        store.add_completions([replace(first, index=9)])
        (shard,) = store.about.shards
        store.add_vector_rows({shard: {first.id._replace(sample=9): store.vector_rows(shard)[first.id]}})
        rows = export(store, tmp_path / "v.safetensors")
        assert rows == len(store.sample_ids()) - 1
    assert len(load_file(tmp_path / "v.safetensors")[SAMPLES]) == rows


def test_published_vectors_are_of_the_published_samples(tmp_path: Path):
    published = REFERENCE / "qwen-humaneval"
    opened = open_benchmark("humaneval")
    with Store(tmp_path / "run", create=True) as store:
        import_samples(store, opened, published / "samples.jsonl.gz")
        shared = read_vectors(published / "vectors.safetensors")
        assert import_vectors(store, shared) == 0
        assert [str(view) for view in shared.by_view] == ["24/mean"]
        assert not store.count_without_token_scores()
        assert len(set(store.vector_rows(next(iter(store.about.shards))).values())) == len(shared.rows)
