"""A Llama with random weights and a tokenizer that has learnt from HumanEval: time and memory depend on sizes alone."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.registry import open_benchmark

VOCABULARY = 8000


def save_random_model(
    folder: Path, layers: int, width: int, *, inner: int | None = None, head_width: int | None = None, ends: int = 1
) -> Path:
    """Save a model of this size into a folder; its first `ends` tokens end a text.

    `inner` is the width between a layer's two maps, four times the width where it is not given; `head_width` that of
    each of its eight heads. Random weights draw each token about as often as any other, so that a completion has
    VOCABULARY / `ends` tokens on average.
    """
    _save_tokenizer(folder)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=inner or 4 * width,
        num_hidden_layers=layers,
        num_attention_heads=8,
        head_dim=head_width or width // 8,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=list(range(ends)),
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _save_tokenizer(folder: Path) -> None:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<eos>"]
    )
    bpe.train_from_iterator([problem.solution for problem in open_benchmark("humaneval").problems()], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<eos>", pad_token="<eos>")  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
