"""The memory and the time that a training needs, estimated before its weights are read."""

from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
VALUES_PER_TOKEN = 40
"""Values kept per token and layer for the gradient, in multiples of the width: those of attention and a gated MLP."""
LOGIT_COPIES = 4
"""Logits of a token that exist at the same time: as computed, in float32, their softmax, their gradient."""
BYTES_PER_TRAINED = 16
"""A trained parameter in float32, its gradient and its two moments."""
FLOPS_PER_PARAMETER = 4
"""Operations per parameter and token: forward, and back to the activations; frozen weights have no gradient."""
FLOPS_OF_A_PASS = 2
"""The same of a forward pass without a gradient."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The sizes of a model that its configuration tells."""

    parameters: int
    value_bytes: int  # of a weight
    layers: int
    width: int
    vocabulary: int  # logits per token; 1 for a scalar head
    linear: int  # sum over its linear layers of inputs and outputs

    def trained(self, rank: int) -> int:
        """Return the parameters of an adapter of that rank."""
        return rank * self.linear

    def training_bytes(self, rank: int, tokens: int) -> int:
        """Return about how many bytes a training needs that computes so many tokens at once."""
        kept = tokens * self.layers * self.width * VALUES_PER_TOKEN * self.value_bytes
        logits = tokens * self.vocabulary * 4 * LOGIT_COPIES
        return self.parameters * self.value_bytes + BYTES_PER_TRAINED * self.trained(rank) + kept + logits

    def operations(self, tokens: int, further_passes: int = 0) -> float:
        """Return about how many floating-point operations it takes to learn from so many tokens."""
        return float((FLOPS_PER_PARAMETER + FLOPS_OF_A_PASS * further_passes) * self.parameters * tokens)


def free_memory(device: str) -> int | None:
    """Return the free bytes of a device, those of this machine for "cpu"; None where they are not known."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    free = [_available(Path("/proc/meminfo")), _of_group(Path("/sys/fs/cgroup"))]
    return min((size for size in free if size is not None), default=None)


def _available(meminfo: Path) -> int | None:
    if not meminfo.is_file():
        return None
    lines = (line.split() for line in meminfo.read_text().splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:"), None)


def _of_group(folder: Path) -> int | None:
    """Return what a container's limit leaves."""
    limit, used = folder / "memory.max", folder / "memory.current"
    if not limit.is_file() or not used.is_file() or limit.read_text().strip() == "max":
        return None
    return int(limit.read_text()) - int(used.read_text())
