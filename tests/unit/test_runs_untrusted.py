"""Run folders of strangers: links, devices, foreign or damaged databases, vectors that are not there."""

import json
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import save

from harness.errors import QprobeError
from harness.reports.published import read_published
from harness.runs.completion import SampleId
from harness.runs.scores import load_scores
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages.options import ProbeOptions
from tests.command import qprobe
from tests.made_run import fill


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with verdicts and vectors."""
    folder = tmp_path_factory.mktemp("made") / "run"
    with Store(folder, create=True) as store:
        fill(store, problems=4, samples=3)
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(made, tmp_path / "run")


def execute(run: Path, *statements: str) -> None:
    with closing(sqlite3.connect(run / "run.sqlite")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def read_all(run: Path, *, read_only: bool) -> None:
    """Read everything that a run holds."""
    with Store(run, read_only=read_only) as store:
        about = store.about
        store.problems()
        ids = [completion.id for completion in store.completions()]
        store.verdicts(about.grader or "")
        store.plans(about.grader or "")
        store.sample_ids()
        read_views(store, about.view or "", ids)


def refused(run: Path, says: str) -> None:
    """Reading says what is wrong, with and without the right to write."""
    for read_only in (True, False):
        with pytest.raises(QprobeError, match=says) as raised:
            read_all(run, read_only=read_only)
        assert "\n" not in str(raised.value)


def test_a_whole_run_is_read(run: Path):
    for read_only in (True, False):
        read_all(run, read_only=read_only)


@pytest.mark.parametrize("name", ["provenance.jsonl", "run.sqlite-wal", "vectors-000000000000.f32", "probes/x"])
def test_a_link_is_refused_and_nothing_is_written_through_it(run: Path, tmp_path: Path, name: str):
    target = tmp_path / "target"
    (run / "probes").mkdir()
    (run / name).symlink_to(target)
    refused(run, f"{name} is a link")
    assert not target.exists()


def test_the_lock_and_the_database_may_be_no_links(run: Path, tmp_path: Path):
    elsewhere = (run / "run.sqlite").rename(tmp_path / "elsewhere.sqlite")
    (run / "run.sqlite").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    refused(run, "run.sqlite is a link")
    assert elsewhere.read_bytes() == before
    (run / "run.sqlite").unlink()
    elsewhere.rename(run / "run.sqlite")
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(tmp_path / "new")
    refused(run, ".lock is a link")
    assert not (tmp_path / "new").exists()


def test_a_pipe_is_refused_and_not_waited_for(run: Path):
    os.mkfifo(run / "report.json")
    refused(run, "neither a file nor a folder")


SETTING = "INSERT OR REPLACE INTO settings VALUES ('{}', '{}')"
SHARD = '{{"embedder": {{}}, "precision": "float32", "views": [[1, "last"]], "width": {}}}'


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("CREATE VIEW more AS SELECT 1", "a view 'more', which qprobe did not make"),
        ("CREATE TRIGGER t AFTER INSERT ON settings BEGIN DELETE FROM problems; END", "a trigger 't'"),
        ("ALTER TABLE completions ADD COLUMN more TEXT", "a table 'completions' with other columns"),
        ("ALTER TABLE problems DROP COLUMN tests", "a table 'problems' with other columns"),
        ("ALTER TABLE settings RENAME COLUMN value TO worth", "a table 'settings' with other columns"),
        ("UPDATE completions SET idx = 'first' WHERE rowid = 1", "a str where a int belongs"),
        ("UPDATE completions SET program = x'80ff'", "a bytes where a str belongs"),
        ("UPDATE completions SET text = CAST(x'80ff' AS TEXT)", "is damaged"),
        ("UPDATE completions SET tokens = 1.5", "a float where a int belongs"),
        ("INSERT INTO tokens SELECT problem_id, idx, x'010203' FROM completions", "values that qprobe did not write"),
        ("UPDATE problems SET stop = '{'", "values that qprobe did not write"),
        ("UPDATE problems SET stop = '3'", "values that qprobe did not write"),
        ("UPDATE problems SET prompt = NULL", "a NoneType where a str belongs"),
        ("UPDATE verdicts SET status = 'perfect'", "'perfect' is not a valid Status"),
        ("UPDATE verdicts SET cpu_seconds = 'long'", "a str where a float belongs"),
        ("INSERT INTO plans VALUES ('g', 'M/0', '{\"mood\": 1}')", "values that qprobe did not write"),
        (SETTING.format("source", "[" * 100_000), "values that qprobe did not write"),
        (SETTING.format("source", '{"shell": 1}'), "values that qprobe did not write"),
        (SETTING.format("view v", "3"), "values that qprobe did not write"),
        (SETTING.format("view", '"w"'), "values that qprobe did not write"),
        (SETTING.format("view", "[]"), "values that qprobe did not write"),
        ("UPDATE vectors SET row = -1", "not those that the run refers to"),
        ("UPDATE vectors SET row = 4611686018427387904", "not those that the run refers to"),
        ("UPDATE vectors SET row = 'x'", "a str where a int belongs"),
    ],
)
def test_foreign_rows_are_refused(run: Path, statement: str, says: str):
    execute(run, statement)
    refused(run, says)


@pytest.mark.parametrize(
    ("key", "width"), [("../../etc/passwd", 8), ("0123456789ab", 0), ("0123456789ab", -8), ("0123456789ab", 2**60)]
)
def test_vectors_of_other_names_and_shapes_are_refused(run: Path, key: str, width: int):
    execute(run, SETTING.format(f"shard {key}", SHARD.format(width)), f"UPDATE vectors SET view = '{key}'")
    execute(run, SETTING.format("view v", f'{{"embedder": "m", "views": [[1, "last"]], "shards": ["{key}"]}}'))
    refused(run, "values that qprobe did not write.*vectors")


@pytest.mark.parametrize("size", [0, 1, 31, 32 * 11 + 31])
def test_vectors_that_are_cut_short_are_refused(run: Path, size: int):
    (file,) = run.glob("vectors-*")
    os.truncate(file, size)
    refused(run, "not those that the run refers to")
    file.unlink()
    refused(run, "not those that the run refers to")


def test_more_vectors_than_needed_are_no_fault(run: Path):
    """A killed command leaves rows, or parts of one, that nothing refers to."""
    (file,) = run.glob("vectors-*")
    os.truncate(file, 2**40 + 5)  # a file of zeros that takes no space
    with Store(run, read_only=True) as store:
        (vectors,) = read_views(store, "v", [SampleId("M/0", 0)]).values()
    assert vectors.shape == (1, 8)
    read_all(run, read_only=False)


@pytest.mark.parametrize("page", [0, 1, 5, -1])
@pytest.mark.parametrize("garbage", [b"\0", b"\xa5", b"\x0d"])
def test_a_damaged_page_is_reported(run: Path, page: int, garbage: bytes):
    """The first pages are always read, others only where the run needs them; nothing but a sentence is raised."""
    execute(run, "PRAGMA journal_mode = DELETE")
    file = run / "run.sqlite"
    pages = file.stat().st_size // 4096
    with file.open("r+b") as database:
        database.seek(page % pages * 4096)
        database.write(garbage * 4096)
    with pytest.raises(QprobeError, match=r"run\.sqlite") if page in (0, 1) else suppress(QprobeError):
        read_all(run, read_only=True)


@pytest.mark.parametrize("command", ["report", "export", "grade"])
def test_a_file_that_is_no_database(run: Path, command: str):
    (run / "run.sqlite").write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    done = qprobe(command, str(run), *(["--sandbox", "process"] if command == "grade" else []))
    assert done.returncode == 1
    assert "run.sqlite" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def probed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with probes."""
    from harness.stages.run import Run

    folder = shutil.copytree(made, tmp_path_factory.mktemp("probed") / "run")
    with Store(folder) as store:
        fill(store, problems=12, samples=4, name="N/")
    with Run(folder) as run:
        run.probe(["mse"], ProbeOptions(repeats=1, folds=3))
    return folder


