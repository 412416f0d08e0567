"""Keys and passwords: those that this process knows are kept out of logs, stores, reports and messages."""

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
_NAMES = re.compile(r"(^|_|API)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_LEAST = 8
"""The least length of a secret: a shorter value, such as "none", is a word that texts hold anyway."""

_told: set[str] = set()


def keep_secret(value: str) -> None:
    """Have `redacted` hide a value from now on, whatever variable it came from."""
    if len(value) >= _LEAST:
        _told.add(value)


def redacted(text: str) -> str:
    """Return a text without the secrets of this process: values of variables named like keys, passwords of proxies."""
    for secret in sorted({*_told, *_of_environment()}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def redact_error(error: BaseException) -> None:
    """Take secrets out of an error, which a traceback shows below the one that it caused."""
    error.args = tuple(redacted(part) if isinstance(part, str) else part for part in error.args)


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if _NAMES.search(name):
            secrets = [value, value.strip()]
        elif name.lower().endswith("_proxy"):
            secrets = _passwords(value)
        else:
            continue
        yield from (secret for secret in secrets if len(secret) >= _LEAST)


def _passwords(address: str) -> list[str]:
    try:
        password = urlsplit(address if "://" in address else f"http://{address}").password or ""
    except ValueError:
        return []
    return [password, unquote(password)]
