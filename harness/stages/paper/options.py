# ruff: noqa: RUF009 - `option` makes a dataclass field
"""The options of a reproduction of the paper."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from harness.errors import QprobeError
from harness.stages.option_values import flag_of, option
from harness.stages.options import DeviceOptions, SeedOptions, WorkerOptions

OF_CODE = ("train_k", "api_model", "api_prompt", "api_embedder", "codet_samples", "codet_tests")
OF_PREFERENCES = ("reward_model",)
"""Options that one of the tables alone reads."""


@dataclass(frozen=True, kw_only=True)
class PaperOptions(DeviceOptions, SeedOptions, WorkerOptions):
    """Options of `reproduce paper`. The defaults are the paper's."""

    TITLE: ClassVar[str] = "Reproduction"

    model: str = option("", "model that writes and is read: hf:FOLDER or hf:HUB_ID; ,key=value", required=True)
    rows: tuple[str, ...] = option((), "rows by name, such as pass@1,pg,sft [default: all]")
    limit: int | None = option(None, "problems per test set, taken from the first [default: all]", least=1)
    train_limit: int | None = option(None, "problems per training split [default: all]", least=1)
    k: int = option(48, "samples per test problem", least=2)
    train_k: int = option(200, "samples per training problem", least=2)
    preferences: bool = option(False, "make the table of preferences instead, of pairs of replies")
    train: str = option("", "benchmark of the training problems, or pair set [default: mbpp; with --preferences hh]")
    splits: tuple[str, ...] = option(
        (), "training splits [default: train,validation; with --preferences train]", flag="--split"
    )
    tests: tuple[str, ...] = option(
        (),
        "benchmarks, or the pair set, tested on [default: mbpp,humaneval; with --preferences the split test]",
        flag="--test-on",
    )
    max_new_tokens: int = option(300, "longest completion, in tokens", least=1)
    layers: str | None = option(
        None, "layer that probes read [default: the paper's, 26 of 32; with --preferences the last]"
    )
    preset: str = option("paper", "training of probes: paper, nested or wide")
    batch_size: int | None = option(None, "sequences decoded together [default: 128]", least=1)
    epochs: int = option(3, "passes over the samples in fine-tuning", least=1)
    judge: str = option(
        "", "chat model that judges: programs [default: --model], or with --preferences replies [default: none]"
    )
    reward_model: str = option("", "classifier that judges replies in place of --judge, as qprobe score takes it")
    api_model: str = option("", "model on a server for the rows of an API: openai:MODEL,url=... [default: left out]")
    api_prompt: str = option("chat", "prompt of the rows of an API, as --prompt takes it")
    api_embedder: str = option("", "embeddings on a server for those rows: openai:MODEL,url=... [default: left out]")
    codet_samples: Path | None = option(None, "samples of CodeGen-16B on HumanEval, a file of CodeT's authors")
    codet_tests: Path | None = option(None, "tests that CodeGen-16B wrote, a file of CodeT's authors")

    def refuse_unread(self) -> None:
        """Raise QprobeError for an option that the other table alone reads."""
        unread = OF_CODE if self.preferences else OF_PREFERENCES
        for entry in fields(self):
            if entry.name in unread and getattr(self, entry.name) != entry.default:
                remedy = "leave it out with --preferences" if self.preferences else "add --preferences, or leave it out"
                raise QprobeError(f"{flag_of(entry)} makes no difference to this table: {remedy}.")

    @property
    def train_benchmark(self) -> str:
        """The benchmark of the training problems."""
        return self.train or "mbpp"

    @property
    def train_splits(self) -> tuple[str, ...]:
        """The training splits."""
        return self.splits or ("train", "validation")

    @property
    def test_benchmarks(self) -> tuple[str, ...]:
        """The benchmarks tested on."""
        return self.tests or ("mbpp", "humaneval")
