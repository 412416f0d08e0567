"""Vectors of texts from an OpenAI-compatible server's embeddings endpoint."""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.models.openai_server import Server
from harness.models.spec import parse_spec

BATCH = 64
"""Texts in one request."""


class OpenAIEmbeddings:
    """One embedding model on one server."""

    def __init__(self, spec: str) -> None:
        """Raises QprobeError for a wrong option or a missing key."""
        self.server = Server(parse_spec(spec, ("openai",)))

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"openai:{self.server.model}"

    @cached_property
    def width(self) -> int:
        """The width of a vector: the server is asked for one."""
        return int(self.vectors(["x"]).shape[1])

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors [texts, width], in the order of the texts. Raises QprobeError for whatever else is answered."""
        return asyncio.run(self._vectors(texts))

    async def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        limit = asyncio.Semaphore(self.server.concurrency)
        async with self.server.client() as client:

            async def some(batch: Sequence[str]) -> NDArray[np.float32]:
                async with limit:
                    return await self._batch(client, batch)

            starts = range(0, len(texts), BATCH)
            return np.concatenate(await asyncio.gather(*(some(texts[start : start + BATCH]) for start in starts)))

    async def _batch(self, client: Any, texts: Sequence[str]) -> NDArray[np.float32]:  # noqa: ANN401
        body = {"model": self.server.model, "input": [text or " " for text in texts], "encoding_format": "float"}
        answer = await self.server.ask(client.embeddings.with_raw_response.create, body)
        try:
            rows = [row.embedding for row in sorted(answer.data, key=lambda row: row.index)]
            found = np.asarray(rows, dtype=np.float32)
        except (AttributeError, TypeError, ValueError) as error:
            raise self.server.nonsense() from error
        if found.ndim != 2 or len(found) != len(texts):
            raise self.server.nonsense()
        return found
