"""A transformers model in a local folder or on the hub: checked before anything large is read, then loaded."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from harness.errors import QprobeError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
)
FAILURES = (OSError, ValueError, KeyError, ImportError, AttributeError, TypeError, SafetensorError)
"""What transformers raises, depending on what is wrong with a folder or a hub id."""


def model_name(spec: str) -> str:
    """The folder or hub id in `hf:NAME`. Raises QprobeError for any other scheme."""
    scheme, colon, name = spec.partition(":")
    if scheme != "hf" or not colon or not name:
        raise QprobeError(f"{spec!r} names no model: write hf:FOLDER or hf:HUB_ID.")
    return name


@dataclass(frozen=True)
class Pretrained:
    """A model by name. Its configuration and tokenizer are read when asked for, its weights by `load` alone."""

    name: str  # a folder, or an id on the hub
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"

    def check(self) -> None:
        """Raise QprobeError, in one sentence, for all that can be known to be wrong before the weights are read."""
        if self.is_local:
            self._check_folder(Path(self.name))
        elif self.name.startswith((".", "/", "~")) or self.name.count("/") > 1:
            raise QprobeError(f"There is no folder {self.name}.")
        _ = self.config, self.tokenizer

    def _check_folder(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise QprobeError(f"{folder} holds no model: it has no config.json.")
        if not any((folder / name).is_file() for name in TOKENIZER_FILES):
            raise QprobeError(f"The model in {folder} has no tokenizer: save one there with save_pretrained.")

    @property
    def is_local(self) -> bool:
        """Whether the name is a folder here."""
        return Path(self.name).is_dir()

    @cached_property
    def config(self) -> Any:  # noqa: ANN401 - transformers' own, another class for each architecture
        """The model's configuration (of its text part, where it has several)."""
        from transformers import AutoConfig

        config = self._read("configuration", AutoConfig.from_pretrained)
        return config.get_text_config() if hasattr(config, "get_text_config") else config

    @cached_property
    def tokenizer(self) -> Any:  # noqa: ANN401
        """The model's tokenizer."""
        from transformers import AutoTokenizer

        return self._read("tokenizer", AutoTokenizer.from_pretrained)

    def _read(self, what: str, from_pretrained: Any) -> Any:  # noqa: ANN401
        try:
            return from_pretrained(self.name, revision=self.revision)
        except FAILURES as error:
            where = "folder" if self.is_local else "hub (is it reachable, and the id right?)"
            reason = str(error).strip().split("\n")[0]
            raise QprobeError(f"The {what} of {self.name} cannot be read from the {where}: {reason}") from error

    @property
    def layers(self) -> int:
        """The number of layers; hidden state 0 is the embedding, hidden state `layers` the last layer's."""
        return int(self.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """The width of a hidden state."""
        return int(self.config.hidden_size)

    @property
    def context(self) -> int | None:
        """The longest input in tokens, where the model says it has one."""
        found = getattr(self.config, "max_position_embeddings", None)
        return None if found is None else int(found)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the weights: the hub's commit, or a digest of the sizes and ends of the folder's files."""
        commit = getattr(self.config, "_commit_hash", None)
        return str(commit) if commit and not self.is_local else _folder_digest(Path(self.name))

    @cached_property
    def target_device(self) -> str:
        """The device asked for; "auto" is the GPU where there is one."""
        import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def load(self, auto_class: Any) -> Any:  # noqa: ANN401
        """Read the weights with one of transformers' auto classes, ready for inference."""
        import torch
        from transformers.utils import logging

        # Their bar writes into ours, and their report lists the head that an embedder has no use for.
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        dtype = self.dtype
        if dtype == "auto" and self.target_device == "cpu":
            dtype = "float32"  # half precision is slow, and rounds a vector differently, on most CPUs
        try:
            model = auto_class.from_pretrained(self.name, revision=self.revision, dtype=dtype)
            return model.to(torch.device(self.target_device)).eval()
        except (*FAILURES, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise QprobeError(f"The model {self.name} cannot be loaded: {reason}") from error


def _folder_digest(folder: Path, ends: int = 2**20) -> str:
    """A sha256 over names, sizes, first and last MiB of a model's files: reading all of 15 GB would take a minute."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in {".json", ".safetensors", ".bin", ".txt", ".model"}:
            size = path.stat().st_size
            digest.update(f"{path.name} {size}\n".encode())
            with path.open("rb") as file:
                digest.update(file.read(ends))
                file.seek(max(0, size - ends))
                digest.update(file.read(ends))
    return digest.hexdigest()[:32]
