"""Hidden states of chosen layers, handed over while the model runs and dropped as soon as they were looked at.

Asking transformers for `output_hidden_states` keeps every layer's states of every token; here there is never more
than one layer's. Hidden state i is what layer i + 1 reads, so a hook before that layer sees it, and what comes after
the last state that is wanted is not computed at all.
"""

import inspect
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from harness.errors import QprobeError

Take = Callable[[int, Tensor], None]
"""take(layer, states [rows, tokens, width])."""


class _Enough(Exception):  # noqa: N818 - not an error: the pass has given what was asked for
    """Every wanted layer was seen."""


class HiddenStates:
    """A model without a head, run for the hidden states of some layers."""

    def __init__(self, model: Any, depth: int) -> None:  # noqa: ANN401 - transformers' own
        self._model = model
        self._blocks = _blocks(model, depth)
        self._accepted = set(inspect.signature(model.forward).parameters)
        # The argument for keys and values of earlier tokens; its name differs between releases of transformers.
        self._cache_name = next((name for name in ("cache", "past_key_values") if name in self._accepted), "")
        self.can_continue = bool(self._cache_name) and not getattr(model, "_is_stateful", False)
        """Whether the model can go on from a prompt's keys and values: attention can, a recurrent state is its own."""
        self._turned: bool | None = None  # whether states are [tokens, rows, width] inside; None until it is seen

    def run(self, layers: Sequence[int], take: Take, ids_NT: Tensor, mask_NT: Tensor, **options: Any) -> None:  # noqa: ANN401
        """One pass; `take` gets each wanted layer's states in the order of the layers.

        Options that this model does not know are left out.
        """
        known = {name: value for name, value in options.items() if name in self._accepted}
        inside = self._oriented(take, ids_NT, mask_NT)
        hooks = [self._hook(layer, inside, last=layer == max(layers)) for layer in layers if layer < len(self._blocks)]
        try:
            out = self._model(input_ids=ids_NT, attention_mask=mask_NT, **known)
        except _Enough:
            return
        finally:
            for hook in hooks:
                hook.remove()
        take(len(self._blocks), out.last_hidden_state)

    def _oriented(self, take: Take, ids_NT: Tensor, mask_NT: Tensor) -> Take:
        """Turn the states of models that put tokens before rows inside (XLNet), and refuse any other order."""
        rows, tokens = ids_NT.shape
        if self._turned is None and rows == tokens > 1:  # a square does not tell
            self.run([0], lambda *_: None, ids_NT[:1], mask_NT[:1], use_cache=False)

        def oriented(layer: int, states: Tensor) -> None:
            if rows != tokens:
                self._turned = states.shape[:2] == (tokens, rows)
            states_NTD = states.transpose(0, 1) if self._turned else states
            if states_NTD.shape[:2] != (rows, tokens):
                raise QprobeError(
                    f"{type(self._model).__name__} orders its hidden states in an unknown way: choose another model."
                )
            take(layer, states_NTD)

        return oriented

    def _hook(self, layer: int, take: Take, *, last: bool) -> Any:  # noqa: ANN401
        def before(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            take(layer, args[0] if args else named["hidden_states"])
            if last:
                raise _Enough

        return self._blocks[layer].register_forward_pre_hook(before, with_kwargs=True)

    def read_prompt(self, ids: Sequence[int], layers: Sequence[int]) -> "Prompt | None":
        """Compute a prompt once, for any number of completions; None where this model's memory is not keys and values.

        The cache is a plain one for sliding windows too: a window that was cut off could not be gone on from.
        """
        device = next(self._model.parameters()).device
        cache, last = DynamicCache(), {}

        def take(layer: int, states_NTD: Tensor) -> None:
            last[layer] = states_NTD[:, -1:].clone()  # a view would keep the states of all tokens

        ids_NT = torch.tensor([ids], device=device)
        self.run(layers, take, ids_NT, torch.ones_like(ids_NT), use_cache=True, **{self._cache_name: cache})
        if not all(type(layer) is DynamicLayer for layer in cache.layers):
            self.can_continue = False
            return None
        return Prompt(tuple(ids), last, cache)

    def run_after(self, prompt: "Prompt", layers: Sequence[int], take: Take, ids_NT: Tensor, mask_NT: Tensor) -> None:
        """One pass over completions of a prompt; their states come with the prompt's last one in front."""
        cache = deepcopy(prompt.cache)
        cache.batch_repeat_interleave(len(ids_NT))
        before_NT = mask_NT.new_ones(len(ids_NT), len(prompt.ids))
        joined = torch.cat([before_NT, mask_NT], dim=1)

        def take_with_prompt(layer: int, states_NTD: Tensor) -> None:
            take(layer, torch.cat([prompt.last[layer].expand(len(ids_NT), -1, -1), states_NTD], dim=1))

        self.run(layers, take_with_prompt, ids_NT, joined, use_cache=True, **{self._cache_name: cache})


class Prompt:
    """A prompt that was computed: its keys and values, and the hidden states of its last token."""

    def __init__(self, ids: tuple[int, ...], last: dict[int, Tensor], cache: DynamicCache) -> None:
        self.ids = ids
        self.last = last  # layer -> [1, 1, width]
        self.cache = cache


def _blocks(model: Any, depth: int) -> nn.ModuleList:  # noqa: ANN401
    """The model's layers: the first list of as many modules as its configuration says it has layers."""
    for module in getattr(model, "language_model", model).modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise QprobeError(f"{type(model).__name__} keeps its layers in a way that is not known here: choose another model.")
