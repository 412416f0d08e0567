"""An OpenAI-compatible server (vLLM, SGLang, Ollama, hosted ones): where it is, its key, its pace, and its complaints.

The `openai` client does the talking: it retries with back-off, and as long as `Retry-After` says. The key comes from
the environment alone; it is in no option, file, log or message.
"""

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from harness.errors import QprobeError
from harness.models.spec import Spec

try:
    import openai
except ImportError:  # an extra: opening a server says so
    openai = None  # type: ignore[assignment]

OPTIONS = ("url", "key_env", "concurrency", "retries", "timeout", "n")
PUBLIC = "https://api.openai.com/v1"
DROPPABLE = ("logprobs", "seed", "n")
"""Fields that some servers refuse, and that can be done without."""

CONTEXT = re.compile(r"context.{0,20}(length|window|size)|too many tokens|too long", re.IGNORECASE)


class ContextError(QprobeError):
    """A prompt and its completion are longer than the model's context."""


class Server:
    """One model on one server."""

    def __init__(self, spec: Spec) -> None:
        """Raises QprobeError for an unknown option, a URL that is none, a missing key or client."""
        spec.only(OPTIONS)
        if openai is None:
            raise QprobeError("openai: models need the package openai: pip install 'qprobe[openai]'.")
        self.model = spec.name
        self.url = spec.options.get("url") or os.environ.get("OPENAI_BASE_URL") or PUBLIC
        self.concurrency = spec.number("concurrency", 16, 1024)
        self._retries, self._seconds = spec.number("retries", 6, 100), spec.number("timeout", 600, 86400)
        self._key_name = spec.options.get("key_env", "OPENAI_API_KEY")
        self._key, self._key_given = os.environ.get(self._key_name, ""), "key_env" in spec.options
        self._check_url()
        self._not_before = 0.0
        self._refused: set[str] = set()

    def _check_url(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise QprobeError(f"url={self.url} is no address: write it like url=http://localhost:8000/v1.")
        if parts.username or parts.password:
            raise QprobeError(f"A password in url= would be written down: put the key into {self._key_name} instead.")
        if not self._key and (self.url == PUBLIC or self._key_given):
            raise QprobeError(f"{self.url} asks for a key: put it into the environment variable {self._key_name}.")

    def _arguments(self, retries: int) -> dict[str, Any]:
        key = self._key or "none"  # servers of one's own ask for none, but the client insists on a word
        return {"base_url": self.url, "api_key": key, "max_retries": retries, "timeout": float(self._seconds)}

    def client(self) -> "openai.AsyncOpenAI":
        """A client for one event loop."""
        return openai.AsyncOpenAI(**self._arguments(self._retries))

    def check(self) -> None:
        """Raise QprobeError where nothing answers at the address, or what answers has no such model."""
        with openai.OpenAI(**self._arguments(retries=1)) as client:
            try:
                models = [model.id for model in client.models.list().data]
            except (openai.NotFoundError, openai.InternalServerError, openai.RateLimitError):
                return  # it may not list its models, or be busy just now
            except openai.APIError as error:
                raise self._complaint(error) from error
            except (AttributeError, TypeError, ValueError) as error:
                raise self.nonsense() from error
        if models and self.model not in models:
            raise QprobeError(f"The server at {self.url} has no model {self.model}: it has {', '.join(models[:10])}.")

    async def ask(self, create: Callable[..., Awaitable[Any]], body: dict[str, Any]) -> Any:  # noqa: ANN401
        """Send a request by a `with_raw_response.create`, without the fields that this server is known to refuse.

        Raises QprobeError, in one sentence, for all that the server may answer but an answer.
        """
        while True:
            body = {name: value for name, value in body.items() if name not in self._refused}
            await asyncio.sleep(self._not_before - time.monotonic())
            try:
                raw = await create(**body)
                self._keep_pace(raw.headers)
                return raw.parse()
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                body = self._reduced(body, error)
            except openai.APIError as error:
                raise self._complaint(error) from error
            except (AttributeError, TypeError, ValueError) as error:
                raise self.nonsense() from error

    def _reduced(self, body: dict[str, Any], error: "openai.APIStatusError") -> dict[str, Any]:
        """The request without the field that the server complains about. Raises QprobeError where that is no help."""
        about = str(error.param or ""), str(error.message)
        if len(body.get("stop") or ()) > 4 and ("stop" in about[0] or "stop" in about[1]):
            return {**body, "stop": body["stop"][:4]}  # the text is cut at the others later
        for field in DROPPABLE:
            if field in body and (about[0] == field or re.search(rf"['\"`\s]{field}['\"`\s]", about[1])):
                self._refused.add(field)
                return body
        raise self._complaint(error) from error

    def _keep_pace(self, headers: Mapping[str, str]) -> None:
        """Wait where the server says that no request is left for a while."""
        if headers.get("x-ratelimit-remaining-requests") == "0":
            self._not_before = time.monotonic() + seconds(headers.get("x-ratelimit-reset-requests", "1s"))

    def _complaint(self, error: "openai.APIError") -> QprobeError:
        at = f"The server at {self.url}"
        if isinstance(error, openai.APIConnectionError):  # a timeout is one
            return QprobeError(f"{at} does not answer: start it, or mend url=, and run the same command again.")
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return QprobeError(
                f"{at} refuses the key: put the right one into the environment variable {self._key_name}."
            )
        if isinstance(error, openai.NotFoundError):
            return QprobeError(f"{at} has no model {self.model}, or not this way of asking it: {self._said(error)}")
        if isinstance(error, openai.RateLimitError):
            return QprobeError(f"{at} still says that we ask too much: lower concurrency=, or wait, and run it again.")
        if isinstance(error, openai.BadRequestError) and (
            CONTEXT.search(error.message) or "context" in str(error.code)
        ):
            return ContextError(
                f"{at} says that a prompt and its completion exceed the model's context: lower --max-new-tokens, "
                f"or choose another model. ({self._said(error)})"
            )
        if isinstance(error, openai.APIResponseValidationError):
            return self.nonsense()
        return QprobeError(f"{at} failed: {self._said(error)} Run the same command again to go on.")

    def _said(self, error: "openai.APIError") -> str:
        """The server's words, without the key should it repeat it."""
        words = " ".join(str(error.message).split())[:300]
        return words.replace(self._key, "***") if self._key else words

    def nonsense(self) -> QprobeError:
        """The complaint about an answer that is none."""
        return QprobeError(
            f"The server at {self.url} does not answer as OpenAI's do: is it one, and does its url= end in /v1?"
        )


def seconds(text: str) -> float:
    """A duration as rate limits are written, such as "6m0s", "1.5s" or "120ms"; 1 where it cannot be read."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    return sum(float(number) * units[unit] for number, unit in parts) if parts else 1.0
