"""Shards: the files in which a run keeps vectors, each with some views of one embedder.

An embedding with more views than the run holds makes a shard for the missing ones alone, so that neither more layers
nor more samples repeat work.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import QprobeError
from harness.models.engine import View
from harness.runs.completion import SampleId
from harness.runs.settings import SHARD
from harness.runs.store import Store
from harness.runs.vector_file import SUFFIX, Precision, VectorFile


@dataclass(frozen=True, slots=True)
class VectorShard:
    """Some views of one embedder, one row per sample."""

    key: str
    views: tuple[View, ...]
    file: VectorFile


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """The vectors that an embedding is to hold."""

    embedder: Mapping[str, Any]  # the embedder's identity
    views: tuple[View, ...]
    width: int
    precision: Precision = "float32"

    @property
    def key(self) -> str:
        """The name of these views of this embedder in a run."""
        return self._key(self.views)

    def _key(self, views: Sequence[View]) -> str:
        text = json.dumps([dict(self.embedder), views, self.precision], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def shards(self, store: Store) -> tuple[VectorShard, ...]:
        """Return the shards that hold these views: existing ones, and a new one for views without a shard."""
        missing, used = dict.fromkeys(self.views), []
        for key, about in store.about.shards.items():
            if (about["embedder"], about["precision"]) == (self.embedder, self.precision):
                shard = open_shard(store, key)
                if missing.keys() & set(shard.views):
                    used.append(shard)
                    missing = dict.fromkeys(view for view in missing if view not in shard.views)
        return (*used, self._new_shard(store, tuple(missing))) if missing else tuple(used)

    def _new_shard(self, store: Store, views: tuple[View, ...]) -> VectorShard:
        about = {"embedder": self.embedder, "views": views, "width": self.width, "precision": self.precision}
        store.note(f"{SHARD}{self._key(views)}", about)
        return open_shard(store, self._key(views))


def open_shard(store: Store, key: str) -> VectorShard:
    """A shard of the run by its key."""
    about = store.about.shards[key]
    views = tuple(View(*view) for view in about["views"])
    path = store.folder / f"vectors-{key}.{SUFFIX[about['precision']]}"
    return VectorShard(key, views, VectorFile(path, (len(views), about["width"]), about["precision"]))


def read_views(store: Store, view: str, ids: Sequence[SampleId]) -> dict[View, NDArray[np.float32]]:
    """The vectors of one embedding, one [samples, width] float32 array per layer and pooling, in the order of `ids`.

    Raises QprobeError where a sample has none yet.
    """
    embedding = store.about.embeddings[view]
    if embedding.shards is None:
        raise QprobeError(f"Another version of qprobe made these vectors: run qprobe embed {store.folder} again.")
    by_view: dict[View, NDArray[np.float32]] = {}
    for key in embedding.shards:
        shard, rows = open_shard(store, key), store.vector_rows(key)
        if missing := sum(sample not in rows for sample in ids):
            raise QprobeError(f"{missing:,} samples have no vectors yet: run qprobe embed {store.folder} again.")
        places, vectors = [rows[sample] for sample in ids], shard.file.read()
        for column, shard_view in enumerate(shard.views):
            by_view[shard_view] = np.asarray(vectors[places, column], dtype=np.float32)
    return {wanted: by_view[wanted] for wanted in embedding.views}
