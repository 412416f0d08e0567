"""A GPU gives the results of a CPU, up to rounding: `pytest -m gpu` on a machine that has one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.models.engine import Request
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.models.tokens import Text
from tests.tiny_models import MAKERS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
PROMPTS = ("def add(a, b):\n", "x", "for x in range(3):\n    print(x")


@pytest.fixture(scope="module", params=["llama", "gpt2", "qwen2", "mistral", "mamba"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))


def test_completions(folder: Path):
    work = [Request(PROMPTS[n % 3], ("e",), 50 + n, greedy=n % 4 == 0) for n in range(12)]
    completions = []
    for device in ("cpu", "cuda"):
        engine = HfEngine(f"hf:{folder},dtype=float32", Sampling(max_new_tokens=24), device=device, batch_size=5)
        drawn = dict(engine.generate(work))
        completions.append([drawn[n] for n in range(12)])
    on_cpu, on_gpu = completions
    assert [completion.token_ids for completion in on_gpu] == [completion.token_ids for completion in on_cpu]
    assert [completion.finish_reason for completion in on_gpu] == [completion.finish_reason for completion in on_cpu]
    assert [completion.logprob for completion in on_gpu] == pytest.approx(
        [completion.logprob for completion in on_cpu], abs=1e-2
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_vectors(folder: Path, dtype: str):
    """In half precision they are near those of single precision."""
    texts = [Text.of(PROMPTS[0], completion, "\ndef") for completion in ("    return a + b", "", "    pass\n" * 9, "x")]
    read = [(dtype, "cuda"), ("float32", "cpu")]
    readers = [
        HfEmbedder(f"hf:{folder},dtype={dtype}", layers="all", pooling="last,mean,prompt,after-stop", device=device)
        for dtype, device in read
    ]
    on_gpu, on_cpu = (reader.embed([reader.tokenise(text) for text in texts], reader.views) for reader in readers)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-3 if dtype == "float32" else 0.1)
