"""Hidden states captured while a model writes: the vectors of a second pass, to rounding."""

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.commands.terminal import Terminal
from harness.models.completion_states import CompletionStates
from harness.models.engine import View
from harness.models.hf.captured import RECENT
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.hf.pooling import Spans, pool
from harness.models.sampling import Sampling
from harness.models.tokens import Tokens
from harness.runs.completion import SampleId
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages import generate as generating
from harness.stages.capture import Capture
from harness.stages.embed import embed
from harness.stages.generate import GenerationPlan, generate, plan
from harness.stages.problems import load_benchmark
from tests.tiny_models import save_gemma2, save_gpt2, save_mamba, save_qwen2

QUIET = Terminal(quiet=True)
POOLINGS = ("last", "mean", "prompt")
MODELS = {"qwen2": save_qwen2, "gpt2": save_gpt2, "gemma2": save_gemma2}


def work(k: int = 5) -> GenerationPlan:
    """Six problems, whose prompts have unlike lengths; completions end at a stop string of one or two tokens."""
    made = plan(load_benchmark("mini", limit=6), k=k, greedy=True)
    return replace(made, problems=[replace(problem, stop=("e", "0 ")) for problem in made.problems])


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"hf:{MODELS[request.param](tmp_path_factory.mktemp(request.param))}"


def read(model: str, pooling: str = "last,mean,prompt", layers: str = "all") -> HfEmbedder:
    return HfEmbedder(model, layers=layers, pooling=pooling, device="cpu")


class Counting(HfEmbedder):
    """Counts the samples that it reads."""

    embedded = 0

    def embed(self, samples, views):  # noqa: ANN001
        """Count, and read."""
        self.embedded += len(samples)
        return super().embed(samples, views)


@pytest.mark.parametrize("rows", [40, 7])
def test_captured_vectors_are_those_of_a_second_pass(model: str, rows: int, tmp_path: Path):
    """Rows that end and are replaced, rows moved together, completions cut for length, and greedy ones."""
    engine = HfEngine(model, Sampling(max_new_tokens=24), batch_size=rows, device="cpu")
    with Store(tmp_path / "run", create=True) as store, Store(tmp_path / "read", create=True) as other:
        generate(store, engine, work(), QUIET, read(model))
        shards = list(store.about.shards)
        captured = store.count_samples() - store.count_without_vectors(shards)
        ends = [completion.finish_reason for completion in store.completions()]
        assert captured > len(ends) // 3, "most that end at a stop string are captured"
        assert captured <= ends.count("stop"), "the last token of those cut for length was never read"
        counting = Counting(model, layers="all", pooling="last,mean,prompt", device="cpu")
        done = embed(store, counting, QUIET)
        assert counting.embedded <= len(ends) - captured, "only what was not captured is read"
        other.add_problems(store.problems())
        other.add_completions(store.completions())
        again = embed(other, read(model), QUIET)
        ids = store.sample_ids()
        for view, vectors in read_views(store, done.view, ids).items():
            np.testing.assert_allclose(vectors, read_views(other, again.view, ids)[view], atol=2e-4, err_msg=str(view))


def test_equal_samples_have_equal_vectors(tmp_path: Path):
    """To the bit, although they were drawn in unlike batches, and in two sittings."""
    model = f"hf:{save_qwen2(tmp_path / 'model')}"
    engine = HfEngine(model, Sampling(temperature=0, max_new_tokens=24), batch_size=7, device="cpu")
    with Store(tmp_path / "run", create=True) as store:
        for k in (2, 5):
            generate(store, engine, work(k), QUIET, read(model))
        (shard,) = store.about.shards
        rows = store.vector_rows(shard)
        assert rows
        for problem in store.problems():
            assert len({row for sample, row in rows.items() if sample.problem_id == problem.id}) <= 1
        done = embed(store, read(model), QUIET)
        for problem in store.problems():
            group = [SampleId(problem.id, index) for index in range(5)]
            for vectors in read_views(store, done.view, group).values():
                assert (vectors == vectors[0]).all()


def test_capture_changes_no_sample(model: str, tmp_path: Path):
    drawn = []
    for name, reader in {"plain": None, "captured": read(model)}.items():
        engine = HfEngine(model, Sampling(max_new_tokens=24), device="cpu")
        with Store(tmp_path / name, create=True) as store:
            generate(store, engine, work(), QUIET, reader)
            drawn.append({completion.id: completion for completion in store.completions()})
    assert drawn[0] == drawn[1]


