"""Remove the reasoning that models write before their answers, in one pass over the text.

Sections are marked by tags (`<think>`, `<seed:think>`, `[THINK]`, `◁think▷`), by special tokens that the engine did
not remove (`<|START_THINKING|>`, `<|channel|>analysis<|message|>`) or by fixed phrases. A section that never ends is an
answer that was cut before it began.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

_NAMES = (
    "think|thinks|thinking|thought|thoughts|thought_process|reason|reasons|reasoning|reasoning_content|reflect|reflection"
    "|analysis|scratchpad|inner_monologue|internal_monologue|inner_thoughts|chain_of_thought|cot|deliberation"
)
_MARKER = re.compile(
    rf"<(?P<end_tag>/?)(?:[a-z][\w.-]{{0,30}}:)?(?P<tag>{_NAMES})(?:\s[^<>\n]{{0,200}})?>"
    rf"|(?-i:\[(?P<end_bracket>/?)(?P<bracket>{_NAMES.upper()})\])"
    rf"|◁(?P<end_triangle>/?)(?P<triangle>{_NAMES})▷"
    r"|<\|(?P<token>/?[a-z_]{1,40})\|>"
    r"|(?P<channel><\|channel>\s{0,3}(?:thought|analysis)|<channel\|>)",
    re.IGNORECASE,
)
"""Every repetition is bounded, so that the search takes time proportional to the text."""

_THOUGHT_WORDS = frozenset(_NAMES.split("|")) | {"inner"}
_END_WORDS = frozenset({"end", "close", "stop", "suffix"})
_FENCE = re.compile(r"[ \t>*+\-\d.)]*(`{3,}|~{3,})(.*)")
_QUOTES = frozenset("\"'`")
_HARMONY = re.compile(r"<\|channel\|>\s{0,3}(\w{1,20})[^<\n]{0,200}(?:<\|constrain\|>\w{0,20})?<\|message\|>")
_HARMONY_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_HARMONY_BARE = re.compile(r"\s{0,20}analysis(?=[A-Z])")
_PHRASE = re.compile(r"\s{0,20}here(?: is|'s) my thought process:", re.IGNORECASE)
_PHRASE_END = re.compile(r"here(?: is|'s) my response:", re.IGNORECASE)
_CONTEXT = 100
"""Characters before and after a marker that decide whether it is part of code or only mentioned."""


class _Marker(NamedTuple):
    """The beginning or the end of a section."""

    start: int
    end: int
    name: str
    closes: bool


@dataclass(slots=True)
class _Reader:
    """The state of one pass: the text kept so far, and the section or the code block that is open."""

    text: str
    kept: list[str] = field(default_factory=list)
    position: int = 0  # where the text that is neither kept nor removed begins
    section: str = ""  # the name of the open section
    other_end: int = 0  # behind the last end of another name within the open section
    fence: str = ""  # the fence of the open code block

    def read_line(self, start: int, end: int) -> None:
        """Read the line at [start, end)."""
        for match in _MARKER.finditer(self.text, start, end):
            marker = _marker(match)
            if marker is not None and self._use(marker, start, end):
                self.fence, start = "", marker.end
        if not self.section:
            self._follow_fence(self.text[start:end])

    def _use(self, marker: _Marker, start: int, end: int) -> bool:
        """Open or close a section, unless the marker is part of code or only mentioned."""
        if self.section:
            return self._close(marker)
        if self._is_mention(marker, start, end):
            return False
        if marker.closes:  # a chat template may have opened the section in the prompt
            self.kept.clear()
            self.position = marker.end
        else:
            self.kept.append(self.text[self.position : marker.start])
            self.section, self.other_end = marker.name, 0
        return True

    def _close(self, marker: _Marker) -> bool:
        if not marker.closes:
            return False
        if marker.name != self.section:
            self.other_end = marker.end
            return False
        self.section, self.position = "", marker.end
        return True

    def _is_mention(self, marker: _Marker, start: int, end: int) -> bool:
        before = self.text[max(start, marker.start - _CONTEXT) : marker.start].strip()
        after = self.text[marker.end : min(end, marker.end + _CONTEXT)].strip()
        if self.fence:  # in code a section ends at the end of a line, and begins on a line that holds nothing else
            return bool(after and not after.startswith(("```", "~~~"))) or bool(before and not marker.closes)
        return _is_quote(before[-3:], before[-1:]) or _is_quote(after[:3], after[:1])

    def _follow_fence(self, line: str) -> None:
        match = _FENCE.match(line)
        if match is None:
            return
        run, rest = match.group(1), match.group(2)
        if self.fence:
            if run.startswith(self.fence) and not rest.strip():
                self.fence = ""
        elif "`" not in rest:
            self.fence = run

    def answer(self) -> str:
        """Return what is left when the last line has been read."""
        if self.section and not self.other_end:
            return "".join(self.kept)
        return "".join(self.kept) + self.text[self.other_end if self.section else self.position :]


def without_reasoning(answer: str) -> str:
    """Return an answer without its reasoning; of a section that never ends, nothing is left.

    An end without a beginning ends a section that the chat template opened. Tags within a code block of the answer, or
    in quotes, are part of the answer.
    """
    reader = _Reader(_final_message(answer))
    start = 0
    while start < len(reader.text):
        end = reader.text.find("\n", start) + 1 or len(reader.text)
        reader.read_line(start, end)
        start = end
    return reader.answer()


def _is_quote(three: str, one: str) -> bool:
    """Return whether a quote, and no fence, is beside a marker."""
    return bool(one) and one in _QUOTES and three != "```"


def _marker(match: re.Match[str]) -> _Marker | None:
    for kind in ("tag", "bracket", "triangle"):
        if name := match.group(kind):
            return _Marker(*match.span(), name.lower(), match.group(f"end_{kind}") == "/")
    if channel := match.group("channel"):
        return _Marker(*match.span(), "channel", channel == "<channel|>")
    token = match.group("token").lower()
    words = set(token.strip("/").split("_"))
    if not words & _THOUGHT_WORDS:
        return None
    return _Marker(*match.span(), "token", token.startswith("/") or bool(words & _END_WORDS))


def _final_message(answer: str) -> str:
    """The message of the final channel in OpenAI's harmony format, and what follows a fixed phrase; else the answer."""
    headers = list(_HARMONY.finditer(answer))
    if headers:
        final = [header for header in headers if header.group(1) == "final"]
        if not final:
            return ""
        end = _HARMONY_END.search(answer, final[-1].end())
        return answer[final[-1].end() : end.start() if end else len(answer)]
    if _HARMONY_BARE.match(answer):  # the same, its special tokens removed
        return answer.rpartition("assistantfinal")[2] if "assistantfinal" in answer else ""
    if _PHRASE.match(answer):
        response = _PHRASE_END.search(answer)
        return answer[response.end() :] if response else ""
    return answer
