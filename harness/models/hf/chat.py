"""Prompts in a model's own chat template, the same on every day."""

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any

from jinja2 import TemplateError
from transformers.utils import chat_template_utils

from harness.errors import QprobeError
from harness.models.hf.pretrained import Pretrained
from harness.models.template_variables import OPTION


def asks_for_date(model: Pretrained) -> bool:
    """Return whether the model's chat template writes the day's date into a prompt."""
    return "strftime_now" in str(model.tokenizer.chat_template or "")


def chat_prompt(
    model: Pretrained, message: str, system: str = "", variables: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """Return a system message and a user's in the chat template, up to where the answer begins.

    Raises QprobeError without a template, and for a system message or variables that the template does not read.
    """
    if not model.tokenizer.chat_template:
        raise QprobeError(f"{model.name} has no chat template: give it a prompt to continue, not a chat.")
    _check_variables(model, variables)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": message})
    prompt = _rendered(model, messages, add_generation_prompt=True, **variables)
    if system.strip() not in prompt:
        raise QprobeError(f"The chat template of {model.name} leaves a system message out: give no --system-prompt.")
    return prompt


def conversation(model: Pretrained, message: str, answer: str) -> str:
    """Return a user's message and its answer in the chat template, as a reward model reads them."""
    messages = [{"role": "user", "content": message}, {"role": "assistant", "content": answer}]
    return _rendered(model, messages, add_generation_prompt=False)


def _rendered(model: Pretrained, messages: list[dict[str, str]], **variables: Any) -> str:  # noqa: ANN401
    try:
        with _today(model.template_date):
            text: str = model.tokenizer.apply_chat_template(messages, tokenize=False, **variables)
    except (TemplateError, TypeError, ValueError) as error:
        raise QprobeError(f"The chat template of {model.name} fails: {error}.") from error
    return text


def _check_variables(model: Pretrained, variables: Mapping[str, Any]) -> None:
    template = str(model.tokenizer.chat_template)
    for name in variables:
        taken = inspect.signature(model.tokenizer.apply_chat_template).parameters
        if name in taken or name == "messages" or not re.search(rf"(?<![\w.]){re.escape(name)}\b", template):
            raise QprobeError(f"The chat template of {model.name} reads no variable {name}: leave it out of {OPTION}.")


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
