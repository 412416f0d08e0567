"""Weights in several files, spread over devices, rounded to 8 and 4 bits, and broken."""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf import pretrained
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.hf.pretrained import open_pretrained
from harness.models.sampling import Sampling
from harness.models.tokens import Text
from harness.models.vectors import Vectors
from tests.tiny_models import save_llama

WORK = [Request("def f():\n", ("q",), seed) for seed in range(4)]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("wide"), width=256)


def drawn(spec: str) -> tuple[HfEngine, list[tuple[int, ...]]]:
    engine = HfEngine(spec, Sampling(max_new_tokens=12), device="cpu")
    engine.check(WORK)
    completions = dict(engine.generate(WORK))
    return engine, [completions[at].token_ids for at in range(len(WORK))]


def read(spec: str) -> Vectors:
    embedder = HfEmbedder(spec, layers="all", pooling="last,mean", device="cpu")
    texts = [Text.of("def add(a, b):\n", completion, "") for completion in ("    return a + b", "    pass\n" * 5)]
    return embedder.embed([embedder.tokenise(text) for text in texts], embedder.views)


@pytest.mark.parametrize("placed", ["", ",device_map=auto", ",device_map=cpu"])
def test_a_model_in_several_files(wide: Path, tmp_path: Path, placed: str):
    """Placed by accelerate or by us, it draws and reads as the model in one file."""
    pytest.importorskip("accelerate")
    folder = Path(shutil.copytree(wide, tmp_path / "sharded"))
    (folder / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(wide).save_pretrained(folder, max_shard_size="1MB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    assert drawn(f"hf:{folder}{placed}")[1] == drawn(f"hf:{wide}")[1]
    np.testing.assert_array_equal(read(f"hf:{folder}{placed}"), read(f"hf:{wide}"))


@pytest.mark.parametrize(("quantize", "layer", "least"), [("8bit", "Linear8bitLt", 0.999), ("4bit", "Linear4bit", 0.9)])
def test_rounded_weights(wide: Path, quantize: str, layer: str, least: float):
    """Their vectors are near those of the full weights; a run tells the two apart."""
    pytest.importorskip("bitsandbytes")
    engine, ids = drawn(f"hf:{wide},quantize={quantize}")
    assert all(1 <= len(sequence) <= 12 for sequence in ids)
    assert layer in {type(module).__name__ for module in engine._weights.modules()}
    assert "rounding" in engine.caveat
    assert engine.identity["fingerprint"] != open_pretrained(f"hf:{wide}").fingerprint
    rounded, whole = read(f"hf:{wide},quantize={quantize}"), read(f"hf:{wide}")
    assert np.corrcoef(rounded.ravel(), whole.ravel())[0, 1] > least
    assert not np.array_equal(rounded, whole)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("quantize=4bit", "quantize= needs accelerate and bitsandbytes: pip install accelerate bitsandbytes."),
        ("device_map=auto", "device_map= needs accelerate: pip install accelerate."),
    ],
)
def test_a_package_that_is_not_there(wide: Path, monkeypatch: pytest.MonkeyPatch, option: str, says: str):
    """Said before anything large is read."""
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(QprobeError) as caught:
        HfEngine(f"hf:{wide},{option}", Sampling()).check(WORK)
    assert str(caught.value) == says


def test_a_map_that_is_none(wide: Path):
    pytest.importorskip("accelerate")
    with pytest.raises(QprobeError, match=r"Unknown device 'everywhere' on this machine. Choose from auto, balanced"):
        drawn(f"hf:{wide},device_map=everywhere")


OUT_OF_REACH = """
from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling

engine = HfEngine("hf:own/tiny", Sampling(max_new_tokens=4), device="cpu")
print(len(dict(engine.generate([Request("x", (), 1)]))), engine.identity["fingerprint"])
try:
    HfEngine("hf:own/other", Sampling())
except QprobeError as error:
    print(error)
"""


def test_a_hub_that_is_out_of_reach(wide: Path, tmp_path: Path):
    """Models that the hub's client has cached are used; for others there is one sentence."""
    cached = tmp_path / "hub" / "models--own--tiny"
    shutil.copytree(wide, cached / "snapshots" / ("a" * 40))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("a" * 40)
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    env.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run([sys.executable, "-c", OUT_OF_REACH], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"1 {'a' * 40}",
        "own/other is not on this machine, and the hub does not answer.",
    ]


def test_no_home_folder(monkeypatch: pytest.MonkeyPatch):
    """A user that has none must say where models are kept; a folder named ~ is not made."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", "~/.cache/huggingface/hub")
    with pytest.raises(QprobeError, match="set the environment variable HF_HOME to a folder"):
        open_pretrained("hf:own/tiny").check()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def leave_out(path: Path, name: str) -> None:
    """transformers would make the tensor up, and say so in a warning."""
    tensors = load_file(path)
    del tensors[name]
    save_file(tensors, path, {"format": "pt"})


BROKEN: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "unknown kind": lambda folder: (folder / "config.json").write_text('{"model_type": "nonsense"}'),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").write_text('{"version": "1.0"}'),
    "cut tokenizer": lambda folder: cut(folder / "tokenizer.json"),
    "cut weights": lambda folder: cut(folder / "model.safetensors"),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "a tensor less": lambda folder: leave_out(folder / "model.safetensors", "model.layers.1.mlp.up_proj.weight"),
    "other weights": lambda folder: shutil.copy(save_llama(folder / "other", width=64) / "model.safetensors", folder),
}


@pytest.mark.parametrize("change", BROKEN)
@pytest.mark.parametrize("scheme", ["engine", "embedder"])
def test_a_broken_model_is_one_sentence_and_nothing_beside_it(
    wide: Path, tmp_path: Path, change: str, scheme: str, capfd: pytest.CaptureFixture[str]
):
    """No warning, progress bar or traceback of a library stands on standard error next to it."""
    folder = Path(shutil.copytree(wide, tmp_path / "model"))
    BROKEN[change](folder)
    use = drawn if scheme == "engine" else read
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(QprobeError) as caught:
            use(f"hf:{folder}")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
