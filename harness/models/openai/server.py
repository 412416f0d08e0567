"""An OpenAI-compatible server (vLLM, SGLang, Ollama, hosted ones): its address, key, pace and errors.

The `openai` client sends the requests: it retries with back-off, and as long as `Retry-After` says. The key comes from
the environment alone; it is in no option, file, log or message.
"""

import asyncio
import os
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from harness.errors import QprobeError
from harness.models.engine import PromptError
from harness.models.network import certificates, proxy_for
from harness.models.openai import prices
from harness.models.openai.dialect import Dialect, Refusal
from harness.models.spec import Spec
from harness.secrets import keep_secret, redact_error, redacted

try:
    import openai
except ImportError:  # optional: opening a server reports it
    openai = None  # type: ignore[assignment]

OPTIONS = ("url", "key_env", "concurrency", "retries", "timeout", "n", *prices.OPTIONS)
PUBLIC = "https://api.openai.com/v1"
CONTEXT = re.compile(
    r"context.{0,20}(length|window|size)|too many tokens|(prompt|input|message|request|sequence)\b.{0,60}too long",
    re.IGNORECASE,
)


SECRET_FIELD = re.compile(r"(^|[&_-])(key|token|secret|password|sig)=", re.IGNORECASE)


REFUSED = re.compile(
    r"content.{0,12}(filter|polic|manag)|moderation|responsible.?ai|safety|flagged|jailbreak", re.IGNORECASE
)


class ContextError(PromptError):
    """A prompt and its completion exceed the model's context."""


