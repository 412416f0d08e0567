"""A judge: a chat model that says which of two replies is better, asked in both orders.

Answers are kept in a file as they arrive, so that a command that was killed, or whose server is down, resumes. An
answer that names neither reply is asked for again a few times, kept and counted; it is never a win.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data_files import numbered_lines, parse_row, read_text
from harness.errors import QprobeError
from harness.models.engine import Engine, PromptError, Request
from harness.models.registry import open_engine
from harness.models.sampling import Sampling
from harness.progress import SILENT, Progress

VERSION = "judge-1"
"""The version of the prompt: answers to another one are not mixed with these."""

PROMPT = """Compare two replies of an assistant to the same dialogue. Judge helpfulness, correctness and honesty. \
Neither the order nor the length of the replies may influence you.

[Dialogue]
{prompt}

[Reply A]
{first}

[Reply B]
{second}

Which reply is better? Answer with one line: A, B, or tie."""

TRIES = 3
"""The number of times that an answer is asked for while it names no reply."""

MAX_NEW_TOKENS = 32
CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English, for the estimate of costs."""

_ANSWER = re.compile(
    r"^\W*(?:(?:answer|verdict|better)\W+)?(?:reply\s+)?(A|B|(?:a\s+)?tie)"
    r"(?=\W*$|\s*\n|\s*[^\w\s]|\s+(?:is|wins)\b(?!\s+not\b))",
    re.IGNORECASE,
)
"""A letter that stands alone, or is called better: "A lot could be said" names no reply."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two replies to a prompt."""

    prompt: str
    first: str
    second: str

    def swapped(self) -> "Comparison":
        """Return the comparison in the other order."""
        return Comparison(self.prompt, self.second, self.first)

    @property
    def text(self) -> str:
        """The message to the judge."""
        return PROMPT.format(prompt=self.prompt.strip(), first=self.first.strip(), second=self.second.strip())


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a comparison, from both orders."""

    win: float  # of the first reply: 1, 0, one half for a tie or where the orders disagree, NaN without a valid answer
    agrees: bool | None  # whether both orders name the same reply; None without two valid answers


@dataclass(frozen=True, slots=True)
class Cost:
    """The requests that are not answered yet."""

    requests: int
    input_tokens: int  # estimated
    output_tokens: int  # at most

    def __str__(self) -> str:
        return (
            f"The judge is asked {self.requests:,} times: about {self.input_tokens:,} tokens to read, at most "
            f"{self.output_tokens:,} to write"
        )

    def price(self, per_million_in: float, per_million_out: float) -> float:
        """Return the price at these rates per million tokens."""
        return (self.input_tokens * per_million_in + self.output_tokens * per_million_out) / 1e6


def parse_answer(text: str) -> str:
    """Return "A", "B" or "tie"; "" for any other answer."""
    match = _ANSWER.match(text.strip())
    return "" if match is None else {"a": "A", "b": "B"}.get(match[1].lower(), "tie")


def open_judge(spec: str, folder: Path, device: str = "auto") -> "Judge":
    """Return the judge of that name, whose answers are kept in a folder. Raises QprobeError for a wrong name."""
    engine = open_engine(spec, Sampling(temperature=0.7, top_p=1.0, max_new_tokens=MAX_NEW_TOKENS), device=device)
    return Judge(engine, folder / "judgements" / f"{VERSION}.jsonl")


class Judge:
    """A model with its file of answers."""

    def __init__(self, engine: Engine, path: Path) -> None:
        """Read the answers that the file holds. Raises QprobeError where it is another file."""
        self.engine, self.path = engine, path
        self._identity = json.dumps([VERSION, PROMPT, engine.identity], sort_keys=True, default=str)
        self._answers: dict[str, list[str]] = {}
        if path.is_file():
            self._read()

    def _read(self) -> None:
        """Read the answers; the line that a killed command left unfinished is cut off."""
        text = read_text(self.path)
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self.path.write_text(whole, encoding="utf-8")
        for number, line in numbered_lines(whole):
            try:
                row = parse_row(line)
                self._answers.setdefault(str(row["key"]), []).append(str(row["answer"]))
            except (ValueError, KeyError) as error:
                raise QprobeError(f"{self.path}, line {number}: not an answer of a judge ({error}).") from error

    def cost(self, comparisons: Sequence[Comparison]) -> Cost:
        """Return what is left to ask."""
        texts = [asked.text for asked in self._pending(comparisons)]
        characters = sum(map(len, texts))
        return Cost(len(texts), characters // CHARACTERS_PER_TOKEN, len(texts) * MAX_NEW_TOKENS)

    def judge(self, comparisons: Sequence[Comparison], progress: Progress = SILENT) -> list[Verdict]:
        """Ask for what is not answered yet, in both orders, and return the verdict of each comparison.

        Raises QprobeError where the judge cannot be reached; the answers so far are kept.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES):
            if pending := list(self._pending(comparisons)):
                self._ask(pending, progress)
        return [self._verdict(comparison) for comparison in comparisons]

    def _ask(self, pending: Sequence[Comparison], progress: Progress) -> None:
        """Ask once for each, and keep every answer as it arrives; a second try is drawn with another seed."""
        tries = [len(self._answers.get(self._key(asked), ())) for asked in pending]
        requests = [
            Request(asked.text, (), seed=count, greedy=count == 0, chat=True)
            for asked, count in zip(pending, tries, strict=True)
        ]
        with progress.task("Judging", len(requests)) as advance, self.path.open("a", encoding="utf-8") as file:
            for place, answer in self._answered(requests):
                key = self._key(pending[place])
                self._answers.setdefault(key, []).append(answer)
                file.write(json.dumps({"key": key, "answer": answer}) + "\n")
                file.flush()
                advance()
            os.fsync(file.fileno())

    def _answered(self, requests: Sequence[Request]) -> Iterator[tuple[int, str]]:
        """Yield each answer; for a prompt that the server does not take it is its complaint, which names no reply."""
        try:
            for place, generated in self.engine.generate(requests):
                yield place, generated.text
        except PromptError as error:
            for place in error.positions:
                yield place, f"[not answered] {error}"

    def _pending(self, comparisons: Sequence[Comparison]) -> Iterator[Comparison]:
        """Yield each order that has no valid answer and tries left, once."""
        seen: set[str] = set()
        for comparison in comparisons:
            for asked in (comparison, comparison.swapped()):
                key = self._key(asked)
                answers = self._answers.get(key, ())
                if key not in seen and len(answers) < TRIES and not any(map(parse_answer, answers)):
                    seen.add(key)
                    yield asked

    def _verdict(self, comparison: Comparison) -> Verdict:
        first, second = (self._answer(asked) for asked in (comparison, comparison.swapped()))
        if not first or not second:
            return Verdict(float("nan"), None)
        points = {"A": 1.0, "B": 0.0, "tie": 0.5}
        one, other = points[first], 1 - points[second]
        return Verdict(one if one == other else 0.5, one == other)

    def _answer(self, asked: Comparison) -> str:
        answers = self._answers.get(self._key(asked), ())
        return next(filter(None, map(parse_answer, answers)), "")

    @property
    def invalid(self) -> int:
        """The number of answers, of all that the file holds, that name no reply."""
        return sum(not parse_answer(answer) for answers in self._answers.values() for answer in answers)

    def _key(self, asked: Comparison) -> str:
        return hashlib.sha256(json.dumps([self._identity, asked.text]).encode()).hexdigest()[:32]
