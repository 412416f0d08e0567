"""Chat prompts: system messages, variables of the chat template, and prompts that are no chat."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.models.template_variables import read_variables, write_variables

ASKED = Request("add two", (), 1, chat=True)
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}<bot>"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATE
DROPS_SYSTEM = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"


@pytest.fixture
def folder(tmp_path: Path, tiny_llama: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "chat"))


def engine(folder: Path, template: str = TEMPLATE, **given: object) -> HfEngine:
    (folder / "chat_template.jinja").write_text(template)
    return HfEngine(f"hf:{folder}", Sampling(max_new_tokens=4, **given), device="cpu")  # type: ignore[arg-type]


def test_a_system_message_and_a_variable(folder: Path):
    assert engine(folder).prompt_text(ASKED) == "<user>add two<bot>"
    told = engine(folder, system_prompt=" Be brief.\n", chat_template_kwargs={"enable_thinking": False})
    told.check([ASKED])
    assert told.prompt_text(ASKED) == "<system>Be brief.<user>add two<bot><think></think>"
    assert told.identity["system_prompt"] == " Be brief.\n"
    assert told.identity["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("template", "given", "says"),
    [
        (NO_SYSTEM, {"system_prompt": "Hi"}, "fails: no system role"),
        (DROPS_SYSTEM, {"system_prompt": "Hi"}, "leaves a system message out: give no --system-prompt"),
        (TEMPLATE, {"chat_template_kwargs": {"enable_thinkin": 1}}, "reads no variable enable_thinkin: leave it out"),
        (TEMPLATE, {"chat_template_kwargs": {"messages": []}}, "reads no variable messages"),
        (TEMPLATE, {"chat_template_kwargs": {"tokenize": True}}, "reads no variable tokenize"),
    ],
)
def test_a_template_that_does_not_read_it(folder: Path, template: str, given: dict[str, Any], says: str):
    with pytest.raises(QprobeError) as caught:
        engine(folder, template, **given).check([ASKED])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{"system_prompt": "Hi"}, {"chat_template_kwargs": {"enable_thinking": False}}])
def test_options_of_chats_beside_a_prompt_that_is_none(folder: Path, given: dict[str, Any]):
    with pytest.raises(QprobeError, match=r"--\S+ is about chat prompts: give --prompt chat, or leave it out"):
        engine(folder, **given).check([Request("x", (), 1)])


def test_variables_in_text():
    texts = ["enable_thinking=false", "effort=high", "n=3", 'word="3"', "empty="]
    variables = read_variables(texts)
    assert variables == {"enable_thinking": False, "effort": "high", "n": 3, "word": "3", "empty": ""}
    assert write_variables(variables) == texts
    assert write_variables({}) is None


@pytest.mark.parametrize("texts", [["thinking"], ["=1"], ["a b=1"], ["a=1", "a=2"]])
def test_text_that_is_no_variable(texts: list[str]):
    with pytest.raises(QprobeError, match=r"^--chat-template-kwargs "):
        read_variables(texts)
