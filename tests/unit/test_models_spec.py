"""Names of models, their options and devices; adapters; chat templates."""

import json
import shutil
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.hf.pretrained import open_pretrained
from harness.models.registry import ENGINES, open_engine
from harness.models.sampling import Sampling
from harness.models.spec import Spec, parse_spec
from tests.tiny_models import save_llama


def test_a_spec_is_taken_apart():
    assert parse_spec("hf:a/b") == Spec("hf", "a/b")
    options = {"url": "http://h:8000/v1", "n": "4"}
    assert parse_spec("openai:m,url=http://h:8000/v1,n=4", tuple(ENGINES)) == Spec("openai", "m", options)
    assert parse_spec("hf:dir/a,b,dtype=float16") == Spec("hf", "dir/a,b", {"dtype": "float16"})


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("gpt2", "is not the name of a model: write hf:FOLDER"),
        ("hf:", "is not the name of a model"),
        ("hf:dtype=float16", "is not the name of a model"),
        (
            "openia:gpt",
            "Unknown scheme 'openia' in 'openia:gpt'. Choose from hf, openai, vllm. Did you mean openai:gpt?",
        ),
        ("ollama:x", "Unknown scheme 'ollama' in 'ollama:x'. Choose from hf, openai, vllm."),
        ("hf:x,dtpye=float16", "Unknown option 'dtpye' of hf. Choose from"),
        ("hf:x,dtype=int3", "Unknown value dtype=int3. Choose from auto, float32, bfloat16, float16"),
        ("hf:x,quantize=2bit", "Unknown value quantize=2bit. Choose from 8bit, 4bit"),
        ("vllm:x.gguf", "vllm: takes no .gguf file: write hf: instead of vllm:, or name a folder."),
        ("vllm:x,attn_implementation=eager", "Unknown option 'attn_implementation' of vllm. Choose from revision"),
        ("openai:x,attn_implementation=eager", "Unknown option 'attn_implementation' of openai. Choose from url"),
        ("hf:x,trust_remote_code=yes", "Unknown value trust_remote_code=yes. Choose from true, false"),
    ],
)
def test_a_wrong_spec_is_refused_in_a_sentence(spec: str, says: str):
    with pytest.raises(QprobeError) as caught:
        open_engine(spec, Sampling())
    assert says in str(caught.value)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed")
