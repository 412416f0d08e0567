"""NaN and infinity in logits and vectors: an error that says what to do, and nothing is stored."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from benchmarks import Problem
from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf.batch_decoding import BatchDecoder
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.embed import embed
from tests.tiny_models import save_gpt2, save_llama, save_mamba

WORK = [Request("def f():\n", (), seed) for seed in range(3)]


def save_broken(folder: Path, save: Callable[[Path], Path], factor: float) -> Path:
    """A model whose last layer writes numbers that are `factor` times as large."""
    model = AutoModelForCausalLM.from_pretrained(save(folder))
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(factor)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("save", [save_llama, save_gpt2, save_mamba])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_logits(tmp_path: Path, save: Callable[[Path], Path], temperature: float, factor: float):
    engine = HfEngine(f"hf:{save_broken(tmp_path, save, factor)}", Sampling(temperature, 1.0, 4), device="cpu")
    with pytest.raises(QprobeError, match=r"logits of hf:.* hold NaN or infinity in float32: its files may be damaged"):
        list(engine.generate(WORK))
    slower = BatchDecoder(engine._weights, "cpu", engine._token_text, engine._end_tokens, engine.sampling, rows=2)
    with pytest.raises(FloatingPointError):
        list(slower.run(engine._jobs(WORK)))


@pytest.mark.parametrize(
    ("dtype", "remedy"),
    [
        ("float16", "give dtype=bfloat16 or dtype=float32 behind its name"),
        ("bfloat16", "give dtype=float32 behind its name"),
    ],
)
def test_half_precision_names_a_wider_one(tmp_path: Path, dtype: str, remedy: str):
    folder = save_broken(tmp_path, save_llama, 1e7 if dtype == "float16" else float("inf"))
    engine = HfEngine(f"hf:{folder},dtype={dtype}", Sampling(max_new_tokens=4), device="cpu")
    with pytest.raises(QprobeError, match=f"in {dtype}: {remedy}"):
        list(engine.generate(WORK))
    if dtype == "float16":
        wider = HfEngine(f"hf:{folder},dtype=bfloat16", Sampling(max_new_tokens=4), device="cpu")
        assert len(dict(wider.generate(WORK))) == 3


def test_a_row_that_overflows_midway_is_not_kept(tmp_path: Path):
    """Samples that ended before it are."""
    model = AutoModelForCausalLM.from_pretrained(save_llama(tmp_path))
    engine = HfEngine(f"hf:{tmp_path}", Sampling(0.0, 1.0, 3), device="cpu")
    ((_, done),) = engine.generate([Request("x", (), 0)])
    model.get_input_embeddings().weight.data[done.token_ids[1]] = float("nan")
    model.save_pretrained(tmp_path)
    broken = HfEngine(f"hf:{tmp_path}", Sampling(0.0, 1.0, 2), device="cpu")
    assert len(dict(broken.generate([Request("x", (), 0)]))) == 1, "the token is drawn, and not read"
    longer = HfEngine(f"hf:{tmp_path}", Sampling(0.0, 1.0, 3), device="cpu")
    with pytest.raises(QprobeError, match="NaN or infinity"):
        list(longer.generate([Request("x", (), 0)]))


def test_vectors_are_not_stored(tmp_path: Path):
    store = Store(tmp_path / "run", create=True)
    store.add_problems([Problem("T/0", "def f():\n", "f", "assert True")])
    store.add_completions([Completion("T/0", 0, "def f():\n", "", "def f():\n    return 1\n")])
    folder = save_broken(tmp_path / "model", save_llama, float("nan"))
    embedder = HfEmbedder(f"hf:{folder}", layers="0", device="cpu")
    with pytest.raises(QprobeError, match=r"hidden states of hf:.* hold NaN or infinity in float32"):
        embed(store, embedder)
    assert not list(store.folder.rglob("*.f32"))
