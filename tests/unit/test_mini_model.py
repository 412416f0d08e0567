"""The tiny model: small, loadable by the ordinary means, and able to write programs that pass."""

from functools import cache
from importlib import resources

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from benchmarks import Problem
from benchmarks.mini import BENCHMARK, MODEL
from scripts.mini.behaviour import outputs

PROBLEMS = BENCHMARK.problems()
MEGABYTE = 2**20


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    """The model's tokenizer."""
    return AutoTokenizer.from_pretrained(MODEL)


@cache
def model() -> PreTrainedModel:
    """The model."""
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


def greedy(prompts: list[str]) -> list[str]:
    """The likeliest completion of each prompt."""
    encoded = tokenizer()(prompts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        ids = model().generate(**encoded, do_sample=False, max_new_tokens=120)
    return tokenizer().batch_decode(ids[:, encoded["input_ids"].shape[1] :], skip_special_tokens=True)


def test_the_model_and_its_tokenizer_are_small():
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 6 * MEGABYTE


def test_the_model_ships_with_the_package():
    assert resources.files("benchmarks.mini").joinpath("model", "model.safetensors").is_file()
    assert resources.files("benchmarks.mini").joinpath("model", "README.md").is_file()


@pytest.mark.parametrize("problem", PROBLEMS[::13], ids=lambda problem: problem.id)
def test_a_program_is_encoded_alike_together_and_in_parts(problem: Problem):
    completion = problem.solution.removeprefix(problem.prompt)
    together = tokenizer()(problem.solution)["input_ids"]
    assert together == tokenizer()(problem.prompt)["input_ids"] + tokenizer()(completion)["input_ids"]
    assert tokenizer().decode(together) == problem.solution


def test_its_likeliest_programs_often_pass():
    problems = PROBLEMS[::9]
    passed = 0
    for problem, completion in zip(problems, greedy([problem.prompt for problem in problems]), strict=True):
        program = BENCHMARK.program(problem, problem.prompt, completion)
        source = f"{program}\n{problem.tests}\ndef verdict():\n    check({problem.entry_point})\n    return True\n"
        passed += outputs(source, "verdict", [()]) == ("bool True",)
    assert passed > len(problems) / 3
