"""The connection to a server: the proxy and the certificates that environment variables name, checked before use."""

import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import QprobeError

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
"""The variables that name trusted certificates, the first that is set counts: files in PEM format, or folders."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it."""

    variable: str
    url: str  # may hold a password

    @property
    def address(self) -> str:
        """The proxy without its user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for an address: HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, unless NO_PROXY names the host.

    Names in lower case come first. Raises QprobeError, which names the variable, for a proxy that cannot be used.
    """
    from requests.utils import should_bypass_proxies

    proxy = next(_proxies(urlsplit(url).scheme), None)
    if proxy is None or should_bypass_proxies(url, no_proxy=None):
        return None
    _check(proxy)
    return proxy


def _proxies(scheme: str) -> Iterator[Proxy]:
    for name in (f"{scheme}_proxy", "all_proxy"):
        variable = name if name in os.environ else name.upper()
        if value := os.environ.get(variable, "").strip():
            yield Proxy(variable, value if "://" in value else f"http://{value}")


def _check(proxy: Proxy) -> None:
    parts = urlsplit(proxy.url)
    try:
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    named = f"{proxy.variable}={proxy.address}"
    if not usable:
        raise QprobeError(f"{named} is not the address of a proxy: write it like http://localhost:3128, or unset it.")
    if parts.scheme not in PROXY_SCHEMES:
        raise QprobeError(
            f"{named} has the unknown scheme {parts.scheme!r}. Choose from {', '.join(PROXY_SCHEMES)}, "
            "or name the server's host in NO_PROXY."
        )
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise QprobeError(
            f"{named} needs the package socksio: pip install socksio, or name the server's host in NO_PROXY."
        )


def certificates() -> ssl.SSLContext | None:
    """Return the trusted certificates that a variable names, None without one.

    Raises QprobeError, which names the variable, where they cannot be read.
    """
    variable = next((name for name in CERTIFICATES if os.environ.get(name)), None)
    if variable is None:
        return None
    value = os.environ[variable]
    paths = [Path(part) for part in (value.split(os.pathsep) if variable == "SSL_CERT_DIR" else [value])]
    present = [path for path in paths if path.exists()]
    if not present:
        raise QprobeError(f"{variable} names {value}, which does not exist: correct the variable, or unset it.")
    try:
        return _trusting(present)
    except (ssl.SSLError, OSError) as error:
        raise QprobeError(
            f"{variable} names {value}, which holds no readable certificates ({error}): name a file in PEM format."
        ) from error


def _trusting(paths: Sequence[Path]) -> ssl.SSLContext:
    """Return a context that trusts the certificates in files and folders, and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in paths:
        folder, file = (path, None) if path.is_dir() else (None, path)
        context.load_verify_locations(cafile=file, capath=folder)
    return context
