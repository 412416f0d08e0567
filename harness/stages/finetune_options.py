# ruff: noqa: RUF009 - `option` makes a dataclass field
"""The options of fine-tuning."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.stages.option_values import option
from harness.stages.options import DeviceOptions, SeedOptions


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(DeviceOptions, SeedOptions):
    """Options of `finetune`."""

    TITLE: ClassVar[str] = "Fine-tuning"

    method: str = option(
        "sft",
        "method: sft (on samples that pass, or chosen replies), dpo or kto (on those and on the others), or reward (a "
        "scalar head, on both)",
    )
    output: Path | None = option(None, "folder of the adapter [default: RUN/adapters/METHOD]")
    model: str = option(
        "", "model that is trained: hf:FOLDER or hf:HUB_ID [default: the one that drew or read the samples]"
    )
    splits: tuple[str, ...] = option(
        (), "splits trained on, never test [default: all others of the run]", flag="--split"
    )
    per_problem: int = option(8, "most different samples of each kind, passing or failing, per problem", least=1)
    epochs: int = option(3, "passes over the samples", least=1)
    batch_size: int = option(16, "samples per step", least=1)
    learning_rate: float | None = option(None, "highest learning rate [default: 2e-4; dpo and kto: 5e-5]", above=0.0)
    beta: float | None = option(
        None, "weight of staying close to the model itself, of dpo and kto [default: 0.1]", above=0.0
    )
    rank: int = option(16, "rank of the adapter's matrices", least=1)
    alpha: int = option(32, "scale of the adapter: its update is multiplied by alpha / rank", least=1)
    dropout: float = option(0.0, "dropout before the adapter's matrices", least=0.0, most=0.9)
    max_tokens: int = option(1024, "longest sample with its prompt, in tokens; longer ones are left out", least=2)
    batch_tokens: int = option(1024, "padded tokens computed at once; fewer need less memory", least=1)
