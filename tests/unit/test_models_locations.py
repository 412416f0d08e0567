"""Hidden states inside a layer: attention heads and MLP, held to what the layer itself adds to the residual stream."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from harness.commands.main import app
from harness.errors import ProbeError, QprobeError
from harness.models.engine import View
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.model import Model
from harness.models.sampling import Sampling
from harness.models.tokens import Text
from harness.probes import load_probe
from harness.runs.problem_sets import load_set, refuse_other_vectors
from harness.runs.store import Store
from harness.stages.embed import embed
from harness.stages.probe import probe
from harness.stages.rank import open_reader
from tests.runs import make_run
from tests.tiny_models import save_bloom, save_gpt2, save_mamba

TEXTS = [Text.of("def f(x):\n", f"    return {'x' * n}\n") for n in (1, 4, 2, 7, 3)]


def vectors(spec: str, layer: int, pooling: str = "last") -> np.ndarray:
    embedder = HfEmbedder(spec, layers=str(layer), pooling=pooling, device="cpu")
    read = embedder.embed([embedder.tokenise(text) for text in TEXTS], embedder.views)[:, 0]
    assert read.shape == (len(TEXTS), embedder.width)
    alone = [embedder.embed([embedder.tokenise(text)], embedder.views)[0, 0] for text in TEXTS]
    assert np.allclose(read, alone, atol=1e-5), "a batch, a shared prompt and padding change nothing"
    return read


@pytest.mark.parametrize("pooling", ["last", "prompt", "mean"])
def test_heads_and_mlp_add_up_to_what_a_layer_adds(tiny_llama: Path, pooling: str):
    """h_1 = h_0 + W_o heads_1 + mlp_1, in the last layer too before its norm."""
    model = AutoModelForCausalLM.from_pretrained(tiny_llama).model
    heads, mlp = (vectors(f"hf:{tiny_llama},location={name}", 1, pooling) for name in ("attn", "mlp"))
    before, after = (vectors(f"hf:{tiny_llama}", layer, pooling) for layer in (0, 1))
    with torch.no_grad():
        projected = model.layers[0].self_attn.o_proj(torch.tensor(heads)).numpy()
    assert np.allclose(before + projected + mlp, after, atol=1e-4)
    assert not np.allclose(mlp, 0, atol=1e-4)
    last = [vectors(f"hf:{tiny_llama},location={name}", 2, pooling) for name in ("attn", "mlp")]
    if pooling != "mean":  # a norm of a mean is not the mean of norms
        with torch.no_grad():
            added = model.layers[1].self_attn.o_proj(torch.tensor(last[0])) + torch.tensor(last[1])
            assert np.allclose(
                model.norm(torch.tensor(after) + added), vectors(f"hf:{tiny_llama}", 2, pooling), atol=1e-4
            )


def test_a_model_with_other_names_is_read_too(tmp_path: Path):
    gpt2 = save_gpt2(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(gpt2).transformer
    heads, mlp = (vectors(f"hf:{gpt2},location={name}", 1) for name in ("attn", "mlp"))
    with torch.no_grad():
        projected = model.h[0].attn.c_proj(torch.tensor(heads)).numpy()
    assert np.allclose(vectors(f"hf:{gpt2}", 0) + projected + mlp, vectors(f"hf:{gpt2}", 1), atol=1e-4)


def test_the_width_is_known_without_weights(tmp_path: Path):
    """Heads together may be wider than the residual stream."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from tests.tiny_models import SMALL, tokenizer

    torch.manual_seed(0)
    Qwen3ForCausalLM(Qwen3Config(**SMALL, head_dim=16)).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    assert vectors(f"hf:{tmp_path},location=attn", 2).shape == (5, 64)
    assert vectors(f"hf:{tmp_path},location=mlp", 2).shape == (5, 32)


def test_what_cannot_be_read_is_refused(tiny_llama: Path, tmp_path: Path, minilm: Path):
    with pytest.raises(QprobeError, match="Layer 0 is the embedding and has no --location attn"):
        HfEmbedder(f"hf:{tiny_llama},location=attn", layers="0,1", device="cpu")
    with pytest.raises(QprobeError, match=r"Unknown location 'atn'\. Choose from res, attn, mlp\. Did you mean attn\?"):
        HfEmbedder(f"hf:{tiny_llama},location=atn", device="cpu")
    with pytest.raises(QprobeError, match="is about causal models"):
        HfEmbedder(f"hf:{minilm},location=mlp", device="cpu")
    with pytest.raises(QprobeError, match="leave it out of the model that writes"):
        HfEngine(f"hf:{tiny_llama},location=mlp", Sampling(), device="cpu")
    with pytest.raises(QprobeError, match="--location is about models of transformers"):
        Model("openai:m,url=http://localhost:1/v1").at("mlp")
    for save, location in ((save_bloom, "mlp"), (save_mamba, "attn")):
        folder = save(tmp_path / location)
        with pytest.raises(QprobeError, match=f"--location {location} cannot be read: choose --location res"):
            vectors(f"hf:{folder},location={location}", 1)


def test_states_of_another_location_are_not_captured_for_this_one(tiny_llama: Path):
    engine = HfEngine(f"hf:{tiny_llama}", Sampling(), device="cpu")
    assert not engine.capture(HfEmbedder(f"hf:{tiny_llama},location=mlp", layers="1", device="cpu"))
    assert engine.capture(HfEmbedder(f"hf:{tiny_llama}", layers="1", device="cpu"))


def test_vectors_of_two_locations_do_not_mix(tiny_llama: Path, tmp_path: Path):
    run = make_run(tmp_path / "run", tiny_llama)
    done = CliRunner().invoke(
        app, ["embed", str(run), "--embedder", f"hf:{tiny_llama}", "--layers", "2", "--location", "attn", "-q"]
    )
    assert (done.exit_code, done.exception) == (0, None), done.output
    with Store(run) as store:
        about = store.about
        assert len(about.shards) == 2
        assert about.embeddings[str(about.view)].embedder == f"hf:{tiny_llama},location=attn"
        probe(store, ["mse"], folds=3)
    card = load_probe(run / "probes" / "mse.safetensors").card
    assert (card.model, card.width, card.views) == (f"hf:{tiny_llama},location=attn", 32, (View(2, "last"),))
    reader = open_reader(load_probe(run / "probes" / "mse.safetensors"), f"hf:{tiny_llama}", "cpu")
    assert reader.name == card.model, "the card tells the location where the model has moved"
    other = make_run(tmp_path / "other", tiny_llama, benchmark="b", numbers=range(20, 30), layers="2")
    with pytest.raises(ProbeError, match=r"location=attn, and .* has those of"):
        refuse_other_vectors(load_set(str(run)), load_set(str(other)))
    with Store(run) as store:
        assert embed(store, HfEmbedder(f"hf:{tiny_llama},location=attn", layers="2", device="cpu")).new == 0
