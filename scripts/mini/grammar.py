"""Families of problems: a sentence with slots, and programs with the same slots.

A family asks for one *form* of answer (a sum, a list, an index) and fills its slots with *parts* (which numbers, which
words, squared or doubled). A task is one such filling: a prompt to continue and the programs that would do it.
"""

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

_SLOT = re.compile(r"\{([a-z]\w*)\}")

USUAL_REACH = (-6, 12)  # of an integer parameter, where no words limit it


@dataclass(frozen=True, slots=True)
class Part:
    """One filling of a slot: what the sentence says and what the program does."""

    name: str  # its piece of the function's name; "" where it adds nothing
    words: str  # may hold {k}
    code: str  # may hold {k} and choice points
    constants: tuple[str, ...] = ()  # what {k} may be
    parameters: str = ""  # what the part needs: "n: int"
    reach: tuple[int, int] | None = None  # the least and greatest value of that, where the words limit it

    def with_constant(self, constant: str) -> "Part":
        """The part with {k} settled."""
        return replace(self, words=_put(self.words, {"k": constant}), code=_put(self.code, {"k": constant}))


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of answer a family gives."""

    name: str
    words: str
    bodies: tuple[str, ...]  # ways to write it, with slots and choice points, without the function's indentation
    returns: str = "int"
    tail: str = ""  # the end of the sentence, where the form needs one: ", otherwise False"


@dataclass(frozen=True, slots=True)
class Family:
    """All tasks that share a sentence and a way of going about it."""

    name: str
    area: str  # strings, lists, arithmetic, algorithms
    parameters: str  # "xs: list[int]"
    entry: str  # the function's name, with slots
    sentences: tuple[str, ...]  # ways to ask, with slots
    forms: tuple[Form, ...]
    slots: dict[str, tuple[Part, ...]]
    reach: tuple[int, int] = USUAL_REACH  # the least and greatest value of an integer parameter


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt and the programs that would answer it."""

    key: str  # what is asked, whatever the constants and the wording: "lists/fold/sum/square/even"
    entry_point: str
    prompt: str
    bodies: tuple[str, ...]  # with choice points
    parameters: tuple[str, ...]  # names, in order
    reach: tuple[int, int]  # the least and greatest value of an integer parameter

    @property
    def area(self) -> str:
        """The area of the task's family."""
        return self.key.split("/")[0]

    @property
    def family(self) -> str:
        """The name of the task's family."""
        return self.key.split("/")[1]

    @property
    def form(self) -> str:
        """The name of the form asked for."""
        return self.key.split("/")[2]


def tasks(family: Family, rng: random.Random) -> Iterator[Task]:
    """Every task of the family once, with its constants and its wording drawn from `rng`."""
    for form in family.forms:
        for parts in itertools.product(*family.slots.values()):
            if _makes_sense(parts):
                yield task(family, form, dict(zip(family.slots, parts, strict=True)), rng)


def _makes_sense(parts: Sequence[Part]) -> bool:
    """No part twice ("even numbers that are even"), and no parameter twice."""
    names = [part.name for part in parts if part.name]
    parameters = [part.parameters for part in parts if part.parameters]
    return len(set(names)) == len(names) and len(parameters) <= 1


def task(family: Family, form: Form, filling: dict[str, Part], rng: random.Random) -> Task:
    """One task of the family."""
    parts = {
        slot: part.with_constant(rng.choice(part.constants)) if part.constants else part
        for slot, part in filling.items()
    }
    names = {slot: part.name for slot, part in parts.items()} | {"form": form.name}
    words = {slot: part.words for slot, part in parts.items()}
    entry_point = re.sub("__+", "_", _put(family.entry, names)).strip("_")
    parameters = ", ".join(filter(None, [family.parameters, *(part.parameters for part in parts.values())]))
    sentence = _put(_put(rng.choice(family.sentences), words | {"form": form.words, "tail": form.tail}), words)
    code = {slot: part.code for slot, part in parts.items()}
    return Task(
        key="/".join([family.area, family.name, form.name, *(part.name or "any" for part in parts.values())]),
        entry_point=entry_point,
        prompt=f'def {entry_point}({parameters}) -> {form.returns}:\n    """{_tidy(sentence)}"""\n',
        bodies=tuple(_indented(_put(body, code)) for body in form.bodies),
        parameters=tuple(piece.split(":")[0].strip() for piece in re.split(r", (?=\w+:)", parameters)),
        reach=next((part.reach for part in parts.values() if part.reach), family.reach),
    )


def _put(text: str, values: dict[str, str]) -> str:
    return _SLOT.sub(lambda slot: values.get(slot[1], slot[0]), text)


def _tidy(sentence: str) -> str:
    return re.sub(r" +", " ", sentence).replace(" ,", ",").replace(" .", ".").replace(",.", ".").strip()


def _indented(body: str) -> str:
    return "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