class Server:
    """One model on one server."""

    def __init__(self, spec: Spec) -> None:
        """Raises QprobeError for an unknown option, a wrong address or proxy, a missing key or client."""
        spec.check_options(OPTIONS)
        if openai is None:
            raise QprobeError("openai: models need the package openai: pip install openai.")
        self.model = spec.name
        self.url = spec.options.get("url") or os.environ.get("OPENAI_BASE_URL") or PUBLIC
        self.concurrency = spec.number("concurrency", 16, 1024)
        self._retries, self._seconds = spec.number("retries", 6, 100), spec.number("timeout", 600, 86400)
        self._key_name = spec.options.get("key_env", "OPENAI_API_KEY")
        self._key, self._key_given = os.environ.get(self._key_name, ""), "key_env" in spec.options
        keep_secret(self._key)
        self._check_url()
        prices.Prices.of(spec)  # which raises where one is no number
        self._proxy = proxy_for(self.url)
        self._certificates = certificates() if urlsplit(self.url).scheme == "https" else None
        self._not_before = 0.0
        self._dialect = Dialect()

    def _check_url(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise QprobeError(f"url={self.url} is not an address: write it like url=http://localhost:8000/v1.")
        if parts.username or parts.password or SECRET_FIELD.search(parts.query) or redacted(self.url) != self.url:
            raise QprobeError(f"A password in url= would be stored: put the key into {self._key_name} instead.")
        if not self._key and (self.url == PUBLIC or self._key_given):
            raise QprobeError(f"{self.url} needs a key: put it into the environment variable {self._key_name}.")

    @property
    def is_public(self) -> bool:
        """True if it is OpenAI's own server."""
        return self.url.rstrip("/") == PUBLIC

    def _arguments(self, retries: int) -> dict[str, Any]:
        key = self._key or "none"  # a local server needs no key, but the client insists on one
        return {"base_url": self.url, "api_key": key, "max_retries": retries, "timeout": float(self._seconds)}

    @property
    def _transport(self) -> dict[str, Any]:
        """Arguments of the HTTP client, which would read the environment too, and fail on what it does not need."""
        proxy = self._proxy.url if self._proxy else None
        return {"proxy": proxy, "verify": self._certificates or True, "trust_env": False}

    def client(self) -> "openai.AsyncOpenAI":
        """Return a client for one event loop."""
        transport = openai.DefaultAsyncHttpxClient(**self._transport)
        return openai.AsyncOpenAI(**self._arguments(self._retries), http_client=transport)

    def check(self) -> None:
        """Raise QprobeError where no server answers at the address, or it has no such model."""
        transport = openai.DefaultHttpxClient(**self._transport)
        with openai.OpenAI(**self._arguments(retries=1), http_client=transport) as client:
            try:
                models = [model.id for model in client.models.list().data]
            except (
                openai.NotFoundError,
                openai.PermissionDeniedError,
                openai.InternalServerError,
                openai.RateLimitError,
            ):
                return  # it may not list its models, or be busy for now
            except openai.APIError as error:
                raise self._complaint(error) from error
            except (AttributeError, TypeError, ValueError) as error:
                raise self.nonsense() from error
        if models and self.model not in models:
            raise QprobeError(
                f"The server at {self.url} has no model {self.model!r}. Choose from {', '.join(models[:10])}."
            )

    async def ask(self, create: Callable[..., Awaitable[Any]], body: dict[str, Any]) -> Any:  # noqa: ANN401
        """Send a request by a `with_raw_response.create`, without the fields that this server has refused.

        Raises QprobeError, in one sentence, for everything but an answer.
        """
        while True:
            sent = self._dialect.written(body)
            await asyncio.sleep(self._not_before - time.monotonic())
            try:
                raw = await create(**sent)
                self._keep_pace(raw.headers)
                return _parsed(raw)
            except (openai.BadRequestError, openai.UnprocessableEntityError, openai.PermissionDeniedError) as error:
                self._learn(sent, error)
                if self._dialect.written(body) == sent:
                    raise self._complaint(error) from error
            except openai.APIError as error:
                raise self._complaint(error) from error
            except (AttributeError, TypeError, ValueError) as error:
                raise self.nonsense() from error

    def _learn(self, sent: Mapping[str, Any], error: "openai.APIStatusError") -> None:
        """Note what a refusal tells of the server's dialect. Raises QprobeError for a field that must not be left out.

        A field may have been left out by a request that was under way beside this one.
        """
        if _is_of_context(error) or _is_of_content(error):
            raise self._complaint(error) from error
        try:
            self._dialect.learn(sent, Refusal(str(error.message), str(error.param or "")))
        except QprobeError as reason:
            raise QprobeError(f"The server at {self.url} {reason}.") from error

    def _keep_pace(self, headers: Mapping[str, str]) -> None:
        """Wait where the server reports that its request limit is used up for a while."""
        if headers.get("x-ratelimit-remaining-requests") == "0":
            self._not_before = time.monotonic() + seconds(headers.get("x-ratelimit-reset-requests", "1s"))

    def _complaint(self, error: "openai.APIError") -> QprobeError:
        _redact(error)
        at, words = f"The server at {self.url}", self._words(error)
        match error:
            case openai.APIConnectionError():  # a timeout is one
                return QprobeError(f"{at} {self._unreached(error)}")
            case openai.APIStatusError() if _is_of_content(error):
                return PromptError(f"{at} refuses a prompt for its content: leave that problem out. ({words})")
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return QprobeError(
                    f"{at} refuses the key: correct the environment variable {self._key_name}. ({words})"
                )
            case openai.NotFoundError():
                return QprobeError(f"{at} has no model {self.model!r}, or no such kind of request: {words}")
            case openai.RateLimitError():
                return QprobeError(
                    f"{at} still reports too many requests: lower concurrency=, or wait, and run the same command "
                    f"again; finished samples are kept. ({words})"
                )
            case openai.APIStatusError() if _is_of_context(error):
                return ContextError(
                    f"{at} says that a prompt and its completion exceed the model's context: lower --max-new-tokens, "
                    f"or choose another model. ({words})"
                )
            case openai.BadRequestError() | openai.UnprocessableEntityError():
                return QprobeError(f"{at} refuses the request: {words}")
            case openai.APIResponseValidationError():
                return self.nonsense()
        return QprobeError(f"{at} failed: {words} Run the same command again to resume.")

    def _unreached(self, error: Exception) -> str:
        """Return why no connection came about, and what to do."""
        if (problem := next(_certificate_errors(error), None)) is not None:
            return f"has a certificate that is not trusted ({problem}): name its authority's file in SSL_CERT_FILE."
        if self._proxy:
            return (
                f"does not answer through the proxy {self._proxy.address} of {self._proxy.variable}: correct that "
                "variable, or name the server's host in NO_PROXY."
            )
        return "does not answer: start it, or correct url=, and run the same command again."

    def _words(self, error: "openai.APIError") -> str:
        """Return the server's message, without the key in case it repeats it."""
        return redacted(" ".join(str(error.message).split()))[:300]

    def nonsense(self) -> QprobeError:
        """Return the error for an answer that is not one of OpenAI's protocol."""
        return QprobeError(
            f"The server at {self.url} does not answer in OpenAI's protocol: check that url= ends in /v1."
        )


def _parsed(raw: Any) -> Any:  # noqa: ANN401
    """Return the answer; bytes that are no UTF-8, such as half a character, are read as U+FFFD."""
    try:
        return raw.parse()
    except UnicodeDecodeError:
        reply = raw.http_response
        headers = {"content-type": reply.headers.get("content-type", "application/json")}
        content = reply.content.decode("utf-8", "replace").encode()
        raw.http_response = type(reply)(reply.status_code, headers=headers, content=content, request=reply.request)
        return raw.parse()


def _redact(error: "openai.APIError") -> None:
    """Take secrets out of an error of the client, and the server's answer, which may hold more of them."""
    redact_error(error)
    error.message, error.body = redacted(str(error.message)), None


def _is_of_context(error: "openai.APIStatusError") -> bool:
    """Return whether a prompt and its completion are too long."""
    return bool(CONTEXT.search(error.message)) or "context" in str(error.code)


def _is_of_content(error: "openai.APIStatusError") -> bool:
    """Return whether a filter of the server refuses what a prompt says."""
    told = f"{error.message} {error.code}"
    return error.status_code in (400, 403, 422, 451) and bool(REFUSED.search(told))


def _certificate_errors(error: BaseException | None) -> Iterator[str]:
    """Yield why a certificate is not trusted, from an error's causes."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            yield error.verify_message
        error = error.__cause__ or error.__context__


def seconds(text: str) -> float:
    """Return a duration as rate limits write it, such as "6m0s", "1.5s" or "120ms"; 1 where it cannot be read."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    return sum(float(number) * units[unit] for number, unit in parts) if parts else 1.0
