"""Every reader of what others made bears any input: it reads it, or raises the one error that it names.

The inputs are few here; `pytest tests/unit/test_fuzz_readers.py --fuzz 100000` tries more.
"""

import gzip
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from benchmarks import BenchmarkError
from benchmarks.data_files import read_text
from benchmarks.pairs.registry import open_pairs
from benchmarks.registry import open_benchmark
from harness.errors import ProbeError, QprobeError
from harness.probes.forms import FORMS
from harness.probes.probe import load_probe
from harness.runs.schema import SCHEMA
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages.import_samples import import_samples
from harness.stages.shared_vectors import read_vectors
from sandbox import Job
from sandbox.backend import GuestError
from sandbox.connection import GuestConnection
from sandbox.guest import wire
from sandbox.guest.channel import Channel, Lost
from sandbox.guest.codec import Decoder, MalformedError
from sandbox.guest.graph import UnknownObjectError
from tests.made_run import fill

FEW = settings(max_examples=25) if settings.default.max_examples == 100 else settings()  # 100 is hypothesis's own
FIELDS = (
    *("id", "prompt", "entry_point", "tests", "solution", "cases", "input", "output", "compare", "language", "split"),
    *("mode", "timeout", "stop", "setup", "task_id", "completion", "program", "samples", "generated_codes", "text"),
    *("question_id", "question_content", "public_test_cases", "private_test_cases", "metadata", "starter_code"),
    *("problem_id", "question", "solutions", "input_output", "difficulty", "chosen", "rejected", "role", "content"),
    *("history", "human_ref_A", "human_ref_B", "labels", "score_ratio", "score_A", "message_id", "parent_id", "rank"),
    *("message_tree_id", "replies", "lang", "code", "test_list", "test_imports", "test", "canonical_solution"),
)
WORDS = st.sampled_from(
    [
        "B/0",
        "B/1",
        "def f():\n",
        "f",
        "assert f() == 1",
        "    return 1\n",
        "",
        "\ud800",
        "[",
        '[{"input": "1"}]',
        "x" * 99,
    ]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
ROWS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)
FILES = st.lists(
    (ROWS | VALUES).map(lambda row: json.dumps(row).encode()) | st.binary(max_size=30) | st.just(b"[" * 5000),
    max_size=4,
).map(b"\n".join)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="qprobe-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as name:
        yield Path(name)


def is_sentence(error: BaseException) -> None:
    assert str(error).strip()
    assert "Traceback" not in str(error)


def names(error: BaseException, run: Path) -> None:
    assert str(run) in str(error)


@FEW
@given(
    head=st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\xff\xfe"]), body=st.binary(), packed=st.booleans()
)
def test_a_data_file(head: bytes, body: bytes, packed: bool):
    with folder() as here:
        (here / "file").write_bytes(gzip.compress(head + body) if packed else head + body)
        with suppress(BenchmarkError):
            read_text(here / "file")


