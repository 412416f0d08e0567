"""Vectors as one file beside a file of samples, so that probes can be trained without the model.

A safetensors file: one tensor [rows, width] in float16 for each layer and pooling, named as in tables ("24/mean"), and
`samples`, the first 16 bytes of each sample's hash. Samples are found by what they hold, not by their index, so that
equal ones share a row and a file of samples may be in any order.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from benchmarks.data_files import user_path
from harness.errors import QprobeError
from harness.models.engine import View
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.runs.untrusted import MAX_WIDTH
from harness.runs.vector_store import EmbeddingSpec, read_views
from harness.stages.embed import VectorWriting

FORMAT = "qprobe-vectors/1"
SAMPLES = "samples"
HASH_BYTES = 16

Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class SharedVectors:
    """The vectors of a file."""

    embedder: str  # the model as its user named it
    identity: Mapping[str, Any]  # all that a vector depends on besides its view
    by_view: Mapping[View, Halves]  # [rows, width]
    rows: Mapping[bytes, int]  # by the hash of a sample


def sample_hash(completion: Completion) -> bytes:
    """Return the first bytes of a hash of a sample's problem, text and program."""
    text = json.dumps([completion.problem_id, completion.text, completion.program])
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]


def export_vectors(store: Store, file: BinaryIO) -> int:
    """Write the vectors of the run's last embedding, one row for equal samples, and return the number of rows.

    Raises QprobeError where the run has none, a sample lacks its own, or a number is beyond float16.
    """
    embedding = store.about.require_embedding(store.folder)
    samples = {sample_hash(completion): completion.id for completion in store.completions()}
    by_view = read_views(store, store.about.view or "", list(samples.values()))
    tensors: dict[str, NDArray[Any]] = {str(view): _halves(vectors) for view, vectors in by_view.items()}
    tensors[SAMPLES] = np.frombuffer(b"".join(samples), np.uint8).reshape(-1, HASH_BYTES)
    about = {"embedder": embedding.embedder, "identity": json.dumps(dict(embedding.identity), sort_keys=True)}
    file.write(save(tensors, metadata={"format": FORMAT, **about}))
    return len(samples)


def _halves(vectors: NDArray[np.float32]) -> Halves:
    with np.errstate(over="ignore"):
        halves = vectors.astype(np.float16)
    if not np.isfinite(halves).all():
        raise QprobeError("A vector holds numbers beyond float16's 65504, in which vectors are exported.")
    return halves


def read_vectors(path: Path) -> SharedVectors:
    """Read a file of vectors. Raises QprobeError for any other file."""
    path = user_path(path)
    if not path.is_file():
        raise QprobeError(f"{path}: no such file of vectors.")
    try:
        with safe_open(path, framework="numpy") as opened:
            about = opened.metadata() or {}
            if about.get("format") != FORMAT:
                raise ValueError(f"it is not in the format {FORMAT}")
            names = [name for name in opened.keys() if name != SAMPLES]  # noqa: SIM118 - no mapping
            by_view = {View.parse(name): opened.get_tensor(name) for name in names}
            hashes = opened.get_tensor(SAMPLES)
        _check(by_view, hashes)
        rows = {row.tobytes(): place for place, row in enumerate(hashes)}
        return SharedVectors(str(about["embedder"]), dict(json.loads(about["identity"])), by_view, rows)
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise QprobeError(f"{path} is no file of vectors, as qprobe export writes it: {error}.") from error


def _check(by_view: Mapping[View, NDArray[Any]], hashes: NDArray[Any]) -> None:
    """Raise ValueError unless all tensors fit together and hold numbers."""
    if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] != HASH_BYTES or not by_view:
        raise ValueError("it has no samples or no layers")
    width = next(iter(by_view.values())).shape[-1]
    for view, vectors in by_view.items():
        if vectors.dtype != np.float16 or vectors.shape != (len(hashes), width) or not 0 < width <= MAX_WIDTH:
            raise ValueError(f"the vectors {view} do not fit its samples")
        if not np.isfinite(vectors).all():
            raise ValueError(f"the vectors {view} hold NaN or infinity")


def import_vectors(store: Store, shared: SharedVectors) -> int:
    """Give the run's samples their vectors, and return the number of samples that the file has none for.

    Raises QprobeError where it has none at all.
    """
    found, lacking = _found(store, shared)
    if not found:
        raise QprobeError("The file of vectors is of other samples: none of the run's is among them.")
    views, width = tuple(shared.by_view), next(iter(shared.by_view.values())).shape[1]
    spec = EmbeddingSpec(shared.identity, views, width, "float16")
    writing = VectorWriting(store, spec.shards(store))
    order = [list(views).index(view) for view in writing.views]
    for rows in found.values():  # a problem at a time
        vectors = np.stack([shared.by_view[view][list(rows)] for view in views], axis=1).astype(np.float32)
        writing.write(list(rows.values()), vectors[:, order])
    writing.describe(spec.key, shared.embedder, shared.identity, views)
    store.note("view", spec.key)
    return lacking


def _found(store: Store, shared: SharedVectors) -> tuple[dict[str, dict[int, list[SampleId]]], int]:
    """Return, by problem and row of the file, the samples that it has vectors for, and how many it lacks."""
    found: dict[str, dict[int, list[SampleId]]] = defaultdict(lambda: defaultdict(list))
    lacking = 0
    for completion in store.completions():
        row = shared.rows.get(sample_hash(completion))
        if row is None:
            lacking += 1
        else:
            found[completion.problem_id][row].append(completion.id)
    return found, lacking
