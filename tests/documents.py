"""The blocks of the Markdown files: files that a reader writes, and programs that a reader then runs.

A block with `title="NAME"` (or a first line `# NAME.py`) is a file. A `sh` block is run by bash, a Python block without
a title is a program. A block that begins with a comment `# needs ...`, and a shell line that ends in one, is not run:
the comment tells the reader why, too.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.command import REPOSITORY

PAGES = sorted(
    path
    for path in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), *REPOSITORY.glob("*/README.md"))
    if ".venv" not in path.parts and not path.is_symlink()  # the site shows some of the tree's own pages
)
_BLOCK = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r'title="([^"]+)"')
_COMMENT = re.compile(r"^# (\S+\.(?:py|toml))$", re.MULTILINE)
NEEDS = re.compile(r"# needs .+")
ELSEWHERE = ("make ", "pip install")
"""Commands that CI runs before this, or that made this environment."""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    kind: str  # sh, python, toml, json, text ...
    file: str  # the file it is, or ""
    text: str

    @property
    def is_run(self) -> bool:
        """True if the block is run, as a whole or in part."""
        return not self.file and self.kind in ("sh", "python") and not NEEDS.match(self.text) and bool(self.program)

    @property
    def program(self) -> str:
        """The part of the block that is run."""
        if self.kind != "sh":
            return self.text
        lines = self.text.replace("\\\n", " ").splitlines()
        return "\n".join(line for line in lines if not (NEEDS.search(line) or line.startswith(ELSEWHERE)))


def blocks(page: Path) -> list[Block]:
    """Return the page's blocks, in order."""
    page_blocks = []
    for indent, kind, info, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        bare = "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
        named = _NAMED.search(info) or _COMMENT.match(bare)
        page_blocks.append(Block(kind, named[1] if named else "", bare))
    return page_blocks