def test_scores_of_another_content_are_refused(probed: Path, tmp_path: Path):
    run = shutil.copytree(probed, tmp_path / "run")
    path = run / "scores.safetensors"
    with safe_open(path, "np") as file:
        card, arrays = file.metadata()["card"], {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    whole = path.read_bytes()
    with Store(run, read_only=True) as store:
        assert load_scores(store).objectives == ("mse",)
        changed = {**json.loads(card), "objectives": ["mse", "ce"]}
        files = [
            (b"", "is damaged"),
            (whole[:-9], "is damaged"),
            (save(arrays), "is damaged"),
            (save(arrays, {"card": "[" * 100_000}), "is damaged"),
            (save(arrays, {"card": "3"}), "values that qprobe did not write"),
            (
                save(arrays, {"card": json.dumps(changed)}),
                "values that qprobe did not write.*scores_SOPN has the shape",
            ),
            (save({**arrays, "more": arrays["units_P"]}, {"card": card}), "values that qprobe did not write"),
        ]
        for content, says in files:
            path.write_bytes(content)
            with pytest.raises(QprobeError, match=says):
                load_scores(store)


def test_a_published_report_of_another_content_is_refused(tmp_path: Path):
    for text in ("[" * 100_000, "{", "3", '{"schema": "qprobe-report/99"}', "\x00"):
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(QprobeError):
            read_published(tmp_path)
