"""The continuation of a completion is what the model wrote, whatever came before it in the prompt."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.mini import MODEL
from benchmarks.prompts import Shot, with_shots
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.embed import as_text
from harness.stages.generate import generate, plan
from harness.stages.problems import load_benchmark

HEAD = "def f(x):\n"
SHOT = "def g(x):\n    return 0\n\n"


@pytest.mark.parametrize(
    ("prompt", "text", "program", "continuation"),
    [
        (HEAD, "    return 1\n\ndef", f"{HEAD}    return 1\n", "    return 1\n"),
        (f"{SHOT}{HEAD}", "    return 1\n\ndef", f"{HEAD}    return 1\n", "    return 1\n"),
        (f"{HEAD}    return 0\n\n{HEAD}", "    return 1", f"{HEAD}    return 1", "    return 1"),
        (f"{SHOT}{HEAD}", "", HEAD, ""),
        (HEAD, "", HEAD, ""),
        (f'"""Return x."""\n{SHOT}', HEAD, HEAD, HEAD),
        ("Write f.\n\n", "\ndef f(): pass\n# end", "\ndef f(): pass\n", "\ndef f(): pass\n"),
        (f"Do:\n{HEAD}Answer:", f"```\n{HEAD}    return 1\n```", f"{HEAD}    return 1\n", f"{HEAD}    return 1\n"),
        (f"{SHOT}{HEAD}", "  return 1", f"{HEAD}    return 1", f"{HEAD}    return 1"),
        ("", "", "", ""),
        ("x", "", "", ""),
        ("x", "y", "", ""),
    ],
)  # fmt: skip
def test_the_continuation(prompt: str, text: str, program: str, continuation: str):
    assert Completion("P", 0, prompt, text, program).continuation == continuation


@pytest.mark.parametrize("shots", [0, 2])
def test_a_few_shot_completion_is_read_to_the_end_of_its_program(shots: int, tmp_path: Path):
    """And not to the end of its stop string: its states are captured as those of any other."""
    problems = load_benchmark("mini", limit=6)
    shown = [Shot(one.id, one.prompt, one.solution.removeprefix(one.prompt)) for one in problems[4:][:shots]]
    prompt = with_shots("shots", problems.benchmark, shown)
    work = replace(
        plan(problems, k=4), problems=[replace(one, stop=("return",)) for one in problems[:4]], prompt=prompt
    )
    engine = HfEngine(f"hf:{MODEL}", Sampling(max_new_tokens=40), device="cpu")
    reader = HfEmbedder(f"hf:{MODEL}", layers="1", pooling="last,mean", device="cpu")
    with Store(tmp_path / "run", create=True) as store:
        generate(store, engine, work, reader=reader)
        stopped = [one for one in store.completions() if one.text.endswith("return")]
        assert len(stopped) > 8
        for one in stopped:
            read = as_text(one, ["return"])
            assert one.text[: read.end] == one.continuation == one.text.removesuffix("return")
        assert store.count_without_vectors(list(store.about.shards)) <= 16 - len(stopped)
