"""Files, functions and folders that the architecture pages name exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import qprobe as qp

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = ("ARCHITECTURE.md", "docs/pipeline.md")
_NAME = re.compile(r"`([\w/]+\.py)(?::([\w.]+))?`")
_TREE = re.compile(r"^## The tree$.*?^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^( *)([\w.]+/?)(?:  .+)?$")


def defined(path: Path, name: str) -> bool:
    """Return True where a file defines `function`, `Class` or `Class.method` at its top level."""
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        matches = [node for node in body if getattr(node, "name", None) == part]
        if not matches:
            return False
        body = getattr(matches[0], "body", [])
    return True


def tree_paths(text: str) -> Iterator[str]:
    """The paths of a tree: two spaces of indentation per level, folders end in a slash."""
    parents: list[str] = []
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        assert entry, f"not an entry of the tree: {line!r}"
        parents[len(entry[1]) // 2 :] = [entry[2]]
        yield "".join(parents)


@pytest.mark.parametrize("page", PAGES)
def test_named_files_and_functions_exist(page: str):
    names = _NAME.findall((REPOSITORY / page).read_text(encoding="utf-8"))
    assert len(names) >= 5
    files = {file for file, _ in names}
    assert sorted(file for file in files if not (REPOSITORY / file).is_file()) == []
    assert [f"{file}:{name}" for file, name in names if name and not defined(REPOSITORY / file, name)] == []


def test_a_name_that_does_not_exist_is_noticed():
    assert defined(REPOSITORY / "harness/runs/store.py", "Store.add_completions")
    assert not defined(REPOSITORY / "harness/runs/store.py", "Store.add_nothing")
    assert not defined(REPOSITORY / "harness/runs/store.py", "add_completions")


def test_the_tree_of_the_architecture_page_exists():
    tree = _TREE.search((REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert tree
    paths = list(tree_paths(tree[1]))
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []
    packages = {"qprobe", "harness", "benchmarks", "sandbox"}
    folders = [path for package in packages for path in (REPOSITORY / package).glob("*/__init__.py")]
    shown = {path.rstrip("/") for path in paths}
    missing = {str(path.parent.relative_to(REPOSITORY)) for path in folders} - shown
    assert missing <= {"benchmarks/mini_programs", "benchmarks/skeleton"}, "packages that the tree does not show"


@pytest.mark.parametrize(("page", "source"), [("files.md", "results/README.md"), ("verdicts.md", "sandbox/README.md")])
def test_pages_of_the_tree_are_shown_and_not_copied(page: str, source: str):
    """The README beside the code is the page itself; a copy would go stale."""
    path = REPOSITORY / "docs" / page
    assert path.is_symlink()
    assert path.resolve() == REPOSITORY / source


def test_the_api_page_documents_every_public_name():
    page = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: qprobe\.(\w+)$", page, re.MULTILINE)) == qp.__all__
