"""The loop that trains an adapter. Its result depends on the rows, the settings and the seed, and not on interruptions.

The order of an epoch depends on the seed and its number alone, and dropout on the seed and the step, so a training that
was killed resumes from its checkpoint as if nothing had happened.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from harness.errors import QprobeError
from harness.finetuning.checkpoint import Checkpoint
from harness.finetuning.lora import trained_parameters
from harness.finetuning.methods import Method
from harness.finetuning.rows import parts_of
from harness.progress import SILENT, Progress

Row = TypeVar("Row")
WARMUP = 0.1
"""The share of the steps over which the learning rate rises from 0; then it falls to 0 in a straight line."""
LARGEST_GRADIENT = 1.0
"""The norm to which a step's gradient is cut."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a training."""

    epochs: int = 3
    batch_size: int = 16  # rows per step
    learning_rate: float = 2e-4  # the highest
    batch_tokens: int = 1024  # padded tokens computed at once; more need more memory
    seed: int = 0

    def steps(self, rows: int) -> int:
        """Return the number of steps for so many rows."""
        return self.epochs * math.ceil(rows / self.batch_size)

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step, the first of which is 0."""
        warm = max(1, round(WARMUP * steps))
        share = (step + 1) / warm if step < warm else (steps - step) / max(1, steps - warm)
        return self.learning_rate * share


def train(
    model: Any,  # noqa: ANN401 - a model of peft
    rows: Sequence[Row],
    method: Method[Row],
    schedule: Schedule,
    checkpoint: Checkpoint | None = None,
    progress: Progress = SILENT,
    *,
    save_seconds: float = 30.0,
) -> list[float]:
    """Train the adapter of `model`, and return the loss of every step.

    With a checkpoint, the state is kept every `save_seconds` and taken up again. Raises QprobeError for a loss that is
    NaN or infinite.
    """
    parameters = trained_parameters(model)
    optimizer = torch.optim.AdamW(parameters.values(), lr=schedule.learning_rate, weight_decay=0.0)
    done, losses = checkpoint.load(parameters, optimizer) if checkpoint else (0, [])
    steps, saved = schedule.steps(len(rows)), time.monotonic()
    model.train()
    with progress.task("Fine-tuning", steps, done) as advance:
        for step, batch in _batches(rows, schedule):
            if step < done:
                continue
            optimizer.param_groups[0]["lr"] = schedule.rate(step, steps)
            losses.append(_step(model, optimizer, [rows[place] for place in batch], method, schedule, step))
            advance(note=f"loss {losses[-1]:.3f}")
            if checkpoint and time.monotonic() - saved >= save_seconds:
                checkpoint.save(parameters, optimizer, step + 1, losses)
                saved = time.monotonic()
    model.eval()
    return losses


def _batches(rows: Sequence[Row], schedule: Schedule) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of each step and the places of its rows."""
    step = 0
    for epoch in range(schedule.epochs):
        generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + epoch)
        order = torch.randperm(len(rows), generator=generator).tolist()
        for start in range(0, len(order), schedule.batch_size):
            yield step, order[start : start + schedule.batch_size]
            step += 1


def _step(
    model: Any,  # noqa: ANN401 - a model of peft
    optimizer: torch.optim.Optimizer,
    rows: Sequence[Row],
    method: Method[Row],
    schedule: Schedule,
    step: int,
) -> float:
    """Make one step, a part of the rows at a time, and return its loss."""
    rows = method.prepared(model, rows, schedule.batch_tokens)
    total, loss = sum(map(method.weight, rows)), 0.0
    optimizer.zero_grad(set_to_none=True)
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
        torch.manual_seed(schedule.seed * 1_000_003 + step)  # of dropout
        for part in parts_of(rows, method.tokens, schedule.batch_tokens):
            part_loss = method.loss_sum(model, part) / total
            part_loss.backward()  # type: ignore[no-untyped-call]
            loss += float(part_loss.detach())
    if not math.isfinite(loss):
        raise QprobeError(f"The loss of step {step + 1} is {loss}: lower --learning-rate, or train in float32.")
    parameters = optimizer.param_groups[0]["params"]
    torch.nn.utils.clip_grad_norm_(parameters, LARGEST_GRADIENT)
    optimizer.step()
    return loss
