"""Decoding of models that keep more than keys and values: transformers' own `generate`, one prompt at a time.

It is slower: a row that has ended waits for the others. Rows of one prompt need no padding, which such models may not
ignore.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from transformers import GenerationConfig

from harness.models.engine import Generated
from harness.models.hf.decoding import Job, generated
from harness.models.hf.stopping_criteria import RowStops
from harness.models.sampling import Sampling, SeededDraws
from harness.models.stop_strings import StopFinder
from harness.models.token_text import TokenText


class BatchDecoder:
    """Runs jobs through a model, at most `rows` of one prompt at a time."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - transformers' own
        device: str,
        token_text: TokenText,
        end_tokens: Sequence[int],
        sampling: Sampling,
        rows: int,
    ) -> None:
        self._model, self._device, self._token_text = model, device, token_text
        self._end_tokens, self._sampling, self._size = end_tokens, sampling, rows

    @torch.inference_mode()
    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Generated]]:
        """Draw all jobs and yield each with its position. Jobs of one prompt are neighbours."""
        for prompt, group in groupby(jobs, key=lambda job: job.prompt):
            members = list(group)
            for first in range(0, len(members), self._size):
                yield from self._batch(prompt, members[first : first + self._size])

    def _batch(self, prompt: tuple[int, ...], jobs: Sequence[Job]) -> Iterator[tuple[int, Generated]]:
        ids = torch.tensor([prompt] * len(jobs), device=self._device)
        draws = SeededDraws(self._sampling, [job.seed for job in jobs], [job.greedy for job in jobs])
        stops = RowStops(self._end_tokens, [StopFinder(self._token_text, job.stop) for job in jobs], len(prompt))
        out = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=self._plain_config(),
            logits_processor=[draws],
            stopping_criteria=[stops],
        )
        for row, (job, drawn) in enumerate(zip(jobs, out[:, len(prompt) :].tolist(), strict=True)):
            tokens = stops.length(row, len(drawn))
            kept, reason = tuple(drawn[:tokens]), "stop" if stops.ended(row) else "length"
            text = self._token_text.written(kept, self._end_tokens)
            yield job.position, generated(text, reason, kept, draws.confidence(row, tokens))

    def _plain_config(self) -> GenerationConfig:
        """Return a greedy configuration, as SeededDraws leaves one token; a model's own may add penalties or top-k."""
        return GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            max_new_tokens=self._sampling.max_new_tokens,
            pad_token_id=self._end_tokens[0] if self._end_tokens else 0,
        )
