"""A transformers model in a folder or on the hub: checked before its weights are read, then loaded."""

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from safetensors import SafetensorError

from benchmarks.hub_client import is_out_of_reach
from harness.errors import QprobeError
from harness.models.hf.adapters import check_adapter, with_adapter
from harness.models.hf.devices import SPREADS, check_device
from harness.models.hf.gguf import SUFFIX, check_gguf, dequantised, described, file_digest
from harness.models.hf.locations import RESIDUAL, parse_location
from harness.models.network import certificates, proxy_for
from harness.models.spec import in_home, parse_spec

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
)
FAILURES = (
    *(OSError, ValueError, KeyError, ImportError, AttributeError, TypeError, AssertionError, SafetensorError),
    UnpicklingError,  # weights in a pickle that holds more than tensors, which torch refuses to run
)
"""The errors of transformers for a folder or a hub id that cannot be read."""


OPTIONS = (
    "revision",
    "dtype",
    "device",
    "device_map",
    "quantize",
    "attn_implementation",
    "trust_remote_code",
    "adapter",
    "location",
    "date",
)
DATE = date(2025, 1, 1)
"""The day of chat templates that ask for today's: a run would mix prompts otherwise, and none could be repeated."""
CONTEXT_NAMES = ("max_position_embeddings", "max_seq_len")
"""The names of the longest input in configurations."""
DTYPES = {name: name for name in ("auto", "float32", "bfloat16", "float16")}
QUANTIZED = {name: name for name in ("8bit", "4bit")}
ATTENTION = {name: name for name in ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")}


def open_pretrained(spec: str, *, device: str = "auto") -> "Pretrained":
    """Return the model that `hf:NAME[,key=value]` names, not checked yet.

    Raises QprobeError for another scheme, an unknown option or a wrong value.
    """
    parsed = parse_spec(spec, ("hf",))
    parsed.check_options(OPTIONS)
    return Pretrained(
        in_home(parsed.name),
        revision=parsed.options.get("revision"),
        device=parsed.options.get("device", device),
        dtype=parsed.one_of("dtype", DTYPES, "auto"),
        device_map=parsed.options.get("device_map"),
        quantize=parsed.one_of("quantize", QUANTIZED, ""),
        attn_implementation=parsed.one_of("attn_implementation", ATTENTION, ""),
        trust_remote_code=parsed.flag("trust_remote_code"),
        adapter=in_home(adapter) if (adapter := parsed.options.get("adapter")) else None,
        location=parse_location(parsed.options.get("location", RESIDUAL)),
        template_date=parsed.day("date", DATE),
    )


@dataclass(frozen=True)
class Pretrained:
    """A model by name. Its configuration and tokenizer are read on first use, its weights by `load` alone."""

    name: str  # a folder, a GGUF file, or an id on the hub
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    device_map: str | None = None  # "auto" spreads a model over all GPUs (needs the package accelerate)
    quantize: str = ""  # "8bit" | "4bit", by the package bitsandbytes
    attn_implementation: str = ""  # transformers' choice
    trust_remote_code: bool = False  # run code that comes with the model
    adapter: str | None = None  # a folder
    location: str = RESIDUAL  # inside a layer, where hidden states are read
    template_date: date = DATE  # what chat templates take for today

    @property
    def spec(self) -> str:
        """The name with the options that change the model's output.

        A probe's card holds it and may come from anywhere, so it never allows a model's own code to run.
        """
        options = {
            name: getattr(self, name) for name in ("revision", "dtype", "quantize", "attn_implementation", "adapter")
        }
        options |= {"location": self.location} if self.location != RESIDUAL else {}
        given = [f",{name}={value}" for name, value in options.items() if value and value != "auto"]
        return f"hf:{self.name}{''.join(given)}"

    def check(self) -> None:
        """Raise QprobeError for everything that can be checked before the weights are read."""
        check_device(self.device)
        if self.device_map is not None:
            check_device(self.device_map, SPREADS)
        if self.is_gguf:
            check_gguf(Path(self.name))
        elif self.is_local:
            self._check_folder(Path(self.name))
        elif self.name.startswith((".", "/", "~")) or self.name.count("/") > 1:
            raise QprobeError(f"There is no folder {self.name}.")
        else:
            _check_hub()
        self._check_packages()
        _ = self.config, self.tokenizer
        if self.attn_implementation:
            self._check_attention()
        if self.adapter:
            check_adapter(Path(self.adapter), self.config)

    def _check_folder(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise QprobeError(f"{folder} holds no model: it has no config.json.")
        if not any((folder / name).is_file() for name in TOKENIZER_FILES):
            raise QprobeError(f"The model in {folder} has no tokenizer: save one there with save_pretrained.")

    def _check_packages(self) -> None:
        needed = {"accelerate": self.device_map or self.quantize, "bitsandbytes": self.quantize}
        missing = [package for package, needs in needed.items() if needs and find_spec(package) is None]
        if missing:
            option = "quantize" if self.quantize else "device_map"
            raise QprobeError(f"{option}= needs {' and '.join(missing)}: pip install {' '.join(missing)}.")

    def _check_attention(self) -> None:
        """Raise QprobeError where the model or this machine lacks the implementation of attention."""
        import torch
        from transformers import AutoModel

        try:
            if self.target_device == "cpu" and self.attn_implementation.startswith("flash"):
                raise ValueError("it needs a GPU")
            with quiet(), torch.device("meta"):  # shapes alone: no weights are made
                AutoModel.from_config(  # type: ignore[no-untyped-call]
                    self.config,
                    attn_implementation=self.attn_implementation,
                    trust_remote_code=self.trust_remote_code,
                )
        except (*FAILURES, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0].rstrip(".")
            raise QprobeError(
                f"{self.name} cannot use attn_implementation={self.attn_implementation} here: {reason}."
            ) from error

    @property
    def is_gguf(self) -> bool:
        """True if the name is a file of llama.cpp's format."""
        return self.name.endswith(SUFFIX)

    @property
    def is_local(self) -> bool:
        """True if the name is a folder or a GGUF file."""
        return self.is_gguf or Path(self.name).is_dir()

    @property
    def _folder(self) -> str:
        """The folder or hub id with the configuration and the tokenizer."""
        return str(described(Path(self.name))) if self.is_gguf else self.name

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

    def _read(self, part: str, from_pretrained: Any) -> Any:  # noqa: ANN401
        try:
            with quiet():
                return from_pretrained(self._folder, **self._where)
        except FAILURES as error:
            if self._where["local_files_only"]:
                raise QprobeError(f"{self.name} is not on this machine, and the hub does not answer.") from error
            where = ("file" if self.is_gguf else "folder") if self.is_local else "hub (is the id right?)"
            reason = str(error).strip().split("\n")[0]
            raise QprobeError(f"The {part} of {self.name} cannot be read from the {where}: {reason}") from error

    @cached_property
    def _where(self) -> dict[str, Any]:
        """The arguments of `from_pretrained` that say where to look."""
        offline = not self.is_local and is_out_of_reach()
        return {"revision": self.revision, "trust_remote_code": self.trust_remote_code, "local_files_only": offline}

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
        """The longest input in tokens, as the configuration states it; None for a model without a limit."""
        stated = (getattr(self.config, name, None) for name in CONTEXT_NAMES)
        limit = next((int(value) for value in stated if value is not None), 0)
        return limit if limit > 0 else None  # XLNet's is -1

    def file(self, name: str) -> Path | None:
        """Return the path of a file that comes with the model, downloaded where it is on the hub; None without one."""
        from transformers.utils.hub import cached_file

        if self.is_local:
            return path if (path := Path(self._folder) / name).is_file() else None
        where = {"revision": self.revision, "local_files_only": self._where["local_files_only"]}
        quiet = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
        found = cached_file(self.name, name, **where, **quiet)
        return Path(found) if found else None

    @cached_property
    def fingerprint(self) -> str:
        """The hub's commit, or a digest of the sizes and ends of the folder's files; it changes with the weights.

        Options that round or adapt the weights change it too, and so does the location that is read.
        """
        own = self._own_fingerprint
        changes = [self.dtype * (self.dtype != "auto"), self.quantize]
        changes.append(_folder_digest(Path(self.adapter)) if self.adapter else "")
        if self.attn_implementation:
            changes.append(self.attn_implementation)  # behind the others, whose fingerprints stay
        if self.location != RESIDUAL:
            changes.append(f"location {self.location}")
        return hashlib.sha256("\n".join([own, *changes]).encode()).hexdigest()[:32] if any(changes) else own

    @property
    def _own_fingerprint(self) -> str:
        """The fingerprint without options."""
        if self.is_gguf:
            return file_digest(Path(self.name))
        return _folder_digest(Path(self.name)) if self.is_local else self._commit

    @property
    def _commit(self) -> str:
        """The hub's commit of the files that are read."""
        from huggingface_hub import hf_hub_download

        _ = self.config  # caches the file, in a folder of the commit's name
        return Path(
            hf_hub_download(self.name, "config.json", revision=self.revision, local_files_only=True)
        ).parent.name

    @cached_property
    def target_device(self) -> str:
        """The device that the model runs on; "auto" is the GPU if there is one."""
        import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def overflow(self, quantity: str, dtype: object) -> QprobeError:
        """Return the error for numbers of the model that are NaN or infinite."""
        dtype = str(dtype).removeprefix("torch.")
        if self.quantize:
            remedy = "leave out quantize="
        elif dtype == "float16":
            remedy = "give dtype=bfloat16 or dtype=float32 behind its name"
        elif dtype == "bfloat16":
            remedy = "give dtype=float32 behind its name"
        else:
            remedy = "its files may be damaged; download them again, or choose another model"
        return QprobeError(f"The {quantity} of {self.spec} hold NaN or infinity in {dtype}: {remedy}.")

    def load(self, auto_class: Any, *, new: str = "", **changes: Any) -> Any:  # noqa: ANN401
        """Return the model, read with one of transformers' auto classes and ready for inference.

        Its files may lack the tensors of the module called `new`; `changes` are of its configuration. Raises
        QprobeError where it cannot be loaded.
        """
        import torch

        try:
            with quiet():
                model = self._from_pretrained(auto_class, new, changes)
        except (*FAILURES, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise QprobeError(f"{self.name} does not fit on {self.target_device}: try quantize=8bit.") from error
            reason = str(error).strip().split("\n")[0]
            raise QprobeError(f"The model {self.name} cannot be loaded: {reason}") from error
        return model.eval()

    def _from_pretrained(self, auto_class: Any, new: str, changes: dict[str, Any]) -> Any:  # noqa: ANN401
        from transformers import AutoModel, AutoModelForCausalLM

        backbone = self.adapter is not None and auto_class is AutoModel
        chosen: Any = AutoModelForCausalLM if backbone else auto_class
        placing = self._placing()
        name = self.name
        if self.is_gguf:
            name = str(dequantised(Path(name), self.dtype if self.dtype in ("bfloat16", "float16") else "float32"))
        model, info = chosen.from_pretrained(name, **self._where, **placing, **changes, output_loading_info=True)
        # An encoder's pooler is not used here, and many files lack it.
        absent = (name for name in info["missing_keys"] if "pooler" not in name)
        if missing := sorted(name for name in absent if not new or not name.startswith(f"{new}.")):
            raise ValueError(f"its files lack {len(missing)} of its tensors, such as {missing[0]}")
        if not self.device_map and not self.quantize:
            model = model.to(self.target_device)
        if self.adapter:  # adapters name the layers of the model with its head
            model = with_adapter(model, Path(self.adapter), merge=not self.quantize)
        return model.base_model if backbone else model

    @property
    def precision(self) -> str:
        """The precision of the weights, "auto" for that of the files."""
        if self.dtype == "auto" and self.target_device == "cpu":
            return "float32"  # half precision is slow, and rounds a vector differently, on most CPUs
        return self.dtype

    def _placing(self) -> dict[str, Any]:
        """Return the arguments of `from_pretrained` for the weights' precision and device."""
        from transformers import BitsAndBytesConfig

        placing: dict[str, Any] = {"dtype": self.precision}
        if self.quantize:
            bits = {f"load_in_{self.quantize}": True}
            placing["quantization_config"] = BitsAndBytesConfig(**bits)  # type: ignore[no-untyped-call]
        if self.attn_implementation:
            placing["attn_implementation"] = self.attn_implementation
        if self.device_map or self.quantize:
            placing["device_map"] = self.device_map or self.target_device
        return placing


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries from printing: an error is one sentence, and a bar of theirs writes into ours.

    Their report of unused weights lists the head that an embedder has no use for.
    """
    from transformers.utils import logging as theirs

    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]
    theirs.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it reports each product that it rounds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_hub() -> None:
    """Raise QprobeError for a cache, a proxy or certificates that the hub's client could not use."""
    from huggingface_hub import constants

    if constants.HF_HUB_CACHE.startswith("~"):
        raise QprobeError(
            "There is no home folder to keep models in: set the environment variable HF_HOME to a folder."
        )
    if not constants.HF_HUB_OFFLINE:
        proxy_for(constants.ENDPOINT)
        certificates()


def _folder_digest(folder: Path, ends: int = 2**20) -> str:
    """Return a sha256 of the names, sizes, first and last MiB of a model's files: 15 GB would take a minute to read."""
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
