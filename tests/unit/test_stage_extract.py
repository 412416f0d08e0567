"""Extraction redone on stored text: what changes is judged again, and nothing else."""

from pathlib import Path

import pytest

from benchmarks import Problem
from benchmarks.prompts import chat, paper
from benchmarks.registry import open_benchmark
from harness.commands.terminal import Terminal
from harness.errors import QprobeError
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.extract import extract, settings_of_run
from harness.stages.generate import generate, plan
from harness.stages.problems import load_benchmark
from sandbox import Outcome, Status

ANSWER = "```python\ndef f():\n    return 1\n```"
QUIET = Terminal(quiet=True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two graded samples of a chat model whose answers were taken for code."""
    store = Store(tmp_path / "run", create=True)
    store.add_problems([Problem("a/1", "def f():\n", "f", "assert f() == 1")])
    texts = [ANSWER, "def f():\n    return 2\n"]
    drawn = [Completion("a/1", i, "def f():\n", text, text) for i, text in enumerate(texts)]
    store.add_completions(drawn)
    store.add_verdicts(
        "g", {completion.id: Outcome(Status.SYNTAX if completion.index == 0 else Status.FAILED) for completion in drawn}
    )
    store.add_vector_rows({"v": {completion.id: completion.index for completion in drawn}})
    (store.folder / "scores.safetensors").write_bytes(b"old")
    return store


def test_only_what_changed_is_judged_again(store: Store):
    done = extract(store, chat(open_benchmark("humaneval")))
    assert (done.samples, done.changed) == (2, 1)
    one, two = store.completions()
    assert (one.program, one.text, two.program) == ("def f():\n    return 1\n", ANSWER, "def f():\n    return 2\n")
    assert [completion.index for completion in store.ungraded("g")] == [0]
    assert [sample.sample for sample in store.vector_rows("v")] == [1]
    assert not (store.folder / "scores.safetensors").exists()


def test_extracting_again_changes_nothing(store: Store):
    prompt = chat(open_benchmark("humaneval"))
    extract(store, prompt)
    before = store.verdicts("g")
    (store.folder / "scores.safetensors").write_bytes(b"new")
    assert extract(store, prompt).changed == 0
    assert store.verdicts("g") == before
    assert (store.folder / "scores.safetensors").exists()


def test_the_runs_own_settings_are_taken(store: Store):
    with pytest.raises(QprobeError, match="is unknown; give --benchmark"):
        settings_of_run(store)
    (store.folder / "config.toml").write_text('benchmark = "mini"\nerrata = false\nprompt = "chat"\n')
    made = settings_of_run(store)
    assert (made.benchmark, made.errata, made.prompt) == ("mini", False, "chat")
    assert settings_of_run(store, prompt="paper").prompt == "paper"
    store.note("source", {"file": "x.jsonl"})
    with pytest.raises(QprobeError, match="holds imported samples"):
        settings_of_run(store)


def test_a_run_without_samples(tmp_path: Path):
    with pytest.raises(QprobeError, match="holds no completions yet"):
        extract(Store(tmp_path / "empty", create=True), paper(open_benchmark("mini")))


class TestDrawing:
    """A prompt in a real model's hands."""

    def engine(self, folder: Path) -> HfEngine:
        return HfEngine(f"hf:{folder}", Sampling(max_new_tokens=4), device="cpu")

    def test_the_prompt_is_shown_recorded_and_held_to(self, tmp_path: Path, tiny_llama: Path):
        file = tmp_path / "mine.toml"
        file.write_text('name = "mine"\nprompt = "# {id}\\n{prompt}"\n')
        store = Store(tmp_path / "run", create=True)
        work = plan(load_benchmark("mini", limit=2), k=1, seed=0, prompt=str(file))
        generate(store, self.engine(tiny_llama), work, QUIET)
        for completion, problem in zip(store.completions(), store.problems(), strict=True):
            assert completion.prompt == f"# {problem.id}\n{problem.prompt}"
            assert completion.program.startswith(problem.prompt)
        assert store.settings()["prompt"].startswith("mini/mine v1 ")
        with pytest.raises(QprobeError, match="made with prompt "):
            generate(store, self.engine(tiny_llama), plan(load_benchmark("mini", limit=2), k=1, seed=0), QUIET)

    def test_a_chat_needs_a_template(self, tmp_path: Path, tiny_llama: Path):
        store = Store(tmp_path / "run", create=True)
        work = plan(load_benchmark("mini", limit=1), k=1, seed=0, prompt="chat")
        with pytest.raises(QprobeError, match="has no chat template"):
            generate(store, self.engine(tiny_llama), work, QUIET)
        talking = self.engine(tiny_llama)
        talking.model.tokenizer.chat_template = "{% for m in messages %}<user>{{ m.content }}</user>{% endfor %}"
        generate(store, talking, work, QUIET)
        (completion,) = store.completions()
        assert completion.prompt.startswith("<user>Write the Python function")
        assert completion.prompt.endswith("</user>")
