"""The state of an unfinished training: one file, written whole or not at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from harness.errors import QprobeError
from harness.runs.atomic import atomic_write

FILE = "checkpoint.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""The tensors that AdamW keeps for each parameter."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The place of the state, and the key of the training that it belongs to."""

    folder: Path
    key: str  # a digest of all that the training depends on

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / FILE

    def save(
        self, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, step: int, losses: list[float]
    ) -> None:
        """Write the state after `step` steps."""
        tensors = {f"parameter {name}": tensor.detach() for name, tensor in parameters.items()}
        for name, tensor in parameters.items():
            for moment in MOMENTS:
                tensors[f"{moment} {name}"] = optimizer.state[tensor][moment]
        state = {"key": self.key, "step": step, "losses": losses}
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path) as draft:
            whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
            save_file(whole, draft, {"qprobe": json.dumps(state)})

    def load(self, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> tuple[int, list[float]]:
        """Take the state up, and return the steps done and their losses; none where there is no file.

        Raises QprobeError for a damaged file, or the state of another training.
        """
        if not self.path.is_file():
            return 0, []
        try:
            with safe_open(self.path, framework="pt") as file:
                state = json.loads(file.metadata()["qprobe"])
                self._check(state)
                with torch.no_grad():
                    for name, tensor in parameters.items():
                        tensor.copy_(file.get_tensor(f"parameter {name}"))
                        moments = {moment: file.get_tensor(f"{moment} {name}").to(tensor.device) for moment in MOMENTS}
                        optimizer.state[tensor] = {"step": torch.tensor(float(state["step"])), **moments}
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise QprobeError(f"{self.path} is damaged ({error}): remove it to begin the training anew.") from error
        return int(state["step"]), list(state["losses"])

    def _check(self, state: Mapping[str, object]) -> None:
        if state["key"] != self.key:
            raise QprobeError(
                f"{self.folder} holds an unfinished training with other data or settings: give the same ones, name "
                f"another --output, or remove {self.path}."
            )

    def remove(self) -> None:
        """Remove the file: the training has ended."""
        self.path.unlink(missing_ok=True)
