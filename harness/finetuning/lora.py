"""LoRA adapters (Hu et al. 2021, arXiv 2106.09685): a model with small trainable matrices beside its linear layers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import QprobeError
from harness.models.hf.pretrained import quiet

HEAD = "score"
"""The name of a scalar head in transformers' models of this kind."""


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """The shape of an adapter."""

    rank: int = 16
    alpha: int = 32  # the update is scaled by alpha / rank
    dropout: float = 0.0


def with_lora(model: Any, settings: LoraSettings, task: str, seed: int) -> Any:  # noqa: ANN401 - transformers' own
    """Return the model with a new adapter on every linear layer but its head, its weights drawn by the seed.

    A model that classifies learns its head too. Raises QprobeError without the package peft.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise QprobeError("Fine-tuning needs the package peft: pip install peft") from error
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type=task,
        modules_to_save=[HEAD] if task == "SEQ_CLS" else None,
    )
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if task == "SEQ_CLS":
            _draw_head(model)
        return get_peft_model(model, config)


def _draw_head(model: Any) -> None:  # noqa: ANN401 - transformers' own
    """Draw a small new head: the files of a model that writes hold none."""
    head = getattr(model, HEAD).float()  # as the rest of what is trained, in a model of half precision too
    with torch.no_grad():
        head.weight.copy_(torch.empty(head.weight.shape).normal_(std=0.02))
    head.register_forward_pre_hook(lambda module, args: (args[0].to(module.weight.dtype), *args[1:]))


def trained_parameters(model: Any) -> dict[str, Tensor]:  # noqa: ANN401 - a model of peft
    """Return the parameters that training changes, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_adapter(model: Any, folder: Path) -> None:  # noqa: ANN401 - a model of peft
    """Write the adapter's files, which `--adapter` reads. Raises QprobeError where that fails."""
    try:
        model.save_pretrained(folder)
    except OSError as error:
        raise QprobeError(f"{folder} cannot be written: {error.strerror or error}.") from error
