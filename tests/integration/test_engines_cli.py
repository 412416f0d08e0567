"""Engines from the command line: a server's samples and key, greedy completions, and a run resumed after a failure."""

import json
import shutil
from pathlib import Path

import pytest

import qprobe as qp
from harness.runs.completion import GREEDY, SampleId
from harness.runs.provenance import stages
from harness.runs.store import Store
from harness.runs.toml import toml_text
from harness.runs.vector_store import read_views
from harness.stages.embed import as_text
from tests.command import qprobe
from tests.model_server import serve

KEY = "sk-very-secret-1234567890"


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Four problems that random text solves sometimes: nothing need be returned."""
    rows = [
        {"id": f"E/{n}", "prompt": f"x = {n} #", "entry_point": "x", "tests": "assert x != 2", "stop": ["\n"]}
        for n in range(4)
    ]
    file = tmp_path / "bench.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_server_that_fails_midway_and_a_key_that_is_nowhere(tmp_path: Path, benchmark: Path, tiny_llama: Path):
    run = tmp_path / "run"
    with serve(tiny_llama) as server:
        model = f"openai:tiny,url={server.url},concurrency=1,retries=1"
        command = ("-v", "generate", str(run), "--benchmark", str(benchmark), "--model", model, "--k", "3")
        command = (*command, "--max-new-tokens", "6")
        server.faults.extend(["", "", "", "", "401"])
        failed = qprobe(*command, OPENAI_API_KEY=KEY, OPENAI_LOG="debug")
        assert failed.returncode == 1
        assert "refuses the key" in failed.stderr
        with Store(run) as store:
            assert len(store.sample_ids()) == 4, "what was drawn before is kept"
        done = qprobe(*command, OPENAI_API_KEY=KEY)
        assert done.returncode == 0, done.stderr
        assert "4 of 12 samples exist already" in done.stderr
        assert "need not honour a seed" in done.stderr
        read = qprobe("-v", "embed", str(run), "--embedder", f"openai:tiny,url={server.url}", OPENAI_API_KEY=KEY)
        assert "Embedded 12 samples" in read.stderr, read.stderr
        assert server.keys == {f"Bearer {KEY}"}
    with Store(run) as store:
        assert len(store.sample_ids()) == 12
        (vectors,) = read_views(store, store.settings()["view"], store.sample_ids()).values()
        texts = [completion.prompt + as_text(completion, ["\n"]).completion for completion in store.completions()]
        assert vectors[:, 0].tolist() == [len(text) for text in texts]
    assert not any(KEY in process.stdout + process.stderr for process in (failed, done, read))
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_the_greedy_completions_are_a_row_of_the_report(tmp_path: Path, benchmark: Path, tiny_llama: Path):
    run = tmp_path / "run"
    common = ("--benchmark", str(benchmark), "--model", f"hf:{tiny_llama}", "--max-new-tokens", "6", "--k", "4")
    done = qprobe("run", str(run), *common, "--greedy", "--sandbox", "process", "--folds", "2", "--json", "-q")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    with Store(run) as store:
        verdicts = store.verdicts(store.settings()["grader"], greedy=True)
        assert len(store.sample_ids()) == 16
        assert len(verdicts) == 20
    rewards = [verdicts[SampleId(f"E/{n}", GREEDY)].reward for n in range(4)]
    rows = {row["name"]: row for row in report["rows"]}
    assert report["samples"] == 16
    assert rows["greedy"]["value"] == pytest.approx(sum(map(float, rewards)) / 4) == 0.75
    assert sum(report["statuses"].values()) == 16, "the greedy completions are no part of the samples"


def test_rules_of_sampling_and_a_system_prompt(tmp_path: Path, benchmark: Path, tiny_llama: Path):
    """The same samples by options, by the run's own file, by another file and by the library; no run mixes them."""
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "chat"))
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if not think %}<no>{% endif %}"
    )
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    common = ("--benchmark", str(benchmark), "--model", f"hf:{folder}", "--k", "3", "--max-new-tokens", "6")
    rules = ("--top-k", "9", "--min-p", "0.02", "--repetition-penalty", "1.3")
    chat = ("--prompt", "chat", "--system-prompt", "Be brief.\nPlease.", "--chat-template-kwargs", "think=false")
    done = qprobe("generate", str(first), *common, *rules, *chat)
    assert done.returncode == 0, done.stderr
    again = qprobe("run", str(first / "config.toml"), "--sandbox", "process", "--no-probes")
    assert "12 of 12 samples exist already" in again.stderr, again.stderr

    mixed = qprobe("generate", str(first), *common, *rules, *chat[:4])
    assert mixed.returncode == 1
    assert 'generation {"chat_template_kwargs": {"think": false}}, not' in mixed.stderr
    file = tmp_path / "experiment.toml"
    settings = {"benchmark": str(benchmark), "model": f"hf:{folder}", "k": 3, "max_new_tokens": 6, "prompt": "chat"}
    settings |= {"top_k": 9, "min_p": 0.02, "repetition_penalty": 1.3, "system_prompt": "Be brief.\nPlease."}
    settings |= {"chat_template_kwargs": ["think=false"], "folder": str(second), "sandbox": "process", "probes": False}
    file.write_text(toml_text(settings))
    by_file = qprobe("run", str(file))
    assert by_file.returncode == 0, by_file.stderr
    model = qp.load_model(
        f"hf:{folder}",
        max_new_tokens=6,
        top_k=9,
        min_p=0.02,
        repetition_penalty=1.3,
        system_prompt="Be brief.\nPlease.",
        chat_template_kwargs={"think": False},
    )
    with qp.Run(third) as run:
        run.generate(qp.load_benchmark(str(benchmark)), model, k=3, prompt="chat")
    drawn = [completions(run) for run in (first, second, third)]
    assert drawn[0] == drawn[1] == drawn[2]
    assert drawn[0][0][0].startswith("<system>Be brief.\nPlease.<user>")
    assert drawn[0][0][0].endswith("<no>")
    noted = [stage["settings"] for run in (first, third) for stage in stages(run) if stage["stage"] == "generate"]
    assert all(each["top_k"] == 9 and each["chat_template_kwargs"] == ["think=false"] for each in noted)


def completions(run: Path) -> list[tuple[str, str]]:
    with Store(run, read_only=True) as store:
        return [(completion.prompt, completion.text) for completion in store.completions()]
