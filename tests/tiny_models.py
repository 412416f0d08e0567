"""Small real models, made with random weights: the same architectures and files as large ones."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    BloomConfig,
    BloomForCausalLM,
    Data2VecTextModel,
    DebertaV2Model,
    DistilBertModel,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GptOssConfig,
    GptOssForCausalLM,
    IBertModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MPNetModel,
    NystromformerModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaModel,
    XLNetModel,
)

TEXT = ['def add(a, b):\n    """Return the sum."""\n    return a + b\n', "for x in range(10):\n    print(x)\n"]

SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
"""The sizes of a decoder with grouped-query attention."""


def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of about 300 tokens: any text goes in and comes out."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["<eos>", "<pad>"])
    bpe.train_from_iterator(TEXT, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<eos>", pad_token="<pad>")


def blank_tokenizer() -> PreTrainedTokenizerFast:
    """One that puts a blank before every text and drops it again when it decodes, as that of Llama 2 does."""
    letters = sorted(set("".join(TEXT).replace(" ", "▁")) - {"\n"})
    merges = [("▁", "▁"), ("▁▁", "▁▁"), ("r", "e"), ("re", "t"), ("d", "e"), ("a", "d")]
    names = ["<unk>", "<eos>", "<pad>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *map("".join, merges)]
    vocabulary = {name: number for number, name in enumerate(names)}
    made = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")


def _save(folder: Path, model: PreTrainedModel) -> Path:
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_llama(folder: Path, *, layers: int = 2, width: int = 32, context: int = 512) -> Path:
    """A Llama with grouped-query attention."""
    torch.manual_seed(0)
    config = LlamaConfig(
        **{**SMALL, "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers},
        max_position_embeddings=context,
        eos_token_id=0,
        pad_token_id=1,
        bos_token_id=None,
    )
    return _save(folder, LlamaForCausalLM(config))


def save_teachable_llama(folder: Path) -> Path:
    """A Llama whose head is large enough for an adapter below it to decide what is written."""
    model = LlamaForCausalLM.from_pretrained(save_llama(folder))
    with torch.no_grad():
        model.lm_head.weight.mul_(30)
    model.save_pretrained(folder)
    return folder


def save_gpt2(folder: Path) -> Path:
    """A GPT-2: learned absolute positions, no pad token."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=512, eos_token_id=0, bos_token_id=0)
    return _save(folder, GPT2LMHeadModel(config))


def save_qwen2(folder: Path) -> Path:
    """A Qwen2."""
    torch.manual_seed(0)
    config = Qwen2Config(
        **SMALL,
        eos_token_id=0,
        pad_token_id=1,
        bos_token_id=None,
    )
    return _save(folder, Qwen2ForCausalLM(config))


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.layers": "blk",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.norm": "output_norm",
    "lm_head": "output",
}
"""Part of a tensor's name in transformers -> in llama.cpp."""


