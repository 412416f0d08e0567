"""Hidden states captured while a causal model writes, so that its completions need no second pass.

A ring holds the states of each row's last tokens, and a sum those of all: a program often ends some tokens before its
completion does, at a stop string.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.completion_states import CompletionStates
from harness.models.hf.hidden_states import blocks_of

RECENT = 16
"""The tokens whose states a ring keeps: more than a stop string and the blank lines before it."""


class LayerWatch:
    """Keeps what the last pass of a model with a head gave at some layers, numbered as in `HiddenStates`."""

    def __init__(self, model: Any, depth: int, layers: Sequence[int]) -> None:  # noqa: ANN401 - transformers' own
        self.layers = tuple(layers)
        self._states: dict[int, Tensor] = {}
        blocks = blocks_of(model, depth)
        for layer in layers:
            if layer < depth:
                blocks[layer].register_forward_pre_hook(self._before(layer), with_kwargs=True)
            else:  # the last layer's states are normalised behind it
                model.base_model.register_forward_hook(self._after(layer))

    def _before(self, layer: int) -> Any:  # noqa: ANN401
        def hook(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._states[layer] = args[0] if args else named["hidden_states"]

        return hook

    def _after(self, layer: int) -> Any:  # noqa: ANN401
        def hook(_: nn.Module, __: tuple[Any, ...], out: Any) -> None:  # noqa: ANN401
            self._states[layer] = out.last_hidden_state

        return hook

    def at(self, rows: Tensor, positions: Tensor) -> Tensor:
        """Return the states of one position of each row, [rows, layers, width], on the device of the last layer."""
        taken = [self._states[layer][rows, positions] for layer in self.layers]
        return torch.stack([each.to(taken[-1].device) for each in taken], dim=1)

    def of_step(self, rows: int) -> Tensor:
        """Return the states of a pass that read one token of each row, [rows, layers, width]."""
        numbers = torch.arange(rows)
        return self.at(numbers, torch.zeros_like(numbers))


class StateRing:
    """The captured states of the rows that are being decoded; row i is in slot i."""

    def __init__(self, layers: tuple[int, ...], slots: int, like_NLD: Tensor) -> None:
        """Allocate so many slots for states like these."""
        self._layers = layers
        self._recent_NRLD = like_NLD.new_zeros(slots, RECENT, *like_NLD.shape[1:])
        self._sums_NLD = like_NLD.new_zeros(slots, *like_NLD.shape[1:], dtype=torch.float32)

    def start(self, slots: Sequence[int]) -> None:
        """Begin rows in these slots."""
        self._sums_NLD[torch.tensor(slots, dtype=torch.long, device=self._sums_NLD.device)] = 0

    def add(self, states_NLD: Tensor, positions: Sequence[int]) -> None:
        """Add the states of one token of every row; `positions` holds the tokens' places in their completions."""
        count = len(states_NLD)
        places = torch.tensor(positions, device=states_NLD.device) % RECENT
        self._recent_NRLD[torch.arange(count, device=states_NLD.device), places] = states_NLD
        self._sums_NLD[:count] += states_NLD

    def move(self, rows: Sequence[int], to: Sequence[int]) -> None:
        """Copy some rows over others."""
        source, target = (torch.tensor(each, device=self._sums_NLD.device) for each in (rows, to))
        for each in (self._recent_NRLD, self._sums_NLD):
            each[target] = each[source]

    def states(self, slot: int, known: int, prompt_LD: Tensor) -> CompletionStates:
        """Return the states of a row that has ended, `known` of whose tokens were read."""
        kept = torch.arange(max(0, known - RECENT), known) % RECENT
        recent_RLD = self._recent_NRLD[slot][kept.to(self._sums_NLD.device)]
        tensors = (prompt_LD, recent_RLD, self._sums_NLD[slot].clone())
        prompt, recent, total = (each.float().cpu().numpy() for each in tensors)
        return CompletionStates(self._layers, prompt, recent, total, known)
