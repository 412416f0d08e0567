"""No key is in the repository: every tracked file is searched for the forms that keys have."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FORMS = {
    "AWS": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub": r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})",
    "GitLab": r"\bglpat-[\w-]{20}",
    "Hugging Face": r"\bhf_[A-Za-z]{30,}",
    "OpenAI or Anthropic": r"\bsk-(proj-|ant-)?[\w-]{20,}",
    "Google": r"\bAIza[\w-]{35}",
    "Slack": r"\bxox[abprs]-[\w-]{10,}",
    "PyPI": r"\bpypi-AgEI\w{50,}",
    "Weights & Biases": r"(?i)wandb.{0,20}\b[0-9a-f]{40}\b",
    "JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "private key": r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----",
    "password in an address": r"\bhttps?://[^\s/:@\"'{}]+:(?!secret|\{|\*)[^\s/:@\"'{}]{8,}@",
}
MADE_UP = re.compile(r"secret|planted|example", re.IGNORECASE)
"""In keys that tests plant."""


def keys_in(text: str) -> list[str]:
    found = [(name, match[0]) for name, form in FORMS.items() for match in re.finditer(form, text)]
    return [f"{name}: {key[:8]}..." for name, key in found if not MADE_UP.search(key)]


def test_no_tracked_file_holds_a_key():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    files = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    assert len(files) > 400
    texts = {file: file.read_bytes().decode("utf-8", "replace") for file in files if file.is_file()}
    assert {str(file): keys for file, text in texts.items() if (keys := keys_in(text))} == {}


@pytest.mark.parametrize(
    "parts",
    [("AKIA", "Z" * 16), ("ghp_", "a1" * 18), ("hf_", "a" * 34), ("sk-", "proj-", "a1" * 20), ("AIza", "b" * 35),
     ("-----BEGIN RSA ", "PRIVATE KEY-----"), ("https://me:", "hunter2hunter2", "@host/"),
     ("eyJ" + "a" * 12, ".eyJ" + "b" * 12, "." + "d" * 12)],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(parts: tuple[str, ...]):
    assert keys_in(f"key = '{''.join(parts)}'")
    assert keys_in("no key here: sk-short, https://host/path, sha256:" + "0" * 64) == []
