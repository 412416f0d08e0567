"""Completions from an OpenAI-compatible server: many requests at once, and several samples per request with n=."""

import asyncio
import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from harness.errors import QprobeError
from harness.models.characters import whole_characters
from harness.models.engine import Embedder, Generated, PromptError, Request, Sampling
from harness.models.openai.dialect import OWN, SKIP_SPECIAL
from harness.models.openai.server import Server
from harness.models.spec import parse_spec
from harness.secrets import redacted

SPECIAL = re.compile(r"<\S+>|\[[A-Z_/]+\]")
"""A stop string that may be a special token, such as <file_sep> or [/INST]."""

Placed = tuple[int, Request]
Drawn = list[tuple[int, Generated]]
"""Requests and completions with the positions of the requests."""


class OpenAIEngine:
    """One model on one server, with one sampling.

    Options: `url`, `key_env` (the environment variable that holds the key), `concurrency`, `retries`, `timeout`
    (seconds per reply), and `n` (samples per request). With n = 1 each sample has its own seed.
    """

    def __init__(self, spec: str, sampling: Sampling, *, batch_size: int | None = None, device: str = "auto") -> None:
        """Raise QprobeError for a wrong option or a missing key. The server chooses its batches and device itself."""
        parsed = parse_spec(spec, ("openai",))
        self.server = Server(parsed)
        self.sampling = sampling
        self._check_sampling()
        self._samples = parsed.number("n", 1, 128)

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"openai:{self.server.model}"

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a completion depends on besides its request, as far as a server tells."""
        return {"engine": "openai", "model": self.server.model, **self.sampling.identity}

    @property
    def caveat(self) -> str:
        """A server may ignore seeds."""
        return "Samples come from a server, which need not honour a seed: one that is drawn again may differ."

    def prompt_text(self, request: Request) -> str:
        """Return the prompt: the chat template is on the server."""
        return request.prompt

    def check(self, requests: Sequence[Request]) -> None:
        """Raise QprobeError where the server is down or has no such model."""
        self.sampling.check_prompts(requests)
        self.server.check()

    def _check_sampling(self) -> None:
        """Raise QprobeError for options that OpenAI's own server does not have; other servers may have them."""
        if self.server.is_public and (given := [name for name in OWN if name in self.sampling.identity]):
            flag = f"--{given[0].replace('_', '-')}"
            raise QprobeError(f"{self.server.url} has no {given[0]}: leave out {flag}, or name another server in url=.")

    def capture(self, embedder: Embedder) -> bool:
        """Return False: a server does not send hidden states."""
        return False

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        """Draw the completions and yield each when it arrives, all that arrived before an error is raised.

        Prompts that the server does not take are reported when all others have their completions.
        """
        waiting, tasks = deque(self._groups(requests)), set[asyncio.Task[Drawn]]()
        refused: list[PromptError] = []
        with asyncio.Runner() as runner:
            client = runner.run(self._client())
            try:
                while waiting or tasks:
                    while waiting and len(tasks) < self.server.concurrency:
                        tasks.add(runner.get_loop().create_task(self._answer(client, waiting.popleft())))
                    done, tasks = runner.run(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
                    yield from _results(done, refused)
            finally:
                runner.run(_close(client, tasks))
        if refused:
            refused[0].positions = tuple(position for error in refused for position in error.positions)
            raise refused[0]

    async def _client(self) -> Any:  # noqa: ANN401 - an extra's own type
        return self.server.client()

    def _groups(self, requests: Sequence[Request]) -> Iterator[list[Placed]]:
        """Yield the requests that are sent together: at most `n`, of one prompt."""
        for _, group in groupby(enumerate(requests), key=lambda placed: replace(placed[1], seed=0)):
            members = list(group)
            for first in range(0, len(members), self._samples):
                yield members[first : first + self._samples]

    async def _answer(self, client: Any, group: list[Placed]) -> Drawn:  # noqa: ANN401
        drawn: Drawn = []
        chat = group[0][1].chat
        create = (client.chat.completions if chat else client.completions).with_raw_response.create
        while group:  # a server may give fewer samples than n
            try:
                answer = await self.server.ask(create, self._body(group))
            except PromptError as error:
                error.positions = tuple(position for position, _ in group)
                raise
            try:
                choices = sorted(answer.choices, key=lambda choice: choice.index)[: len(group)]
                completions = [_generated(choice, answer, chat=chat) for choice in choices]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise self.server.nonsense() from error
            if not completions:
                raise self.server.nonsense()
            drawn += [(position, done) for (position, _), done in zip(group, completions, strict=False)]
            group = group[len(completions) :]
        return drawn

    def _system(self) -> list[dict[str, str]]:
        prompt = whole_characters(self.sampling.system_prompt)
        return [{"role": "system", "content": prompt}] if prompt else []

    def _body(self, group: Sequence[Placed]) -> dict[str, Any]:
        first, prompt = group[0][1], whole_characters(group[0][1].prompt)
        body: dict[str, Any] = {
            "model": self.server.model,
            "max_tokens": self.sampling.max_new_tokens,
            "temperature": 0.0 if first.greedy else self.sampling.temperature,
            "top_p": self.sampling.top_p,
        }
        body |= {name: value for name, value in self.sampling.identity.items() if name in OWN}
        if first.chat:
            body |= {"messages": [*self._system(), {"role": "user", "content": prompt}], "logprobs": True}
        else:
            body |= {"prompt": prompt, "logprobs": 1}
        if first.stop:
            body["stop"] = [whole_characters(stop) for stop in first.stop]
        if any(map(SPECIAL.search, first.stop)) and not self.server.is_public:
            body[SKIP_SPECIAL] = False  # such a server leaves special tokens out of the text it searches
        # One seed for several samples would make them depend on one another.
        return body | ({"seed": first.seed % 2**31} if len(group) == 1 else {"n": len(group)})


async def _close(client: Any, tasks: "set[asyncio.Task[Drawn]]") -> None:  # noqa: ANN401
    """Cancel what is under way, and take its errors, which asyncio would print one by one."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()


def _results(done: "set[asyncio.Task[Drawn]]", refused: list[PromptError]) -> Iterator[tuple[int, Generated]]:
    """Yield the completions that arrived, and then raise the first error; those of prompts are added to `refused`."""
    failures = [error for task in done if (error := task.exception())]
    refused += [error for error in failures if isinstance(error, PromptError)]
    errors = [error for error in failures if not isinstance(error, PromptError)]
    for task in done:
        if task.exception() is None:
            yield from task.result()
    if errors:
        raise next((error for error in errors if isinstance(error, QprobeError)), errors[0])


def _generated(choice: Any, answer: Any, *, chat: bool) -> Generated:  # noqa: ANN401
    text = choice.message.content or "" if chat else choice.text
    logprobs = _token_logprobs(getattr(choice, "logprobs", None))
    if not isinstance(text, str):
        raise TypeError("the text is not a string")
    total = float(sum(logprobs))
    usage = getattr(answer, "usage", None)
    of_all = usage.completion_tokens if usage and len(answer.choices) == 1 else None
    return Generated(
        text=redacted(whole_characters(text)),  # a server may send back what it was sent
        finish_reason=choice.finish_reason or "",
        tokens=len(logprobs) or of_all,
        logprob=total if logprobs and math.isfinite(total) else None,
        least_logprob=float(min(logprobs)) if logprobs and math.isfinite(total) else None,
    )


def _token_logprobs(reported: Any) -> list[float]:  # noqa: ANN401
    """Read the log-probabilities of a choice in the shape of a chat or of a completion: llama.cpp has one for both."""
    if tokens := getattr(reported, "content", None):
        return [token["logprob"] if isinstance(token, dict) else token.logprob for token in tokens]
    return list(getattr(reported, "token_logprobs", None) or ())
