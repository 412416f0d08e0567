"""Nothing that a file holds is run: no pickle is loaded anywhere, nor what is like one."""

import ast
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from benchmarks.livecodebench import _pickled_text

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "dbm", "zipfile"}
LOADING = {"torch.load": "weights_only", "np.load": "", "numpy.load": "", "yaml.load": ""}
GUEST = REPOSITORY / "sandbox" / "guest"
"""It runs in the container, beside programs that may use what they like."""


def sources() -> list[Path]:
    packages = ("qprobe", "harness", "benchmarks", "sandbox", "scripts")
    return [path for name in packages for path in (REPOSITORY / name).rglob("*.py") if GUEST not in path.parents]


def wrong_in(source: str) -> list[str]:
    """The ways in which a source could load an object from a file."""
    wrong = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            wrong += [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in MODULES:
            wrong += [alias.name for alias in node.names if alias.name != "UnpicklingError"]
        elif isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in LOADING:
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if given.get(LOADING[name]) != "True":
                wrong.append(name)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            wrong.append("allow_pickle")
    return wrong


def test_no_source_loads_an_object():
    assert len(sources()) > 200
    assert {str(path): wrong for path in sources() if (wrong := wrong_in(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from pickle import loads", "torch.load(path)", "np.load(path, allow_pickle=True)",
     "torch.load(path, weights_only=False)", "import dill as d"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(source: str):
    assert wrong_in(source)
    assert not wrong_in("import json\ntorch.load(path, weights_only=True)\nopen(path)")


class Hostile:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickled_text_is_taken_out_and_nothing_else_is_run(tmp_path: Path):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for text in ("", "é" * 300, "[]" * 40_000, "\ud800"):
            if protocol or text != "\ud800":
                assert _pickled_text(pickle.dumps(text, protocol)) == text
    two_texts = b"\x80\x04\x8c\x01a\x94\x8c\x01b\x94."
    for data in (*map(pickle.dumps, (Hostile(tmp_path / "ran"), [1], ("a", "b"), None)), two_texts):
        with pytest.raises(ValueError, match="pickle"):
            _pickled_text(data)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("data", [b"", b".", b"r\xff\xff\xff\x7f.", b"X\xff\xff\xff\x7fa", b"\x80\x05\x8c\x01a\x94"])
def test_a_torn_pickle_is_refused_at_once(data: bytes):
    """A table of two billion places, as the third asks the standard loader for, would fill the memory."""
    with pytest.raises(ValueError, match=r"pickle|expected|exhausted|not enough"):
        _pickled_text(data)


def test_weights_in_a_pickle_are_not_run(tiny_llama: Path, tmp_path: Path):
    """transformers' own loader is asked for no more than tensors."""
    import shutil

    torch = pytest.importorskip("torch")
    from harness.errors import QprobeError
    from harness.models.hf.embedder import HfEmbedder
    from harness.models.tokens import Text

    folder = shutil.copytree(tiny_llama, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors*"))
    torch.save({"lm_head.weight": Hostile(tmp_path / "ran")}, folder / "pytorch_model.bin")
    reader = HfEmbedder(f"hf:{folder}", layers="1")
    with pytest.raises(QprobeError):
        reader.embed([reader.tokenise(Text.of("a", "b"))], reader.views)
    assert not (tmp_path / "ran").exists()


def test_an_array_of_objects_is_no_vector_file(tmp_path: Path):
    """Vector files are bytes of numbers: an archive of pickled objects is read as numbers, and never run."""
    from harness.runs.vector_file import VectorFile

    buffer = io.BytesIO()
    np.save(buffer, np.array([Hostile(tmp_path / "ran")], dtype=object), allow_pickle=True)
    (tmp_path / "v.f32").write_bytes(buffer.getvalue())
    assert VectorFile(tmp_path / "v.f32", (1, 2)).read().dtype == np.float32
    assert not (tmp_path / "ran").exists()