def save_gguf(file: Path, folder: Path) -> Path:
    """The Qwen2 of a folder as a GGUF file, matrices in 8 bits. Needs the package gguf."""
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    model = Qwen2ForCausalLM.from_pretrained(folder)
    config, words = model.config, tokenizer()
    writer = GGUFWriter(file, "qwen2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    saved = json.loads(words.backend_tokenizer.to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    names = sorted(saved["vocab"], key=saved["vocab"].get)
    writer.add_token_list(names)
    writer.add_token_types([3 if name in ("<eos>", "<pad>") else 1 for name in names])  # 3: a control token
    writer.add_token_merges([" ".join(pair) for pair in saved["merges"]])
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(1)
    writer.add_chat_template("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    for name, tensor in model.state_dict().items():
        for theirs, llama in GGUF_NAMES.items():
            name = name.replace(theirs, llama)
        if tensor.ndim == 2:
            kind = GGMLQuantizationType.Q8_0
            writer.add_tensor(name, quants.quantize(tensor.numpy(), kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def save_mistral(folder: Path, *, window: int = 8) -> Path:
    """A Mistral whose attention reaches `window` tokens back."""
    torch.manual_seed(0)
    config = MistralConfig(
        **SMALL,
        sliding_window=window,
        max_position_embeddings=512,
        eos_token_id=0,
        bos_token_id=None,
    )
    return _save(folder, MistralForCausalLM(config))


def save_gemma2(folder: Path) -> Path:
    """A Gemma 2: every other layer reaches 8 tokens back, and scores of attention are capped."""
    torch.manual_seed(0)
    config = Gemma2Config(
        **SMALL,
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=8,
        attn_logit_softcapping=1.0,
        max_position_embeddings=512,
        eos_token_id=0,
        bos_token_id=None,
    )
    return _save(folder, Gemma2ForCausalLM(config))


def save_gpt_oss(folder: Path) -> Path:
    """A gpt-oss: heads may look nowhere, every other layer reaches 8 tokens back."""
    torch.manual_seed(0)
    config = GptOssConfig(
        **{**SMALL, "intermediate_size": 32},
        head_dim=8,
        num_local_experts=2,
        num_experts_per_tok=1,
        sliding_window=8,
        max_position_embeddings=512,
        eos_token_id=0,
        pad_token_id=1,
    )
    return _save(folder, GptOssForCausalLM(config))


def save_bloom(folder: Path) -> Path:
    """A Bloom: its own kind of attention, with a bias for distance instead of positions."""
    torch.manual_seed(0)
    config = BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4, eos_token_id=0, pad_token_id=1)
    return _save(folder, BloomForCausalLM(config))


def save_mamba(folder: Path) -> Path:
    """A state-space model: no keys and values, and no padding."""
    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=300,
        hidden_size=32,
        state_size=4,
        num_hidden_layers=2,
        eos_token_id=0,
        bos_token_id=0,
        pad_token_id=1,
    )
    return _save(folder, MambaForCausalLM(config))


def save_bert(folder: Path) -> Path:
    """An encoder."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    return _save(folder, BertModel(config))


def save_qwen3(folder: Path) -> Path:
    """A Qwen3: normalised queries and keys, heads whose width is set apart from the model's."""
    torch.manual_seed(0)
    config = Qwen3Config(
        **SMALL,
        head_dim=16,
        eos_token_id=0,
        pad_token_id=1,
        bos_token_id=None,
    )
    return _save(folder, Qwen3ForCausalLM(config))


def save_writer(folder: Path, tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> Path:
    """A GPT-2 that continues the prompt "x" by these tokens and no others."""
    first = len(tokenizer("x").input_ids) - 1
    places, vocabulary = 64, len(tokenizer)
    config = GPT2Config(
        vocab_size=vocabulary,
        n_embd=places,
        n_layer=1,
        n_head=1,
        n_positions=places,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = GPT2LMHeadModel(config)
    for name, parameter in model.named_parameters():
        parameter.data.fill_(float("ln_" in name and name.endswith("weight")))
    model.transformer.wpe.weight.data = torch.eye(places)  # what is written depends on the position alone
    for place, token in enumerate(ids, start=first):
        model.lm_head.weight.data[token, place] = 10.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


BERT_SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
RELATIVE = {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"]}

ENCODERS: dict[str, tuple[type[PreTrainedModel], dict[str, Any]]] = {
    "bert": (BertModel, BERT_SIZES),
    "roberta": (RobertaModel, BERT_SIZES),
    "mpnet": (MPNetModel, BERT_SIZES),
    "ibert": (IBertModel, BERT_SIZES),
    "data2vec-text": (Data2VecTextModel, BERT_SIZES),
    "nystromformer": (NystromformerModel, BERT_SIZES),
    "deberta-v2": (DebertaV2Model, {**BERT_SIZES, **RELATIVE}),
    "distilbert": (DistilBertModel, {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}),
    "xlnet": (XLNetModel, {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}),
}
"""Encoders whose positions are limited in different ways, with their sizes."""


def save_encoder(folder: Path, kind: str, *, positions: int = 66, limit: int | None = None) -> Path:
    """An encoder with a position table of this size, if it has one, and a tokenizer with a limit or without."""
    torch.manual_seed(0)
    model, sizes = ENCODERS[kind]
    table = {} if kind == "xlnet" else {"max_position_embeddings": positions}
    model(model.config_class(vocab_size=300, pad_token_id=1, **sizes, **table)).save_pretrained(folder)
    words = tokenizer()
    words.model_max_length = limit or words.model_max_length
    words.save_pretrained(folder)
    return folder


MAKERS = {
    "llama": save_llama,
    "gpt2": save_gpt2,
    "qwen2": save_qwen2,
    "qwen3": save_qwen3,
    "mistral": save_mistral,
    "mamba": save_mamba,
    "bert": save_bert,
}
"""Architecture -> what saves a small one into a folder."""
