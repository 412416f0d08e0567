"""The longest input that an encoder reads, which its configuration does not always tell."""

import json
from collections.abc import Iterator

from harness.models.hf.pretrained import FAILURES, Pretrained

UNLIMITED = 10**7
"""A tokenizer without a limit has one of 10^30."""

SENTENCE_FILE = "sentence_bert_config.json"


def encoder_context(model: Pretrained) -> int | None:
    """Return the longest input of an encoder in tokens, special tokens included; None where there is no limit.

    The least of what its position table, its tokenizer and, for a model of sentence-transformers, its authors allow.
    """
    limits = [model.context, *_position_table(model), _limit(model.tokenizer.model_max_length), _sentence_limit(model)]
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and 0 < value < UNLIMITED else None


def _position_table(model: Pretrained) -> Iterator[int]:
    """Yield the usable positions of tables that count from behind the padding token's number, as RoBERTa's do."""
    import torch
    from transformers import AutoModel

    try:
        with torch.device("meta"):  # shapes alone: no weights are made
            bare = AutoModel.from_config(model.config, trust_remote_code=model.trust_remote_code)  # type: ignore[no-untyped-call]
    except (*FAILURES, RuntimeError, AssertionError):
        return
    for name, module in bare.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            yield len(module.weight) - module.padding_idx - 1


def _sentence_limit(model: Pretrained) -> int | None:
    """Return `max_seq_length` of a model of sentence-transformers."""
    path = model.file(SENTENCE_FILE)
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else None
    except ValueError:
        return None
    return _limit(found.get("max_seq_length")) if isinstance(found, dict) else None
