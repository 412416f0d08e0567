"""Parts of large tensors that stay in a processor's cache while several operations go over them."""

from collections.abc import Iterator

from torch import Tensor

NUMBERS_AT_ONCE = 2**18


def cached_parts(tensor: Tensor) -> Iterator[slice]:
    """Yield the places of a tensor's first dimension in parts: on a processor small ones, elsewhere all in one."""
    count = len(tensor)
    own = max(tensor[:1].numel(), 1)
    most = max(1, NUMBERS_AT_ONCE // own) if tensor.device.type == "cpu" else max(count, 1)
    return (slice(first, first + most) for first in range(0, count, most))
