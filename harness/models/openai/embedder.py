"""Vectors of texts from an OpenAI-compatible server's embeddings endpoint."""

import asyncio
from array import array
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from harness.errors import QprobeError
from harness.models.characters import whole_characters
from harness.models.engine import View
from harness.models.openai.server import ContextError, Server
from harness.models.spec import parse_spec
from harness.models.tokens import Text, Tokens
from harness.models.vectors import Vectors

TEXTS = 64
"""The number of texts per request."""

PAD = b"\xff"  # occurs in no UTF-8


class OpenAIEmbedder:
    """One embedding model on one server, which gives one vector per text, of prompt and completion together."""

    views = (View(0, "text"),)
    shares_prompts = False

    def __init__(
        self, spec: str, *, layers: str | None = None, pooling: str | None = None, device: str = "auto"
    ) -> None:
        """Raise QprobeError for a wrong option or a missing key, and for a choice of layers or poolings."""
        self.server = Server(parse_spec(spec, ("openai",)))
        if (layers or "0", pooling or "text") != ("0", "text"):
            raise QprobeError("A server gives one vector per text: leave out --layers and --pooling.")

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"openai:{self.server.model}"

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a vector depends on, as far as a server tells."""
        return {"engine": "openai", "model": self.server.model}

    @cached_property
    def width(self) -> int:
        """The width of a vector, measured on one text."""
        return int(self._vectors(["x"]).shape[1])

    def tokenise(self, text: Text) -> Tokens:
        """Return the text in units of four bytes: a server does not tell its tokens, which are about as long."""
        prompt, completion = _units(text.prompt), _units(text.completion)
        whole = len(prompt) + len(completion)
        return Tokens(prompt + completion, len(prompt), whole, whole, cut=False)

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """Return the vectors [samples, 1, width]. Raises QprobeError for any other answer."""
        return self._vectors([text_of(sample.ids) for sample in samples])[:, None]

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        try:
            return asyncio.run(self._ask(texts))
        except ContextError as error:
            raise QprobeError(f"A sample is longer than {self.name} reads: choose another --embedder.") from error

    async def _ask(self, texts: Sequence[str]) -> Vectors:
        limit = asyncio.Semaphore(self.server.concurrency)
        async with self.server.client() as client:

            async def vectors_of(batch: Sequence[str]) -> Vectors:
                async with limit:
                    return await self._batch(client, batch)

            starts = range(0, len(texts), TEXTS)
            return np.concatenate(await asyncio.gather(*(vectors_of(texts[start : start + TEXTS]) for start in starts)))

    async def _batch(self, client: Any, texts: Sequence[str]) -> Vectors:  # noqa: ANN401 - an extra's own type
        body = {"model": self.server.model, "input": [text or " " for text in texts], "encoding_format": "float"}
        answer = await self.server.ask(client.embeddings.with_raw_response.create, body)
        try:
            rows = [row.embedding for row in sorted(answer.data, key=lambda row: row.index)]
            found = np.asarray(rows, dtype=np.float32)
        except (AttributeError, TypeError, ValueError) as error:
            raise self.server.nonsense() from error
        if found.ndim != 2 or len(found) != len(texts):
            raise self.server.nonsense()
        if not np.isfinite(found).all():
            raise QprobeError(
                f"The server at {self.server.url} answers with vectors that hold NaN or infinity: "
                "choose another --embedder."
            )
        return found


def _units(text: str) -> list[int]:
    written = whole_characters(text).encode()
    return array("I", written + PAD * (-len(written) % 4)).tolist()


def text_of(units: Sequence[int]) -> str:
    """Return the text that `tokenise` divided."""
    return array("I", units).tobytes().replace(PAD, b"").decode("utf-8")
