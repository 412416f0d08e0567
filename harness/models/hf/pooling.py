"""From the hidden states of a batch to one vector a sample, in float32."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.models.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Spans:
    """Positions of a batch's samples, [N] each; where a completion is empty it counts as the last token before it."""

    start: Tensor
    end: Tensor
    stop: Tensor

    @classmethod
    def of(cls, samples: Sequence[Tokens], *, skipped: int = 0, device: torch.device | str = "cpu") -> "Spans":
        """The spans of `samples` when their first `skipped` positions are not among the states."""
        rows = torch.tensor([(each.start, each.end, each.stop) for each in samples], device=device) - skipped
        return cls(*rows.unbind(1))

    def on(self, device: torch.device) -> "Spans":
        """The same on a device: the layers of a model that is spread over several give their states where they are."""
        return Spans(self.start.to(device), self.end.to(device), self.stop.to(device))


def pool(states_NTD: Tensor, spans: Spans, pooling: str) -> Tensor:
    """One vector a sample, [N, width], float32 whatever the states are."""
    rows = torch.arange(len(states_NTD), device=states_NTD.device)
    if pooling == "mean":
        return _mean(states_NTD, torch.minimum(spans.start, (spans.end - 1).clamp(min=0)), spans.end.clamp(min=1))
    at = {"last": spans.end, "prompt": spans.start, "after-stop": spans.stop}[pooling] - 1
    return states_NTD[rows, at.clamp(min=0)].float()


def _mean(states_NTD: Tensor, start_N: Tensor, end_N: Tensor) -> Tensor:
    positions = torch.arange(states_NTD.shape[1], device=states_NTD.device)
    inside_NT = (positions >= start_N[:, None]) & (positions < end_N[:, None])
    weights_NT = inside_NT.float() / inside_NT.sum(1, keepdim=True)
    return torch.einsum("nt,ntd->nd", weights_NT, states_NTD.float())
