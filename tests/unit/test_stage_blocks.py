"""Blocks and shards: runs that were interrupted, or made in parts, equal one that was not, to the last bit."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import Problem
from benchmarks.jsonl import JsonlBenchmark
from harness.errors import QprobeError
from harness.models.engine import Generated, Request, Sampling
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.progress import SILENT
from harness.runs.blocks import blocks
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages.embed import embed
from harness.stages.generate import generate, plan
from harness.stages.merge import merge
from harness.stages.options import GenerateOptions
from harness.stages.problems import PART, Problems
from harness.stages.shards import read_shard, shard_of
from sandbox import Outcome, Status

BLOCK, K, COUNT = 6, 3, 9


class Interrupting(HfEngine):
    """The usual engine, which fails after so many completions, as a killed process would end."""

    left = 10**9

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        for one in super().generate(requests):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            yield one


@pytest.fixture(scope="module")
def problems() -> Problems:
    words = ("apple river", "stone", "cloud tiger lemon", "piano")
    chosen = [
        Problem(f"P/{n}", f"def f{n}():\n    '''{words[n % 4]} {n}'''\n", f"f{n}", f"assert f{n}()", stop=("\n\n",))
        for n in range(COUNT)
    ]
    benchmark = JsonlBenchmark(Path("own.jsonl"))
    benchmark.problems = lambda: chosen  # type: ignore[method-assign] # no file is needed
    return Problems(benchmark, tuple(chosen))


@pytest.fixture(scope="module")
def engine(tiny_llama: Path) -> Interrupting:
    return Interrupting(f"hf:{tiny_llama}", Sampling(max_new_tokens=12), device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def reader(tiny_llama: Path) -> HfEmbedder:
    return HfEmbedder(f"hf:{tiny_llama}", layers="1,2", device="cpu")


def draw(store: Store, problems: Problems, engine: Interrupting, reader: HfEmbedder, left: int = 10**9) -> int:
    engine.left = left
    store.settle(PART, problems.part)
    return generate(store, engine, plan(problems, k=K, block=BLOCK), SILENT, reader)


def verdicts(store: Store) -> None:
    """Judge by the text, without a sandbox."""
    passes = {c.id: Outcome(Status.PASSED if len(c.text) % 2 else Status.FAILED) for c in store.completions()}
    store.note("grading", "g")
    store.add_verdicts("g", passes)
    store.note("grader", "g")


def contents(store: Store, reader: HfEmbedder) -> tuple[list[object], list[bytes]]:
    """Everything that a report is computed from, with each vector's bytes."""
    view = embed(store, reader).view
    ids = store.sample_ids()
    vectors = read_views(store, view, ids)
    rows = [store.problems(), list(store.completions()), store.verdicts("g")]
    return rows, [np.ascontiguousarray(vectors[key]).tobytes() for key in sorted(vectors)]


@pytest.fixture(scope="module")
def alone(problems: Problems, engine: Interrupting, reader: HfEmbedder, tmp_path_factory: pytest.TempPathFactory):
    with Store(tmp_path_factory.mktemp("alone") / "run", create=True) as store:
        draw(store, problems, engine, reader)
        captured = store.counts()["vectors"]
        verdicts(store)
        assert captured > 0
        return contents(store, reader)


def test_blocks_are_whole_problems():
    assert list(blocks("abcde", [3, 3, 3, 3, 3], 6)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(blocks("abc", [1, 9, 1], 2)) == [["a", "b"], ["c"]]
    assert list(blocks("", [], 2)) == []


@pytest.mark.parametrize("stops", [[1], [7], [13, 2, 9]])
def test_an_interrupted_run_equals_one_that_was_not(
    stops: list[int], alone: object, problems: Problems, engine: Interrupting, reader: HfEmbedder, tmp_path: Path
):
    for left in stops:
        with Store(tmp_path / "run", create=True) as store:
            with pytest.raises(KeyboardInterrupt):
                draw(store, problems, engine, reader, left)
            assert store.count_samples() % (2 * K) == 0, "whole blocks of two problems"
    with Store(tmp_path / "run") as store:
        draw(store, problems, engine, reader)
        verdicts(store)
        assert contents(store, reader) == alone


def test_a_block_is_kept_with_its_vectors_or_not_at_all(
    problems: Problems, engine: Interrupting, reader: HfEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with Store(tmp_path / "run", create=True) as store:
        monkeypatch.setattr(store, "add_vector_rows", lambda rows: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="full"):
            draw(store, problems, engine, reader)
        assert store.counts() == {"completions": 0, "verdicts": 0, "vectors": 0}


def shards(problems: Problems, engine: Interrupting, reader: HfEmbedder, folder: Path, of: int) -> list[Path]:
    folders = []
    for part in range(1, of + 1):
        options = GenerateOptions(benchmark="own", model="hf:x", k=K, block=BLOCK, shard=f"{part}/{of}")
        folders.append(folder / f"shard-{part}")
        with Store(folders[-1], create=True) as store:
            draw(store, shard_of(problems, options), engine, reader)
            verdicts(store)
            embed(store, reader)
    return folders


@pytest.mark.parametrize("of", [1, 2, 5])
def test_merged_shards_equal_one_run(
    of: int, alone: object, problems: Problems, engine: Interrupting, reader: HfEmbedder, tmp_path: Path
):
    folders = shards(problems, engine, reader, tmp_path, of)
    parts = [Store(folder, read_only=True) for folder in reversed(folders)]
    with Store(tmp_path / "whole", create=True) as store:
        assert merge(store, parts) == COUNT * K
        assert draw(store, problems, engine, reader) == 0, "nothing is left to draw"
        assert contents(store, reader) == alone
        assert merge(store, parts) == COUNT * K, "a second time changes nothing"
    for part in parts:
        part.close()


def test_shards_that_do_not_fit_are_refused(
    problems: Problems, engine: Interrupting, reader: HfEmbedder, tmp_path: Path
):
    one, two, three = shards(problems, engine, reader, tmp_path, 3)
    with Store(two) as store:
        store.note("grader", "another")

    def refused(folders: Sequence[Path], says: str) -> None:
        stores = [Store(folder, read_only=True) for folder in folders]
        with Store(tmp_path / "whole", create=True) as whole, pytest.raises(QprobeError, match=says):
            merge(whole, stores)
        for store in stores:
            store.close()

    refused([one, three], "Without shard 2 of 3, .* would not be whole: name all")
    refused([one, one, three], "are both shard 1/3: name one of them")
    refused([one, two, three], "does not fit the other shards. .* was made with grader ")
    with Store(tmp_path / "plain", create=True) as store:
        draw(store, problems, engine, reader)
    refused([tmp_path / "plain"], "is no shard: make shards with")
    with pytest.raises(QprobeError, match="was made with shard "), Store(one) as store:
        draw(store, problems, engine, reader)


@pytest.mark.parametrize("text", ["0/4", "5/4", "a/b", "1", "1/0", "-1/2"])
def test_what_is_no_shard_is_refused(text: str):
    with pytest.raises(QprobeError, match="is no part: write --shard 3/16"):
        read_shard(text)


def test_a_shard_without_problems_is_refused(problems: Problems):
    options = GenerateOptions(benchmark="own", model="hf:x", k=K, block=BLOCK, shard="6/6")
    with pytest.raises(QprobeError, match="9 problems are 5 blocks of 6 samples"):
        shard_of(problems, options)