def almost(whole: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A good row with some fields changed, or left out."""
    changes = st.dictionaries(st.sampled_from(list(whole)), VALUES, max_size=2)
    lacking = st.sets(st.sampled_from(list(whole)), max_size=1)
    return st.builds(
        lambda new, gone: json.dumps({k: v for k, v in {**whole, **new}.items() if k not in gone}).encode(),
        changes,
        lacking,
    )


GOOD = {
    "own": {"id": "B/0", "prompt": "def f():\n", "entry_point": "f", "tests": "assert f() == 1", "stop": ["\n"],
            "mode": "", "timeout": 1.0, "split": "test"},
    "whole": {"id": "a", "prompt": "Print.", "cases": [{"input": "", "output": "1"}], "compare": "tokens"},
    "apps": {"problem_id": 0, "question": "Add.", "solutions": "[]", "difficulty": "interview", "starter_code": "",
             "input_output": '{"inputs": ["1"], "outputs": ["2"]}'},
    "livecodebench": {"question_id": "a", "question_content": "Add.", "starter_code": "", "metadata": "{}",
                      "public_test_cases": '[{"input": "1", "output": "2", "testtype": "stdin"}]',
                      "private_test_cases": ""},
    "mbpp": {"task_id": 1, "text": "Write.", "code": "def f():\n    return 1", "test_list": ["assert f() == 1"],
             "test_setup_code": ""},
}  # fmt: skip
BENCHMARKS = {"own": "", "whole": "", "apps": "apps:", "livecodebench": "livecodebench:", "mbpp": "mbpp:"}


@pytest.mark.parametrize("kind", GOOD)
@FEW
@given(data=st.data())
def test_a_benchmark(kind: str, data: st.DataObject):
    content = data.draw(FILES | st.lists(almost(GOOD[kind]), min_size=1, max_size=2).map(b"\n".join))
    with folder() as here:
        (here / "b.jsonl").write_bytes(content)
        try:
            open_benchmark(f"{BENCHMARKS[kind]}{here / 'b.jsonl'}").problems()
        except BenchmarkError as error:
            is_sentence(error)


SAMPLES = {
    "human-eval": {"task_id": "B/0", "completion": "    return 1\n", "prompt": "def f():\n"},
    "codet": {"prompt": "def f():\n", "samples": ["    return 1\n"]},
    "mbpp-eval": {"task_id": "B/0", "prompt": [{"role": "user", "content": "x"}], "generated_codes": ["x = 1"]},
    "evalplus": {"task_id": "B/0", "solution": "def f():\n    return 1\n"},
    "bigcode": {"place": 1, "generations": ["x = 1"]},
    "qprobe": {"problem": "B/0", "text": "x", "program": "x = 1"},
}


@pytest.mark.parametrize("kind", ["auto", *SAMPLES])
@FEW
@given(data=st.data())
def test_a_samples_file(kind: str, data: st.DataObject):
    whole = SAMPLES[kind] if kind in SAMPLES else data.draw(st.sampled_from(list(SAMPLES.values())))
    content = data.draw(FILES | st.lists(almost(whole), min_size=1, max_size=3).map(b"\n".join) | VALUES.map(_listed))
    with folder() as here:
        (here / "b.jsonl").write_text(json.dumps(GOOD["own"]))
        (here / "s.jsonl").write_bytes(content)
        with Store(here / "run", create=True) as store:
            try:
                import_samples(store, open_benchmark(str(here / "b.jsonl")), here / "s.jsonl", kind)
            except QprobeError as error:
                is_sentence(error)
        with Store(here / "run", read_only=True) as store:
            assert all(isinstance(completion.program, str) for completion in store.completions())


def _listed(value: object) -> bytes:
    return json.dumps([value]).encode()


PAIRS = {
    "": {"prompt": "a", "chosen": "b", "rejected": "c", "id": "1"},
    "hh:": {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"},
    "shp:": {"history": "a", "human_ref_A": "b", "human_ref_B": "c", "labels": 1, "score_ratio": 3.0},
    "oasst:": {"message_tree_id": "1", "message_id": "1", "parent_id": None, "text": "a", "role": "prompter",
               "rank": None, "lang": "en"},
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
@FEW
@given(data=st.data())
def test_a_pair_set(kind: str, data: st.DataObject):
    content = data.draw(FILES | st.lists(almost(PAIRS[kind]), min_size=1, max_size=3).map(b"\n".join))
    with folder() as here:
        (here / "p.jsonl").write_bytes(content)
        try:
            open_pairs(f"{kind}{here / 'p.jsonl'}").pairs()
        except BenchmarkError as error:
            is_sentence(error)


@pytest.mark.parametrize(("name", "read"), [("m.toml", open_benchmark), ("p.toml", open_pairs)])
@FEW
@given(
    lines=st.lists(
        st.builds(
            lambda key, value: f"{key} = {value}",
            st.sampled_from(
                ["dataset", "splits", "name", "layout", "config", "columns", "fields.id", "columns.prompt"]
            ),
            st.sampled_from(['"x"', "3", "[]", '["a"]', "{}", "{a = 1}", "1979-05-27", "nan", '"{"', "[[]]", '"{a}"']),
        )
        | st.text(max_size=10),
        max_size=6,
    )
)
def test_a_mapping(name: str, read: Callable[[str], object], lines: list[str]):
    with folder() as here:
        (here / name).write_text("\n".join(lines), encoding="utf-8", errors="replace")
        try:
            read(str(here / name))
        except BenchmarkError as error:
            is_sentence(error)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("made") / "run"
    with Store(run, create=True) as store:
        fill(store, problems=2, samples=2)
    with closing(sqlite3.connect(run / "run.sqlite")) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    return run


def read_all(run: Path, *, read_only: bool) -> None:
    """Read everything that a run holds, or raise QprobeError."""
    try:
        with Store(run, read_only=read_only) as store:
            grader, view = store.about.grader or "", store.about.view
            store.problems()
            ids = [completion.id for completion in store.completions()]
            assert all(outcome.reward in (0.0, 1.0, None) for outcome in store.verdicts(grader).values())
            store.plans(grader)
            store.sample_ids()
            if view:
                read_views(store, view, ids)
    except QprobeError as error:
        is_sentence(error)
        names(error, run)


def _columns() -> list[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(name, row[1]) for name in tables for row in database.execute(f"PRAGMA table_info({name})")]


CELLS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=9) | st.text(max_size=9)
JSON = VALUES.map(json.dumps)


@FEW
@given(
    changes=st.lists(st.tuples(st.sampled_from(_columns()), CELLS | JSON), min_size=1, max_size=3), alone=st.booleans()
)
def test_a_store_with_other_values(made: Path, changes: list[tuple[tuple[str, str], Any]], alone: bool):
    with folder() as here:
        run = shutil.copytree(made, here / "run")
        with closing(sqlite3.connect(run / "run.sqlite", isolation_level=None)) as database:
            for (table, column), value in changes:
                only = f" WHERE {column} IN (SELECT {column} FROM {table} LIMIT 1)" if alone else ""
                with suppress(sqlite3.Error, UnicodeEncodeError):
                    database.execute(f"UPDATE OR IGNORE {table} SET {column} = ?{only}", (value,))
        read_all(run, read_only=alone)


SETTINGS = (
    "log-probabilities of",
    "view",
    "view v",
    "grader",
    "grading",
    "source",
    "benchmark",
    "schema",
    "k",
    "stop",
    "generation",
    "image",
)


@FEW
@given(name=st.sampled_from(SETTINGS) | st.just("shard 0123456789ab"), value=JSON)
def test_a_store_with_other_settings(made: Path, name: str, value: str):
    with folder() as here:
        run = shutil.copytree(made, here / "run")
        with closing(sqlite3.connect(run / "run.sqlite", isolation_level=None)) as database:
            database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
        read_all(run, read_only=True)


@FEW
@given(places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_store_with_other_bytes(made: Path, places: list[tuple[float, int]]):
    with folder() as here:
        run = shutil.copytree(made, here / "run")
        content = bytearray((run / "run.sqlite").read_bytes())
        for place, byte in places:
            content[int(place * len(content))] = byte
        (run / "run.sqlite").write_bytes(content)
        read_all(run, read_only=True)
        read_all(run, read_only=False)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file with a few other bytes, whole or cut short."""
    changed = bytearray(content)
    for place, byte in draw(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)):
        changed[int(place * len(changed))] = byte
    return bytes(changed[: draw(st.just(len(changed)) | st.integers(0, len(changed)))])


