"""Pooling of a batch's hidden states to one vector per sample, in float32."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.models.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Spans:
    """The positions of a batch's samples, [N] each; an empty completion counts as the last token before it."""

    start: Tensor
    end: Tensor
    stop: Tensor

    @classmethod
    def of(cls, samples: Sequence[Tokens], *, skipped: int = 0, device: torch.device | str = "cpu") -> "Spans":
        """Return the spans of samples whose first `skipped` positions are not among the states."""
        rows = torch.tensor([(sample.start, sample.end, sample.stop) for sample in samples], device=device) - skipped
        return cls(*rows.unbind(1))

    def on(self, device: torch.device) -> "Spans":
        """Return the spans on a device: a model may be spread over several, and each layer's states are on its own."""
        return Spans(self.start.to(device), self.end.to(device), self.stop.to(device))


def pool(states_NTD: Tensor, spans: Spans, pooling: str) -> Tensor:
    """Return one vector per sample, [N, width], float32 for states of any type."""
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
