# ruff: noqa: RUF009 - `option` makes a dataclass field
"""The options of a reproduction of the paper."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.stages.options import DeviceOptions, SeedOptions, WorkerOptions, option


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
