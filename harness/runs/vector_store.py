"""Shards: the files in which a run keeps vectors, each with some views of one embedder.

An embedding with more views than the run holds makes a shard for the missing ones alone, so that neither more layers
nor more samples repeat work.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import QprobeError
from harness.models.engine import View
from harness.runs.completion import SampleId
from harness.runs.settings import SHARD
from harness.runs.store import Store
from harness.runs.untrusted import check_shard, readable
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
    with readable(store.folder / "run.sqlite"):
        about = store.about.shards[key]
        check_shard(key, about)
        views = tuple(View(*view) for view in about["views"])
        path = store.folder / f"vectors-{key}.{SUFFIX[about['precision']]}"
    return VectorShard(key, views, VectorFile(path, (len(views), about["width"]), about["precision"]))


def read_views(store: Store, view: str, ids: Sequence[SampleId]) -> dict[View, NDArray[np.float32]]:
    """The vectors of one embedding, one [samples, width] float32 array per layer and pooling, in the order of `ids`.

    Raises QprobeError where a sample has none yet.
    """
    return StoredVectors.open(store, view).read(ids)


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """The vectors of one embedding, read as they are asked for."""

    folder: Path  # of the run
    views: tuple[View, ...]
    shards: tuple[tuple[VectorShard, Mapping[SampleId, int]], ...]  # each with the row of every sample

    @classmethod
    def open(cls, store: Store, view: str) -> "StoredVectors":
        """Raise QprobeError where an earlier version of qprobe made the vectors."""
        embedding = store.about.embeddings[view]
        if embedding.shards is None:
            raise QprobeError(f"Another version of qprobe made these vectors: run qprobe embed {store.folder} again.")
        shards = tuple((open_shard(store, key), store.vector_rows(key)) for key in embedding.shards)
        return cls(store.folder, tuple(View(*one) for one in embedding.views), shards)

    @property
    def has_files(self) -> bool:
        """True if no file was removed."""
        return all(shard.file.path.is_file() for shard, _ in self.shards)

    def missing(self, ids: Sequence[SampleId]) -> int:
        """The number of samples without a vector."""
        return max((sum(sample not in rows for sample in ids) for _, rows in self.shards), default=0)

    def read(self, ids: Sequence[SampleId]) -> dict[View, NDArray[np.float32]]:
        """One [samples, width] array per layer and pooling. Raises QprobeError where a sample has none yet."""
        if missing := self.missing(ids):
            raise QprobeError(f"{missing:,} samples have no vectors yet: run qprobe embed {self.folder} again.")
        by_view: dict[View, NDArray[np.float32]] = {}
        for shard, rows in self.shards:
            places = [rows[sample] for sample in ids]
            vectors = shard.file.read(min(places, default=0), max(places, default=-1))
            for column, shard_view in enumerate(shard.views):
                by_view[shard_view] = np.asarray(vectors[places, column], dtype=np.float32)
        return {wanted: by_view[wanted] for wanted in self.views}
