"""Prompts in a model's own chat template, the same on every day."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from transformers.utils import chat_template_utils

from harness.errors import QprobeError
from harness.models.hf.pretrained import Pretrained


def asks_for_date(model: Pretrained) -> bool:
    """Return whether the model's chat template writes the day's date into a prompt."""
    return "strftime_now" in str(model.tokenizer.chat_template or "")


def chat_prompt(model: Pretrained, message: str) -> str:
    """Return a user's message in the chat template, up to where the answer begins. Raises QprobeError without one."""
    tokenizer = model.tokenizer
    if not tokenizer.chat_template:
        raise QprobeError(f"{model.name} has no chat template: give it a prompt to continue, not a chat.")
    with _today(model.template_date):
        messages = [{"role": "user", "content": message}]
        prompt: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return prompt


@dataclass(frozen=True, slots=True)
class _Clock:
    """Stands still at noon of a day."""

    day: date

    def now(self) -> datetime:
        return datetime.combine(self.day, time(12))


@contextmanager
def _today(day: date) -> Iterator[None]:
    """Let templates take `day` for today.

    Their `strftime_now` asks the clock of that module, and transformers takes no other function in its place.
    """
    module: Any = chat_template_utils
    clock, module.datetime = module.datetime, _Clock(day)
    try:
        yield
    finally:
        module.datetime = clock
