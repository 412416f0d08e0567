"""GGUF files of llama.cpp: turned into ordinary folders of transformers once, and kept beside the hub's models.

Transformers takes a minute to dequantise half a billion weights in NumPy, and half as long for the tokenizer.
"""

import hashlib
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import QprobeError

SUFFIX = ".gguf"
PACKAGES = ("gguf", "accelerate")
MAGIC = b"GGUF"
VERSION = 1
"""Of the folders; a new one makes them again."""


def check_gguf(file: Path) -> None:
    """Raise QprobeError where there is no GGUF file, or no package that reads it."""
    if not file.is_file():
        raise QprobeError(f"There is no file {file}: download it, and give its path.")
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            raise QprobeError(f"{file} is not a GGUF file: download it again, or give a folder of transformers.")
    if missing := [package for package in PACKAGES if find_spec(package) is None]:
        raise QprobeError(f"A GGUF file needs {' and '.join(missing)}: pip install {' '.join(missing)}.")


def described(file: Path) -> Path:
    """Return a folder with the file's configuration and tokenizer. Raises transformers' errors."""

    def write(folder: Path) -> None:
        from transformers import AutoTokenizer

        _config(file).save_pretrained(folder)
        AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)

    return _kept(file, "described", write)


def dequantised(file: Path, dtype: str) -> Path:
    """Return a folder with the file's weights too, in `dtype`. Raises transformers' errors."""

    def write(folder: Path) -> None:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        with _without_bar():
            kind = getattr(torch, dtype)
            read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=kind)
        with torch.device("meta"):  # the model that was read is marked as quantised, and cannot be saved
            config = AutoConfig.from_pretrained(described(file))
            plain = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        plain.load_state_dict(read.state_dict(), assign=True)
        plain.generation_config = read.generation_config
        plain.save_pretrained(folder)
        for path in described(file).glob("*"):
            if not (folder / path.name).exists():
                (folder / path.name).write_bytes(path.read_bytes())

    return _kept(file, dtype, write)


def file_digest(file: Path, ends: int = 2**20) -> str:
    """Return a sha256 of the size, first and last MiB of a file."""
    size = file.stat().st_size
    digest = hashlib.sha256(f"{size}\n".encode())
    with file.open("rb") as opened:
        digest.update(opened.read(ends))
        opened.seek(max(0, size - ends))
        digest.update(opened.read(ends))
    return digest.hexdigest()[:32]


def _config(file: Path) -> Any:  # noqa: ANN401
    from transformers import AutoConfig

    settings = AutoConfig.from_pretrained(file.parent, gguf_file=file.name).to_dict()
    dropped = ("quantization_config", "transformers_version", "_name_or_path")
    return AutoConfig.for_model(**{name: value for name, value in settings.items() if name not in dropped})


@contextmanager
def _without_bar() -> Iterator[None]:
    """Keep the bar of the conversion from the terminal, where it writes into ours; no option of theirs does."""
    from transformers import modeling_gguf_pytorch_utils

    module: Any = modeling_gguf_pytorch_utils
    bar, module.tqdm = module.tqdm, partial(module.tqdm, disable=True)
    try:
        yield
    finally:
        module.tqdm = bar


def _kept(file: Path, kind: str, write: Callable[[Path], None]) -> Path:
    """Return the folder of a kind, written now where no earlier call or other process has."""
    folder = _cache() / f"{file_digest(file)}-{VERSION}-{version('transformers')}-{kind}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="draft-") as draft:
        try:
            write(Path(draft) / "folder")
        except (struct.error, IndexError, NotImplementedError) as error:  # a file that is cut, or of a new kind
            raise ValueError(str(error)) from error
        try:
            (Path(draft) / "folder").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was quicker
                raise
    return folder


def _cache() -> Path:
    from huggingface_hub import constants

    if constants.HF_HOME.startswith("~"):
        raise QprobeError(
            "There is no home folder to keep models in: set the environment variable HF_HOME to a folder."
        )
    return Path(constants.HF_HOME) / "qprobe-gguf"
