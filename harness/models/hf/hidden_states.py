"""Hidden states of chosen layers, handed over while the model runs and dropped as soon as they are pooled.

With `output_hidden_states` transformers keeps the states of every layer and token; here one layer's are kept at a time.
Hidden state i is the input of layer i + 1, so a hook before that layer receives it, and layers above the last chosen
one are not computed.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from harness.errors import QprobeError
from harness.models.hf.kv_cache import cache_argument, can_continue, continued, is_plain
from harness.models.hf.locations import RESIDUAL, watched

OnStates = Callable[[int, Tensor], None]
"""Called as on_states(layer, states [rows, tokens, width])."""


class _Done(Exception):  # noqa: N818 - not an error
    """Every chosen layer was handed over."""


class HiddenStates:
    """Runs a model without a head for the hidden states of some layers."""

    def __init__(self, model: Any, depth: int, location: str = RESIDUAL) -> None:  # noqa: ANN401 - transformers' own
        self._model = model
        self._location = location
        self._blocks = blocks_of(model, depth)
        self._accepted = set(inspect.signature(model.forward).parameters)
        self._cache_name = cache_argument(model)
        self.can_continue = can_continue(model)
        """True if the model can continue from a prompt's keys and values, which a recurrent model does not have."""
        self._turned: bool | None = None  # whether states are [tokens, rows, width] inside; None until it is seen

    def run(self, layers: Sequence[int], on_states: OnStates, ids_NT: Tensor, mask_NT: Tensor, **options: Any) -> None:  # noqa: ANN401
        """Make one pass, and hand over the states of each chosen layer in the order of the layers.

        Options that this model does not accept are left out.
        """
        accepted = {name: value for name, value in options.items() if name in self._accepted}
        inside = self._oriented(on_states, ids_NT, mask_NT)
        is_inside = self._location != RESIDUAL  # a layer, where even the last layer's states are
        hooked = [layer for layer in layers if is_inside or layer < len(self._blocks)]
        hooks = [self._hook(layer, inside, last=layer == max(layers)) for layer in hooked]
        try:
            out = self._model(input_ids=ids_NT, attention_mask=mask_NT, **accepted)
        except _Done:
            return
        finally:
            for hook in hooks:
                hook.remove()
        on_states(len(self._blocks), out.last_hidden_state)

    def _oriented(self, on_states: OnStates, ids_NT: Tensor, mask_NT: Tensor) -> OnStates:
        """Transpose the states of models that put tokens before rows (XLNet), and refuse any other order."""
        rows, tokens = ids_NT.shape
        if self._turned is None and rows == tokens > 1:  # a square batch does not show the order
            self.run([int(self._location != RESIDUAL)], lambda *_: None, ids_NT[:1], mask_NT[:1], use_cache=False)

        def oriented(layer: int, states: Tensor) -> None:
            if rows != tokens:
                self._turned = states.shape[:2] == (tokens, rows)
            states_NTD = states.transpose(0, 1) if self._turned else states
            if states_NTD.shape[:2] != (rows, tokens):
                raise QprobeError(
                    f"{type(self._model).__name__} orders its hidden states in an unknown way: choose another model."
                )
            on_states(layer, states_NTD)

        return oriented

    def _hook(self, layer: int, on_states: OnStates, *, last: bool) -> Any:  # noqa: ANN401
        def hand_over(states: Tensor) -> None:
            on_states(layer, states)
            if last:
                raise _Done

        def before(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            hand_over(args[0] if args else named["hidden_states"])

        def after(_: nn.Module, __: object, out: Any) -> None:  # noqa: ANN401
            hand_over(out[0] if isinstance(out, tuple) else out)

        if self._location != RESIDUAL:
            module, is_input = watched(self._blocks[layer - 1], self._location)
            if not is_input:
                return module.register_forward_hook(after)
            return module.register_forward_pre_hook(before, with_kwargs=True)
        return self._blocks[layer].register_forward_pre_hook(before, with_kwargs=True)

    def read_prompt(self, ids: Sequence[int], layers: Sequence[int]) -> "Prompt | None":
        """Compute a prompt once for any number of completions; None where the model keeps more than keys and values.

        The cache is a plain one even for sliding windows, which could not be continued once they are cut.
        """
        device = next(self._model.parameters()).device
        cache, last = DynamicCache(), {}

        def keep_last(layer: int, states_NTD: Tensor) -> None:
            last[layer] = states_NTD[:, -1:].clone()  # a view would keep the states of all tokens

        ids_NT = torch.tensor([ids], device=device)
        self.run(layers, keep_last, ids_NT, torch.ones_like(ids_NT), use_cache=True, **{self._cache_name: cache})
        if not is_plain(cache):
            self.can_continue = False
            return None
        return Prompt(tuple(ids), last, cache)

    def run_after(
        self, prompt: "Prompt", layers: Sequence[int], on_states: OnStates, ids_NT: Tensor, mask_NT: Tensor
    ) -> None:
        """Make one pass over completions of a prompt; the prompt's last state is put before theirs."""
        cache = continued(prompt.cache, len(ids_NT))
        before_NT = mask_NT.new_ones(len(ids_NT), len(prompt.ids))
        joined = torch.cat([before_NT, mask_NT], dim=1)

        def with_prompt(layer: int, states_NTD: Tensor) -> None:
            on_states(layer, torch.cat([prompt.last[layer].expand(len(ids_NT), -1, -1), states_NTD], dim=1))

        self.run(layers, with_prompt, ids_NT, joined, use_cache=True, **{self._cache_name: cache})


class Prompt:
    """The keys and values of a prompt, and the hidden states of its last token."""

    def __init__(self, ids: tuple[int, ...], last: dict[int, Tensor], cache: DynamicCache) -> None:
        self.ids = ids
        self.last = last  # layer -> [1, 1, width]
        self.cache = cache


def blocks_of(model: Any, depth: int) -> nn.ModuleList:  # noqa: ANN401
    """Return the model's layers: its first list of as many modules as its configuration has layers."""
    for module in getattr(model, "language_model", model).modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise QprobeError(f"{type(model).__name__} keeps its layers in an unknown way: choose another model.")
