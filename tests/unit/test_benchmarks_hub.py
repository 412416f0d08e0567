"""Data sets of the hub: the hub's own loading code on data sets of its layout; kept copies; mappings."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks import BenchmarkError
from benchmarks.hub import HubData, rows_digest
from benchmarks.registry import open_benchmark
from tests.command import qprobe

pytest.importorskip("datasets", reason="the extra `hub` is not installed")

ROWS = [
    {"task_id": n, "text": f"Add {n}.", "tests": [f"assert add{n}(1) == {n + 1}", f"assert add{n}(2) == {n + 2}"]}
    | {"code": f"def add{n}(x):\n    return x + {n}\n"}
    for n in range(1, 4)
]
MAPPING = r"""
dataset = "data"
splits = ["test"]
[columns]
id = "Add/{task_id}"
prompt = "# {text}\n# {tests[0]}\n"
tests = "tests"
solution = "code"
[values]
stop = ["\nclass"]
"""


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("QPROBE_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hub-cache")


def hub_folder(folder: Path, rows: list[dict[str, Any]] = ROWS, kind: str = "parquet") -> Path:
    """A data set of two splits, `train` and `test`, in one of the hub's layouts."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (folder / "data").mkdir(parents=True)
    for split, part in (("train", rows[:1]), ("test", rows[1:])):
        if kind == "parquet":
            pq.write_table(pa.Table.from_pylist(part), folder / "data" / f"{split}-00000-of-00001.parquet")
        else:
            text = "".join(json.dumps(row) + "\n" for row in part)
            (folder / "data" / f"{split}.jsonl").write_text(text)
    return folder


def mapping(folder: Path, text: str = MAPPING) -> str:
    file = folder / "adding.toml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_mapping_makes_problems_of_a_data_set(tmp_path: Path, kind: str):
    hub_folder(tmp_path / "data", kind=kind)
    benchmark = open_benchmark(mapping(tmp_path))
    first, second = benchmark.problems()
    assert (benchmark.name, first.id, first.split, first.entry_point) == ("adding", "Add/2", "test", "add2")
    assert first.prompt == "# Add 2.\n# assert add2(1) == 3\n"
    assert first.tests == "assert add2(1) == 3\nassert add2(2) == 4"
    assert (second.solution, second.stop) == (ROWS[2]["code"], ("\nclass",))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('splits = ["test"]', 'splits = ["dev"]', "unknown split 'dev'. Choose from train, test"),
        (
            'tests = "tests"',
            'tests = "test"',
            "split test, row 1: 'test' needs the column 'test'; choose from task_id",
        ),
        ("{tests[0]}", "{tests[9]}", r"split test, row 1: the template '.*' cannot be filled \(list index out"),
        ("{tests[0]}", "{tests[0]", "split test, row 1: the template '.*' cannot be filled"),
        (
            'solution = "code"',
            'solutions = "code"',
            r"unknown key in \[columns\] 'solutions' .did you mean 'solution'",
        ),
        ('dataset = "data"', "", "'dataset' is missing"),
        ('dataset = "data"', "dataset = 3", "'dataset' is not a string"),
        ('dataset = "data"', 'data_set = "data"', "unknown key 'data_set' .did you mean 'dataset'"),
        ('dataset = "data"', 'dataset = "data"\nconfig = "no"', "data cannot be read as a data set of the hub .*'no'"),
        ("[columns]", "[columns", "is not TOML"),
        ('id = "Add/{task_id}"', 'id = "text"', None),
        ('id = "Add/{task_id}"', 'id = "{code[0]}"', "row 2: the id 'd' is already used by split test, row 1"),
        ('solution = "code"', "", "row 1: the field 'entry_point' is missing"),
    ],
)
def test_wrong_mappings(tmp_path: Path, old: str, new: str, complaint: str | None):
    hub_folder(tmp_path / "data")
    assert old in MAPPING
    file = mapping(tmp_path, MAPPING.replace(old, new))
    if complaint is None:
        assert len(open_benchmark(file).problems()) == 2
        return
    with pytest.raises(BenchmarkError, match=complaint):
        open_benchmark(file).problems()


def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha256: str = "") -> HubData:
    """A data set that was fetched from the hub, which is gone since."""
    monkeypatch.chdir(tmp_path)
    hub_folder(tmp_path / "owner" / "name")
    data = HubData("adding", "owner/name", sha256=sha256)
    monkeypatch.setattr(HubData, "is_local", False)
    data.fetch()
    shutil.rmtree(tmp_path / "owner")
    return data


def test_what_was_fetched_once_is_there_without_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = fetched(tmp_path, monkeypatch, rows_digest(ROWS))
    assert data.rows() == [("train", ROWS[0]), ("test", ROWS[1]), ("test", ROWS[2])]


@pytest.mark.parametrize("published", [rows_digest(ROWS), ""])
@pytest.mark.parametrize("change", [("assert", "assurt"), ("}\n", "\n"), ('"split"', '"spilt"')])
def test_a_damaged_copy_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], published: str
):
    data = fetched(tmp_path, monkeypatch, published)
    assert len(data.rows()) == len(ROWS)
    data.kept.write_text(data.kept.read_text().replace(*change, 1))
    with pytest.raises(BenchmarkError, match=re.escape(f"{data.kept} is damaged (")):
        data.rows()


def test_the_hub_s_rows_are_checked_before_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BenchmarkError, match="the hub's rows are not the published ones"):
        fetched(tmp_path, monkeypatch, sha256="0" * 64)
    assert not list((tmp_path / "kept").glob("*.jsonl"))


def test_a_hub_that_cannot_be_reached_with_nothing_kept_is_one_sentence():
    with pytest.raises(BenchmarkError) as refusal:
        HubData("adding", "owner/name-of-nothing", otherwise="name a file").rows()
    text = str(refusal.value)
    assert text.startswith("adding is not available: the hub refused it (")
    assert "Connect once and run qprobe benchmarks fetch adding" in text
    assert text.endswith("or name a file.")
    assert "\n" not in text


def test_a_hub_that_does_not_answer_is_not_asked_again_and_again(monkeypatch: pytest.MonkeyPatch):
    """As its client would, for half a minute."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BenchmarkError, match=r"^adding is not available: http://127\.0\.0\.1:9 does not answer"):
        HubData("adding", "owner/name").rows()


def test_fetch_and_show_on_the_command_line(tmp_path: Path):
    hub_folder(tmp_path / "data")
    file = mapping(tmp_path, 'licence = "MIT"\n' + MAPPING)
    done = qprobe("benchmarks", "fetch", file)
    assert (done.returncode, done.stderr) == (
        0,
        "adding: 2 problems; nothing to fetch, its data is on this machine.\n",
    )
    card = json.loads(qprobe("benchmarks", "show", file).stdout)
    assert {**card, "sha256": len(card["sha256"])} == {
        "name": "adding",
        "problems": 2,
        "splits": {"test": 2},
        "licence": "MIT",
        "sha256": 64,
        "errata": None,
    }
