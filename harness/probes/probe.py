"""The trained probe: a frozen function of a model's hidden states, saved as one file with a card of its origin.

A linear probe of one view loads without this package:

    from safetensors.torch import load_file
    tensors = load_file("probe.safetensors")
    scores = vectors @ tensors["project"][0, 0] + tensors["offset"][0, 0]
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchmarks.data_files import parse_json
from harness.probes.forms import Weights, find_form
from harness.probes.samples import ProbeError, View
from harness.stats.rules import ARG_MAX

ADAM, CLOSED_FORM = "Adam", "closed form"


@dataclass(frozen=True)
class Card:
    """The origin of a probe: its inputs, its training and its figures."""

    form: str
    views: tuple[View, ...]  # the layers and poolings it reads, in the order of its weights
    width: int  # of the vectors, with the features behind them
    objective: str
    beta: float  # temperature of its best softmax selection; 0 where none was tried
    rule: str = ARG_MAX  # the best rule of selection by the inner folds: softmax, arg max, or arg max among k
    k: int | None = None  # samples of its best arg max among k; None where none was tried
    model: str = ""  # the model whose hidden states it reads; "" while unnamed
    fingerprint: str = ""  # changes with that model's weights
    benchmark: str = ""  # the benchmark of its training problems
    prompt: str = ""  # the prompt preset of its training samples
    data: str = ""  # digest of its training samples and their rewards
    problems: int = 0  # number of training problems
    folds: int = 0  # folds of the cross-validation that gave `figures`
    solver: str = ""  # ADAM or CLOSED_FORM; "" where it is not known
    training: Mapping[str, float] = field(default_factory=dict)  # l2; by gradients learning_rate, beta, epochs too
    features: tuple[str, ...] = ()  # behind the numbers of each vector: see harness/probes/added_features.py
    log_probabilities_of: str = ""  # fingerprint of the model whose log-probabilities are among them
    figures: Mapping[str, float] = field(default_factory=dict)  # out-of-fold figures: pass@1, probed, gain and others

    def to_json(self) -> str:
        """The card as one JSON object."""
        return json.dumps(asdict(self) | {"views": [list(view) for view in self.views]}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Card":
        """Read a card; fields of later versions are ignored. Raises ProbeError for any other text."""
        try:
            values = parse_json(text)
            present = {entry.name: values[entry.name] for entry in fields(cls) if entry.name in values}
            present["features"] = tuple(values.get("features", ()))
            present["views"] = tuple(View(int(layer), str(pooling)) for layer, pooling in present["views"])
            return cls(**present)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise ProbeError(f"The probe's card cannot be read: {error}.") from error


@dataclass(frozen=True)
class Probe:
    """A trained probe. Its weights apply to the raw vectors of its model; standardisation is folded into them."""

    card: Card
    weights: Weights = field(repr=False)

    def __call__(self, vectors: Tensor | Sequence[Tensor]) -> Tensor:
        """Scores [...] of vectors [..., D]: one tensor, or one for each view of the card. Higher is better.

        Raises ProbeError for vectors of another width or number, which cannot be those of the card's model.
        """
        views = [vectors] if isinstance(vectors, Tensor) else list(vectors)
        if len(views) != len(self.card.views) or any(view.shape[-1] != self.card.width for view in views):
            given = ", ".join(str(view.shape[-1]) for view in views)
            raise ProbeError(f"The probe reads {self._reads()}, not vectors of width {given}.")
        project_VHD, offset_VH = self.weights["project"], self.weights["offset"]
        flat = [view.reshape(-1, self.card.width).to(project_VHD) for view in views]
        with torch.no_grad():
            maps_RVH = torch.stack([rows @ project_VHD[v].T for v, rows in enumerate(flat)], 1) + offset_VH
            together = {name: weight[None] for name, weight in self.weights.items()}
            return find_form(self.card.form).head(maps_RVH[None], together)[0].view(views[0].shape[:-1])

    def to(self, target: torch.device | torch.dtype | str) -> "Probe":
        """The same probe on another device, or in another precision."""
        return replace(self, weights={name: weight.to(target) for name, weight in self.weights.items()})

    def reading(self, features: Sequence[str]) -> "Probe":
        """The same probe with these features on its card."""
        return replace(self, card=replace(self.card, features=tuple(features)))

    def save(self, path: Path) -> None:
        """Write the probe as one safetensors file, its card under `card` in the metadata."""
        tensors = {name: weight.contiguous().cpu() for name, weight in self.weights.items()}
        path.write_bytes(save(tensors, metadata={"format": "pt", "card": self.card.to_json()}))

    def require_model(self, model: str, fingerprint: str = "") -> None:
        """Raise ProbeError unless the probe reads the hidden states of that model.

        Where both fingerprints are known they decide: a folder may have been renamed, or its weights replaced.
        """
        own, named = self.card.fingerprint, self.card.model or "an unnamed model"
        same = own == fingerprint if own and fingerprint else self.card.model == model
        if same:
            return
        other = f"{model} with other weights" if model == named else model
        raise ProbeError(f"The probe reads vectors of {named}, not of {other}: embed with the probe's model.")

    def _reads(self) -> str:
        features = f" ending with {', '.join(self.card.features)}" if self.card.features else ""
        model = self.card.model or "an unnamed model"
        return f"{len(self.card.views)} view(s) of width {self.card.width}{features} of {model}"


def load_probe(path: Path, *, model: str | None = None) -> Probe:
    """Read a probe; with `model`, refuse one that was trained on another model's vectors.

    Raises ProbeError where the file is missing, is not a probe, or has the card of another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError) as error:
        raise ProbeError(f"{path} is not a probe file: {error}.") from error
    if "card" not in metadata:
        raise ProbeError(f"{path} is not a probe file: its metadata has no card.")
    probe = Probe(Card.from_json(metadata["card"]), weights)
    try:
        _check_weights(probe)
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ProbeError(f"{path} is not a probe file: its weights are not those of its card ({error}).") from error
    if model is not None:
        probe.require_model(model)
    return probe


def _check_weights(probe: Probe) -> None:
    """Raise ValueError where the weights have other names or shapes than the card's form gives them."""
    card, weights = probe.card, probe.weights
    form, views = find_form(card.form), len(card.views)
    shape = tuple(weights["project"].shape) if "project" in weights else ()
    if not views or len(shape) != 3 or (shape[0], shape[2]) != (views, card.width):
        raise ValueError(f"{views} views of width {card.width!r}, and 'project' of shape {shape}")
    wanted = form.start(views, card.width, torch.Generator().manual_seed(0))
    for name in {*wanted, *weights}:
        shapes = [tuple(given[name].shape) for given in (wanted, weights) if name in given]
        if len(shapes) < 2 or shapes[0] != shapes[1] or not weights[name].is_floating_point():
            raise ValueError(f"{name!r} is missing or has another shape")
