"""The decoding loop: continuous batching, in which a sequence that ends makes place for the next.

A prompt is computed and kept once for all its samples. Slots whose row has ended are given to waiting jobs a few at a
time; when none waits, the last active rows move into them. So no sequence waits for a longer one.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harness.models.completion_states import CompletionStates
from harness.models.engine import Generated
from harness.models.hf.captured import StateRing
from harness.models.hf.forward import Forward
from harness.models.hf.kv_cache import Prefilled, SlotCache
from harness.models.logit_rules import earlier_tokens
from harness.models.sampling import Confidence, Sampling, draw, uniforms
from harness.models.stop_strings import StopFinder
from harness.models.token_text import TokenText

PREFILL_PROMPTS = 8
"""The number of prompts computed in one pass."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request as tokens."""

    position: int  # of the request
    prompt: tuple[int, ...]
    stop: tuple[str, ...]
    seed: int
    greedy: bool


@dataclass(slots=True)
class ActiveRow:
    """A sequence that is being decoded."""

    job: Job
    finder: StopFinder
    numbers: list[float]  # the random numbers of its draws
    ids: list[int] = field(default_factory=list)
    confidence: Confidence = field(default_factory=Confidence)
    finish_reason: str = ""  # "" until it has ended
    states_LD: Tensor | None = None  # of the prompt's last token, where states are captured

    @property
    def length(self) -> int:
        """The number of the row's positions in the cache: the last token drawn is not there yet."""
        return len(self.ids) - 1


def generated(
    text: str,
    finish_reason: str,
    ids: tuple[int, ...],
    confidence: Confidence,
    states: CompletionStates | None = None,
) -> Generated:
    """Return a completion that has ended, as engines yield it."""
    least, certainty = confidence.least_logprob, confidence.self_certainty
    return Generated(text, finish_reason, len(ids), confidence.logprob, ids, states, least, certainty)


