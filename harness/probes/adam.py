"""Adam for many probes at once, each with its own learning rate; finished probes can be removed."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from harness.probes.caches import cached_parts

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980) without weight decay. Every tensor begins with the M probes."""

    def __init__(self, weights: Mapping[str, Tensor], rates_M: Tensor) -> None:
        self.weights = dict(weights)
        self._rates_M = rates_M
        self._first = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self._second = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: Callable[[slice], Mapping[str, Tensor]], factor: float) -> None:
        """Move every probe once, at `factor` times its own learning rate, by the gradients of some probes at a time."""
        self._steps += 1
        rates_M = factor * self._rates_M / (1 - BETA_1**self._steps)
        for rows in cached_parts(max(self.weights.values(), key=Tensor.numel)):
            for name, gradient in gradients(rows).items():
                weight, first, second = (each[name][rows] for each in (self.weights, self._first, self._second))
                first.lerp_(gradient, 1 - BETA_1)
                second.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
                scale = second.div(1 - BETA_2**self._steps).sqrt_().add_(EPSILON)
                weight.sub_(first.div(scale).mul_(rates_M[rows].view(-1, *[1] * (weight.dim() - 1))))

    def keep(self, positions: Tensor) -> None:
        """Remove all probes but those at these positions."""
        self._rates_M = self._rates_M[positions]
        for tensors in (self.weights, self._first, self._second):
            tensors.update({name: tensor[positions] for name, tensor in tensors.items()})