def test_vllm_where_it_is_not_installed():
    with pytest.raises(QprobeError, match=r"^vllm: models need the package vllm: pip install vllm, or write hf: "):
        open_engine("vllm:x", Sampling())


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed")
def test_vllm_that_cannot_be_imported(tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package that was compiled for another torch."""
    (tmp_path / "vllm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    engine = open_engine(f"vllm:{tiny_llama}", Sampling())
    with pytest.raises(QprobeError, match=r"vLLM cannot load .*: operator torchvision::nms does not exist"):
        list(engine.generate([Request("x", (), 1)]))


def test_code_that_comes_with_a_model_runs_only_when_asked(tmp_path: Path):
    """A configuration class in the folder: refused, and the file does not run, until trust_remote_code=true."""
    folder = save_llama(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(
        f"from pathlib import Path\nfrom transformers import LlamaConfig\nPath({str(tmp_path / 'ran')!r}).touch()\n"
        "class Mine(LlamaConfig):\n    model_type = 'mine'\n"
    )
    with pytest.raises(QprobeError, match="configuration of"):
        open_pretrained(f"hf:{folder}").check()
    assert not (tmp_path / "ran").exists()
    assert open_pretrained(f"hf:{folder},trust_remote_code=true").config.num_hidden_layers == 2
    assert (tmp_path / "ran").exists()


def test_the_dtype_is_the_one_asked_for(tiny_llama: Path):
    engine = HfEngine(f"hf:{tiny_llama},dtype=bfloat16", Sampling(max_new_tokens=4), device="cpu")
    assert engine._weights.dtype == torch.bfloat16
    assert "rounding" in engine.caveat
    assert len(dict(engine.generate([Request("x", (), i) for i in range(3)]))) == 3
    plain = HfEngine(f"hf:{tiny_llama}", Sampling(max_new_tokens=4), device="cpu")
    assert plain.caveat == ""
    assert plain.identity["fingerprint"] != engine.identity["fingerprint"]


def test_chat(tmp_path: Path, tiny_llama: Path):
    request = Request("add two", (), 1, chat=True)
    with pytest.raises(QprobeError, match="has no chat template"):
        HfEngine(f"hf:{tiny_llama}", Sampling(max_new_tokens=4)).check([request])
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "chat"))
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<bot>{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(template)
    engine = HfEngine(f"hf:{folder}", Sampling(max_new_tokens=4), device="cpu")
    assert engine.prompt_text(request) == "<user>add two<bot>"
    assert dict(engine.generate([request])) == dict(engine.generate([Request("<user>add two<bot>", (), 1)]))


def test_a_template_with_the_date_is_the_same_on_every_day(tmp_path: Path, tiny_llama: Path):
    """A day that is chosen, or one that never changes; samples of different days do not mix."""
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "dated"))
    (folder / "chat_template.jinja").write_text(
        "{{ strftime_now('%d %b %Y, %H:%M') }}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    request = Request(" add two", (), 1, chat=True)
    usual = HfEngine(f"hf:{folder}", Sampling(max_new_tokens=4), device="cpu")
    assert usual.prompt_text(request) == "01 Jan 2025, 12:00 add two"
    other = HfEngine(f"hf:{folder},date=2031-07-04", Sampling(max_new_tokens=4), device="cpu")
    assert other.prompt_text(request) == "04 Jul 2031, 12:00 add two"
    assert (usual.identity["date"], other.identity["date"]) == ("2025-01-01", "2031-07-04")
    plain = HfEngine(f"hf:{tiny_llama},date=2031-07-04", Sampling(max_new_tokens=4), device="cpu")
    assert "date" not in plain.identity
    from transformers.utils import chat_template_utils

    assert chat_template_utils.datetime is datetime, "their clock is back"
    with pytest.raises(QprobeError, match="date=tomorrow is not a date: write it like date=2025-01-01"):
        HfEngine(f"hf:{folder},date=tomorrow", Sampling())


@pytest.mark.parametrize("cards", [0, 2])
@pytest.mark.parametrize("option", ["device", "device_map"])
def test_a_device_that_is_not_here(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, option: str, cards: int):
    """The error comes before weights are read, and lists the devices."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: cards > 0)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: cards)
    monkeypatch.setattr("harness.models.hf.pretrained.find_spec", lambda _: True)
    here = ["cpu", *(["cuda", "cuda:0", "cuda:1"] if cards else [])]
    for name in (
        "cuda:7",
        "mps",
        "xpu:0",
        "gpu",
        "cuda:x",
        "meta",
        "vulkan",
        "",
        "cpu:3",
        *(["cuda"] if not cards else []),
    ):
        with pytest.raises(QprobeError, match=f"Unknown device '{name}' on this machine.*{', '.join(here)}") as caught:
            open_pretrained(f"hf:{tiny_llama},{option}={name}").check()
        assert ("built for CPUs" in str(caught.value)) == (name.startswith("cuda") and torch.version.cuda is None)
    for name in (*here, "auto", *(["balanced"] if option == "device_map" else [])):
        open_pretrained(f"hf:{tiny_llama},{option}={name}").check()


def test_a_home_folder_is_found_behind_a_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = save_llama(tmp_path / "model")
    shutil.copytree(adapter, tmp_path / "adapter")
    model = open_pretrained("hf:~/model,adapter=~/adapter")
    model.check()
    assert (model.name, model.adapter) == (str(folder), str(tmp_path / "adapter"))
    with pytest.raises(QprobeError, match=f"There is no folder {tmp_path}/absent"):
        open_pretrained("hf:~/absent").check()
    with pytest.raises(QprobeError, match="There is no folder ~no-such-user/x"):
        open_pretrained("hf:~no-such-user/x").check()


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter with weights that change what the tiny Llama says."""
    peft = pytest.importorskip("peft", reason="peft is not installed")
    from transformers import AutoModelForCausalLM

    base = save_llama(tmp_path_factory.mktemp("base"))
    torch.manual_seed(1)
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj", "up_proj"], r=4, init_lora_weights=False)
    folder = tmp_path_factory.mktemp("adapter")
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def test_an_adapter_changes_what_is_drawn_and_read(adapter: Path, tiny_llama: Path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    work = [Request("x", (), i) for i in range(3)]
    bare = HfEngine(f"hf:{tiny_llama}", Sampling(max_new_tokens=8), device="cpu")
    adapted = HfEngine(f"hf:{tiny_llama},adapter={adapter}", Sampling(max_new_tokens=8), device="cpu")
    drawn = dict(adapted.generate(work))
    assert drawn != dict(bare.generate(work))
    assert bare.identity["fingerprint"] != adapted.identity["fingerprint"]
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llama), str(adapter)).eval()
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        assert torch.allclose(adapted._weights(ids).logits, theirs(ids).logits, atol=1e-4)
        states = theirs(ids, output_hidden_states=True).hidden_states
        read = HfEmbedder(f"hf:{tiny_llama},adapter={adapter}", device="cpu")._weights(ids, output_hidden_states=True)
    assert torch.allclose(read.hidden_states[-1], states[-1], atol=1e-4)


def test_an_adapter_of_another_model_is_refused(adapter: Path, tmp_path: Path):
    for folder, change in [("wide", {"width": 64}), ("flat", {"layers": 1})]:
        other = save_llama(tmp_path / folder, **change)
        with pytest.raises(QprobeError, match="belongs to another model: its base is"):
            HfEngine(f"hf:{other},adapter={adapter}", Sampling())
    deep = HfEngine(f"hf:{save_llama(tmp_path / 'deep', layers=3)},adapter={adapter}", Sampling(), device="cpu")
    with pytest.raises(QprobeError, match="belongs to another model"):
        list(deep.generate([Request("x", (), 0)]))
    with pytest.raises(QprobeError, match="holds no adapter"):
        HfEngine(f"hf:{tmp_path / 'deep'},adapter={tmp_path}", Sampling())
