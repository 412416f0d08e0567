"""The devices of this machine that models can run on."""

import difflib

from harness.errors import QprobeError

SPREADS = ("auto", "balanced", "balanced_low_0", "sequential")
"""Ways in which accelerate spreads a model over several devices."""


def devices() -> list[str]:
    """Return the names of the devices: the CPU, and the accelerators that this PyTorch can use."""
    import torch

    if not torch.accelerator.is_available():
        return ["cpu"]
    kind = str(torch.accelerator.current_accelerator())
    return ["cpu", kind, *(f"{kind}:{number}" for number in range(torch.accelerator.device_count()))]


def check_device(name: str, others: tuple[str, ...] = ("auto",)) -> None:
    """Raise QprobeError, which lists the devices, for one that is not on this machine."""
    choices = [*others, *devices()]
    if name in choices or name == "cpu:0":
        return
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.7)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise QprobeError(
        f"Unknown device {name!r} on this machine. Choose from {', '.join(choices)}.{hint}{_reason(name)}"
    )


def _reason(name: str) -> str:
    import torch

    if not name.startswith("cuda") or torch.cuda.is_available():
        return ""
    if torch.version.cuda is None and torch.version.hip is None:
        return " This PyTorch is built for CPUs: install a build for CUDA to use a GPU."
    return " No GPU is visible to PyTorch: check nvidia-smi and CUDA_VISIBLE_DEVICES."