CARD = {"form": "linear", "views": [[1, "last"]], "width": 3, "objective": "mse", "beta": 0.1, "rule": "arg max"}


@FEW
@given(data=st.data())
def test_a_probe_file(data: st.DataObject):
    import torch

    form = data.draw(st.sampled_from(list(FORMS)))
    weights = FORMS[form].start(1, 3, torch.Generator())
    changes = data.draw(st.dictionaries(st.sampled_from(list(CARD)), VALUES, max_size=2))
    content = save(weights, {"card": json.dumps({**CARD, "form": form, **changes})})
    with folder() as here:
        (here / "p").write_bytes(data.draw(damaged(content)))
        try:
            probe = load_probe(here / "p")
            probe([torch.zeros(2, probe.card.width)] * len(probe.card.views))
        except ProbeError as error:
            is_sentence(error)


@FEW
@given(data=st.data())
def test_a_file_of_vectors(data: st.DataObject):
    import torch

    width = data.draw(st.integers(0, 3))
    tensors = {"1/last": torch.zeros(2, width, dtype=torch.float16), "samples": torch.zeros(2, 16, dtype=torch.uint8)}
    left_out = data.draw(st.none() | st.sampled_from(list(tensors)))
    about = {"format": "qprobe-vectors/1", "embedder": "m", "identity": data.draw(st.just("{}") | JSON)}
    content = save({name: one for name, one in tensors.items() if name != left_out}, about)
    with folder() as here:
        (here / "v").write_bytes(data.draw(damaged(content)))
        try:
            read_vectors(here / "v")
        except QprobeError as error:
            is_sentence(error)


