"""Sends the guest's source to the far side: a short program on the command line reads the rest from the stream."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "guest"

FLAGS = ("-s", "-S", "-B")
"""Not -I: it would ignore PYTHONHASHSEED, and the order of a set would differ from guest to guest."""

BOOTSTRAP = (
    "import os,sys\n"
    "def take(n):\n"
    " b=b''\n"
    " while len(b)<n:\n"
    "  c=os.read(0,n-len(b))\n"
    "  if not c: sys.exit(4)\n"
    "  b+=c\n"
    " return b\n"
    "exec(compile(take(int.from_bytes(take(4),'big')),'<guest>','exec'),{'__name__':'loader'})"
)
"""The program that the interpreter on the far side is started with, as its `-c`."""


@cache
def _sources() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.py"))}


@cache
def guest_digest() -> str:
    """Changes whenever the guest's code does."""
    return hashlib.sha256(json.dumps(_sources(), sort_keys=True).encode()).hexdigest()[:16]


def guest_payload(settings: dict[str, Any]) -> bytes:
    """The bytes to write to the bootstrap first: the guest, and the settings of its supervisor."""
    sources = dict(_sources())
    loader = sources.pop("loader")
    body = f"{loader}\nstart({sources!r}, {settings!r})\n".encode()
    return len(body).to_bytes(4, "big") + body
