"""Probe forms: linear maps of the vectors that a probe reads, then a small head.

The linear maps come first so that the probes trained together share one matrix product over the features, and that
standardisation can be folded into the maps: no standardised copy of the features is ever made.

Dimensions: M probes trained together, V views a probe reads, H linear maps of each view, D width, R samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu

from harness.probes.samples import ProbeError

Weights = dict[str, Tensor]
"""Weights by name: "project" [V, H, D] and "offset" [V, H] are the linear maps, all others belong to the head.
For M probes together, M is the first dimension of each."""


class Form(Protocol):
    """The interface of a probe form."""

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        """Draw one probe's initial weights, on the CPU in float32."""
        ...

    def head(self, maps_MRVH: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        """Scores [M, R] from the linear maps, offsets included."""
        ...


class Linear:
    """Q = w . x + b; over several views, their sum."""

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        """Draw weights near zero: with more features than samples, larger ones would never be unlearned."""
        return {"project": 1e-3 * _normal(generator, views, 1, width), "offset": torch.zeros(views, 1)}

    def head(self, maps_MRVH: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        return maps_MRVH.sum((-2, -1))


class TorchLinear(Linear):
    """A linear probe initialised as `torch.nn.Linear` is, uniformly within 1 / sqrt(D), as in the paper."""

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        bound = width**-0.5
        return {
            "project": (2 * torch.rand(views, 1, width, generator=generator) - 1) * bound,
            "offset": (2 * torch.rand(views, 1, generator=generator) - 1) * bound,
        }


@dataclass(frozen=True)
class Mlp:
    """A perceptron with one or two hidden layers of rectified linear units."""

    hidden: int = 64
    layers: int = 1

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        """Draw hidden layers as in He et al. 2015, and a last layer near zero, so that all scores begin alike."""
        weights = {
            "project": (2 / views) ** 0.5 * _normal(generator, views, self.hidden, width),
            "offset": torch.zeros(views, self.hidden),
            "out": 1e-1 * _normal(generator, self.hidden),
            "out_bias": torch.zeros(()),
        }
        if self.layers == 2:
            weights["middle"] = 2**0.5 * _normal(generator, self.hidden, self.hidden)
            weights["middle_bias"] = torch.zeros(self.hidden)
        return weights

    def head(self, maps_MRVH: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        hidden_MRH: Tensor = relu(maps_MRVH.sum(-2))
        if self.layers == 2:
            hidden_MRH = relu(hidden_MRH @ weights["middle"].transpose(1, 2) + weights["middle_bias"][:, None])
        return (hidden_MRH @ weights["out"][:, :, None])[..., 0] + weights["out_bias"][:, None]


class TorchMlp(Mlp):
    """A perceptron initialised as two of `torch.nn.Linear` are, uniformly within 1 / sqrt(inputs), as in the paper."""

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        bound, out_bound = (views * width) ** -0.5, self.hidden**-0.5
        return {
            "project": _uniform(generator, bound, views, self.hidden, width),
            "offset": _uniform(generator, bound / views, views, self.hidden),
            "out": _uniform(generator, out_bound, self.hidden),
            "out_bias": _uniform(generator, out_bound),
        }


class Gated:
    """A linear score per view, weighted by a gate per view: sum_v g_v q_v / sum_v g_v, g = sigmoid(w' . x + b').

    After SWIFT (arXiv 2505.12225), which gates tokens over all layers; here the layers and poolings are gated.
    """

    def start(self, views: int, width: int, generator: torch.Generator) -> Weights:
        return {"project": 1e-3 * _normal(generator, views, 2, width), "offset": torch.zeros(views, 2)}

    def head(self, maps_MRVH: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        gates_MRV = maps_MRVH[..., 1].sigmoid()
        return (gates_MRV * maps_MRVH[..., 0]).sum(-1) / gates_MRV.sum(-1)


FORMS: dict[str, Form] = {
    "linear": Linear(),
    "torch-linear": TorchLinear(),
    "mlp": Mlp(),
    "mlp-2": Mlp(layers=2),
    "mlp-256": TorchMlp(256),
    "mlp-1024": TorchMlp(1024),
    "gated": Gated(),
}


def find_form(name: str) -> Form:
    """Return the form of that name. Raises ProbeError for an unknown name."""
    if name not in FORMS:
        raise ProbeError(f"Unknown probe form {name!r}. Choose from {', '.join(FORMS)}.")
    return FORMS[name]


def _uniform(generator: torch.Generator, bound: float, *shape: int) -> Tensor:
    """Draw numbers uniformly within a bound."""
    return torch.rand(shape, generator=generator).mul(2).sub(1).mul(bound)


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw normal numbers with variance 1 / (last dimension)."""
    return torch.randn(*shape, generator=generator).mul(shape[-1] ** -0.5)