class Babbling:
    """A guest that says anything after its first frame."""

    def __init__(self, said: bytes) -> None:
        self._said = wire.pack_frame(wire.Kind.READY, 0) + said

    def write(self, data: bytes) -> None:
        return None

    def read_exact(self, size: int, timeout: float) -> bytes:
        assert size <= wire.PAYLOAD_BYTES
        if len(self._said) < size:
            raise GuestError("the end")
        data, self._said = self._said[:size], self._said[size:]
        return data

    def stop(self) -> None:
        return None


FRAMES = st.builds(wire.pack_frame, st.sampled_from(wire.Kind), st.integers(0, 3), st.binary(max_size=99)) | st.builds(
    lambda verdict, detail, case: wire.pack_frame(
        wire.Kind.RESULT, 1, wire.pack_result(wire.Result(verdict, 0.1, 0.2, 0, case, detail))
    ),
    st.sampled_from(wire.Verdict),
    st.binary(max_size=20),
    st.integers(0, 9),
)


@FEW
@given(said=st.lists(FRAMES | st.binary(max_size=40), max_size=6).map(b"".join))
def test_a_guest_that_says_anything(said: bytes):
    line = GuestConnection(Babbling(said), 0)
    line.send([Job("1", "", ""), Job("2", "", "")])
    with suppress(GuestError):
        while line.waiting:
            job, outcome = line.receive(lambda: None, lambda: None)
            assert job.key in ("1", "2")
            assert outcome.detail.isprintable()


@FEW
@given(
    said=st.binary(max_size=64) | VALUES.map(lambda value: _message(json.dumps(value).encode())), cut=st.integers(0, 9)
)
def test_a_candidate_that_says_anything(said: bytes, cut: int):
    inlet, outlet = os.pipe()
    os.write(outlet, said[: len(said) - cut])
    os.close(outlet)
    channel = Channel(inlet, 1 << 16)
    try:
        with suppress(Lost):
            assert type(channel.receive()) is list
    finally:
        channel.close()


def _message(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


TAGS = st.sampled_from(["t", "s", "d", "f", "l", "c", "b", "i", "x", "o", "", "deque", "set", "dict", "Decimal"])
PACKED = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.tuples(TAGS, inner).map(list), max_leaves=12
)


@FEW
@given(data=PACKED)
def test_an_answer_of_any_form(data: object):
    def reject(tag: str, body: object) -> object:
        raise MalformedError(tag)

    with suppress(MalformedError, UnknownObjectError):
        Decoder(reject).unpack(data)
