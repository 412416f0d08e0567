"""The logits of models of transformers that classify texts, in batches."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from harness.models.hf.kv_cache import cache_argument, continued


def logits_of(
    model: Any,  # noqa: ANN401 - transformers' or peft's own
    rows: Sequence[Sequence[int]],
    after: DynamicCache | None = None,
) -> Tensor:
    """Return the logits [rows, labels] of token ids, padded on the right; they continue the tokens of `after`.

    These models find a row's last token by the padding's id, so the padding is an id that no row holds.
    """
    longest = max(map(len, rows))
    held = {token for row in rows for token in row}
    filler = next(number for number in count() if number not in held)
    model.config.get_text_config().pad_token_id = filler
    ids_NT = torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], device=model.device)
    seen = 0 if after is None else after.get_seq_length()
    mask_NT = torch.tensor([[1] * (seen + len(row)) + [0] * (longest - len(row)) for row in rows], device=model.device)
    earlier = {} if after is None else {cache_argument(model): continued(after, len(rows))}
    logits: Tensor = model(input_ids=ids_NT, attention_mask=mask_NT, **earlier).logits
    return logits.float()
