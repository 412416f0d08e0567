"""The shapes a probe may take. Each begins with linear maps of the vectors and ends with a small head.

The linear maps come first for a reason: the probes trained together share one matrix product over the features, and
standardisation folds into the maps, so that no standardised copy of the features is ever made.

Dimensions: M probes trained together, V views a probe reads, H linear maps of each view, D width, R samples.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

Weights = dict[str, Tensor]
"""A form's weights by name; "project" is [V, H, D] for one probe, [M, V, H, D] for many together."""


class Form(Protocol):
    """A shape of probe."""

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        """One probe's first weights, on the CPU in float32."""
        ...

    def head(self, projected_MRVH: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        """Scores [M, R] from the linear maps of standardised vectors."""
        ...


class Linear:
    """Q = w . x + b."""

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        """Nearly zero: on features wider than the samples are many, a larger start would never be unlearned."""
        project = 1e-3 * torch.randn(views, 1, width, generator=generator) / width**0.5
        return {"project": project, "bias": torch.zeros(())}

    def head(self, projected_MRVH: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        return projected_MRVH.sum((-2, -1)) + weights["bias"][:, None]