def test_more_samples_are_captured_into_the_same_file(model: str, tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        for k in (2, 5):
            generate(store, HfEngine(model, Sampling(max_new_tokens=24), device="cpu"), work(k), QUIET, read(model))
        assert len(store.about.shards) == 1
        assert embed(store, read(model), QUIET).reused > 0


@pytest.mark.parametrize("at", [0, 2, 3, 4, 9])
def test_an_interruption_before_vectors_are_written_loses_none(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The last keeping of what was drawn takes no vector that was not written for written."""
    model = f"hf:{save_qwen2(tmp_path / 'model')}"
    engine = HfEngine(model, Sampling(max_new_tokens=24), batch_size=40, device="cpu")
    taken, calls = Capture._vectors, itertools.count()

    def interrupted(self: Capture, *arguments: Any) -> Any:  # noqa: ANN401
        if next(calls) == at:
            raise KeyboardInterrupt
        return taken(self, *arguments)

    with Store(tmp_path / "run", create=True) as store:
        monkeypatch.setattr(generating, "time", SimpleNamespace(monotonic=itertools.count().__next__))
        monkeypatch.setattr(Capture, "_vectors", interrupted)
        with pytest.raises(KeyboardInterrupt):
            generate(store, engine, work(), QUIET, read(model))
        generate(store, engine, work(), QUIET, read(model))
        (shard,) = store.about.shards
        ends = [one.finish_reason for one in store.completions()]
        assert len(store.vector_rows(shard)) > len(ends) // 3
        assert store.count_without_vectors([shard]) == len(ends) - len(store.vector_rows(shard))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_precision_is_that_of_the_embedding(model: str, precision: str, tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        engine = HfEngine(model, Sampling(max_new_tokens=24), device="cpu")
        generate(store, engine, work(), QUIET, read(model), precision)  # type: ignore[arg-type]
        assert embed(store, read(model), QUIET, precision).reused > 0  # type: ignore[arg-type]


def test_what_cannot_be_captured_is_left_to_embed(model: str, tmp_path: Path):
    """Another model, a pooling that reads the token at which the model stops, and a model without slots."""
    engine = HfEngine(model, Sampling(max_new_tokens=8), device="cpu")
    assert not engine.capture(read(f"hf:{save_qwen2(tmp_path / 'other')},dtype=bfloat16"))
    assert not engine.capture(read(model, pooling="last,after-stop"))
    assert engine.capture(read(model, layers="1"))
    mamba = f"hf:{save_mamba(tmp_path / 'mamba')}"
    with Store(tmp_path / "run", create=True) as store:
        generate(store, HfEngine(mamba, Sampling(max_new_tokens=8), device="cpu"), work(2), QUIET, read(mamba))
        assert embed(store, read(mamba), QUIET).reused == 0


@given(
    tokens=st.integers(1, 3 * RECENT),
    before=st.integers(1, 5),
    behind=st.integers(0, 3 * RECENT),
    seed=st.integers(0, 99),
)
@settings(max_examples=200, deadline=None)
def test_vectors_of_states_are_pooled_states(tokens: int, before: int, behind: int, seed: int):
    states_TD = torch.randn(before + tokens, 4, generator=torch.Generator().manual_seed(seed)).numpy()
    written = states_TD[before:, None]
    kept = CompletionStates((3,), states_TD[before - 1 : before], written[-RECENT:], written.sum(0), tokens)
    views = [View(3, pooling) for pooling in POOLINGS]
    end = tokens - behind
    found = kept.vectors(views, end)
    if end < 0 or (end > 0 and behind >= RECENT):
        assert found is None
        return
    sample = Tokens([0] * len(states_TD), before, before + end, before + end, cut=False)
    expected = [pool(torch.tensor(states_TD[None]), Spans.of([sample]), view.pooling)[0].numpy() for view in views]
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert kept.vectors(views, tokens + 1) is None, "a token that was never read"
    assert kept.vectors([replace_pooling(views[0])], end) is None


def replace_pooling(view: View) -> View:
    return view._replace(pooling="after-stop")
