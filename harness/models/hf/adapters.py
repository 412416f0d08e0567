"""PEFT adapters: small sets of weights, trained on top of a model and added to it when it is loaded."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from benchmarks.data_files import parse_json
from harness.errors import QprobeError

WEIGHTS = "adapter_model.safetensors"


def check_adapter(folder: Path, config: Any) -> None:  # noqa: ANN401 - transformers' own
    """Raise QprobeError where a folder holds no adapter, or one of a model of another shape."""
    if not (folder / "adapter_config.json").is_file() or not (folder / WEIGHTS).is_file():
        raise QprobeError(f"{folder} holds no adapter: it needs the files adapter_config.json and {WEIGHTS}.")
    base = base_of(folder)
    for name, shape in _shapes(folder).items():
        layer = next((int(part) for part in name.split(".") if part.isdecimal()), 0)
        wide = name.endswith("lora_A.weight") and ("q_proj" in name or "k_proj" in name or "v_proj" in name)
        if layer >= config.num_hidden_layers or (wide and shape[-1] != config.hidden_size):
            raise _misfit(folder, base)


def base_of(folder: Path) -> str:
    """Return the model that an adapter names as its base."""
    try:
        config = parse_json((folder / "adapter_config.json").read_text(encoding="utf-8"))
        return str(config.get("base_model_name_or_path") or "an unnamed model")
    except (ValueError, AttributeError) as error:
        raise QprobeError(f"{folder}/adapter_config.json is not JSON ({error}): save the adapter again.") from error


def _shapes(folder: Path) -> dict[str, list[int]]:
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise QprobeError(f"{folder / WEIGHTS} cannot be read ({error}): save the adapter again.") from error


def _misfit(folder: Path, base: str) -> QprobeError:
    return QprobeError(f"The adapter in {folder} belongs to another model: its base is {base}.")


def with_adapter(model: Any, folder: Path, *, merge: bool) -> Any:  # noqa: ANN401
    """Return the model with an adapter, whose weights are added to its own if `merge`.

    Raises QprobeError for an adapter of another model.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError as error:
        raise QprobeError("Adapters need the package peft: pip install peft.") from error
    try:
        adapted = PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, KeyError) as error:
        raise _misfit(folder, base_of(folder)) from error
    if set(get_peft_model_state_dict(adapted)) != set(_shapes(folder)):
        raise _misfit(folder, base_of(folder))
    return adapted.merge_and_unload() if merge else adapted.get_base_model()