class Decoder:
    """Runs jobs through a model, at most `rows` at a time."""

    def __init__(
        self, forward: Forward, token_text: TokenText, end_tokens: Sequence[int], sampling: Sampling, rows: int
    ) -> None:
        self._forward, self._token_text, self._sampling = forward, token_text, sampling
        self._end_tokens, self._size = frozenset(end_tokens), rows
        self._waiting: deque[Job] = deque()
        self._rows: list[ActiveRow] = []  # row i is in slot i; an ended row stays until its slot is reused
        self._slots: SlotCache | None = None
        self._prefilled: dict[tuple[int, ...], Prefilled] = {}
        self._prompt_slots: dict[tuple[int, ...], int] = {}
        self._ring: StateRing | None = None

    @torch.inference_mode()
    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Generated]]:
        """Draw all jobs and yield each with its position when it ends. Jobs of one prompt are neighbours."""
        self._waiting.extend(jobs)
        self._size = min(self._size, len(jobs))
        while True:
            yield from self._admit()
            self._compact()
            if not self._rows or self._slots is None:
                return
            self._slots.use([row.length for row in self._rows])
            logits_NV = self._forward.step([row.ids[-1] for row in self._rows], self._slots)
            self._capture()
            yield from self._draw(self._rows, logits_NV)

    def _draw(self, rows: Sequence[ActiveRow], logits_NV: Tensor) -> Iterator[tuple[int, Generated]]:
        """Draw one more token of every active row, and yield the rows that end with it.

        Raises FloatingPointError for logits that hold NaN or infinity.
        """
        numbers = [row.numbers[min(len(row.ids), len(row.numbers) - 1)] for row in rows]
        greedy = [row.job.greedy for row in rows]
        greedy_N = torch.tensor(greedy, device=logits_NV.device) if any(greedy) else None
        uniforms_N = torch.tensor(numbers, dtype=torch.float64, device=logits_NV.device)
        earlier = earlier_tokens([(row.job.prompt, row.ids) for row in rows], self._sampling, logits_NV.device)
        tensors = draw(logits_NV, uniforms_N, self._sampling, greedy_N, earlier)
        drawn = torch.stack([each.double() for each in tensors]).tolist()  # one transfer from a GPU
        for slot, (row, token, logprob, certainty) in enumerate(zip(rows, *drawn, strict=True)):
            if not row.finish_reason:
                if not math.isfinite(logprob):
                    raise FloatingPointError
                row.ids.append(int(token))
                row.confidence.add(logprob, certainty)
                row.finish_reason = self._finish_reason(row)
                if row.finish_reason:
                    yield row.job.position, self._generated(row, slot)

    def _finish_reason(self, row: ActiveRow) -> str:
        if row.ids[-1] in self._end_tokens or row.finder.found(row.ids):
            return "stop"
        return "length" if len(row.ids) == self._sampling.max_new_tokens else ""

    def _generated(self, row: ActiveRow, slot: int) -> Generated:
        """Return a row that has ended. One that ended with its first token was in no slot, and has no states."""
        text = self._token_text.written(row.ids, self._end_tokens)
        states = None
        if self._ring is not None and row.states_LD is not None and row.length:
            states = self._ring.states(slot, row.length, row.states_LD)
        return generated(text, row.finish_reason, tuple(row.ids), row.confidence, states)

    def _capture(self) -> None:
        """Keep the states of the tokens that the last step read."""
        if self._forward.watch is None:
            return
        states_NLD = self._forward.watch.of_step(len(self._rows))
        self._ring = self._ring or StateRing(self._forward.watch.layers, self._size, states_NLD)
        self._ring.add(states_NLD, [row.length for row in self._rows])

    # -- slots ---------------------------------------------------------------------------------------------------

    def _admit(self) -> Iterator[tuple[int, Generated]]:
        """Give slots to waiting jobs once an eighth is free; each draws its first token from its prompt's logits."""
        while self._waiting:
            free = self._free_slots()
            if len(free) < max(1, self._size // 8):
                return
            jobs = [self._waiting.popleft() for _ in range(min(len(free), len(self._waiting)))]
            self._prefill(jobs)
            rows = [self._row(job) for job in jobs]
            yield from self._draw(rows, torch.stack([self._prefilled[job.prompt].logits_V for job in jobs]))
            self._place(free, [row for row in rows if not row.finish_reason])

    def _free_slots(self) -> list[int]:
        ended = [slot for slot, row in enumerate(self._rows) if row.finish_reason]
        return [*ended, *range(len(self._rows), self._size)]

    def _row(self, job: Job) -> ActiveRow:
        numbers = uniforms(job.seed, self._sampling.max_new_tokens).tolist()
        finder, prefilled = StopFinder(self._token_text, job.stop), self._prefilled[job.prompt]
        return ActiveRow(job, finder, numbers, states_LD=prefilled.states_LD)

    def _prefill(self, jobs: Sequence[Job]) -> None:
        """Compute the jobs' prompts, except those that are already computed."""
        wanted = dict.fromkeys(job.prompt for job in jobs)
        self._prefilled = {prompt: kept for prompt, kept in self._prefilled.items() if prompt in wanted}
        new = sorted((prompt for prompt in wanted if prompt not in self._prefilled), key=len)
        for first in range(0, len(new), PREFILL_PROMPTS):
            prompts = new[first : first + PREFILL_PROMPTS]
            self._prefilled |= zip(prompts, self._forward.prefill(prompts), strict=True)

    def _place(self, free: Sequence[int], rows: Sequence[ActiveRow]) -> None:
        """Put rows into free slots, and their prompts into prompt slots that no other row reads."""
        for slot, row in zip(free, rows, strict=False):
            self._rows[slot : slot + 1] = [row]
        if self._ring is not None:
            self._ring.start(free[: len(rows)])
        wanted = {row.job.prompt for row in self._rows}
        self._prompt_slots = {prompt: slot for prompt, slot in self._prompt_slots.items() if prompt in wanted}
        new = [prompt for prompt in dict.fromkeys(row.job.prompt for row in rows) if prompt not in self._prompt_slots]
        if new:
            prefilled = [self._prefilled[prompt] for prompt in new]
            taken = set(self._prompt_slots.values())
            slots = [slot for slot in range(len(taken) + len(new)) if slot not in taken][: len(new)]
            self._slots = self._slots or self._forward.slots(prefilled[0].cache)
            self._slots.load_prompts(prefilled, slots)
            self._prompt_slots |= zip(new, slots, strict=True)
        self._arrange()

    def _arrange(self) -> None:
        if self._slots is not None and self._rows:
            self._slots.arrange([self._prompt_slots[row.job.prompt] for row in self._rows])

    def _compact(self) -> None:
        """Move the last active rows into the slots of ended ones, once no job waits for these."""
        active = [slot for slot, row in enumerate(self._rows) if not row.finish_reason]
        ended = len(self._rows) - len(active)
        if self._slots is None or self._waiting or not ended or (active and ended < len(self._rows) // 8):
            return
        gaps = sorted(set(range(len(active))) - set(active))
        if moved := active[len(active) - len(gaps) :]:
            self._slots.move(moved, gaps, max(self._rows[slot].length for slot in moved))
            if self._ring is not None:
                self._ring.move(moved, gaps)
        for gap, slot in zip(gaps, moved, strict=True):
            self._rows[gap] = self._rows[slot]
        del self._rows[len(active) :]
        self._arrange()
