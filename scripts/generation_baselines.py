"""Baselines of generation: the paper's way, plain `generate` in batches, a server, and the model's matrix products."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import torch
from torch import nn
from transformers import GenerationConfig

from benchmarks import Problem
from harness.models.engine import Request
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.hf.stopping_criteria import RowStops
from harness.models.openai.engine import OpenAIEngine
from harness.models.sampling import Sampling, SeededDraws
from harness.models.seeds import sample_seed
from harness.models.stop_strings import StopFinder
from harness.models.tokens import prompt_ids
from harness.runs.completion import SampleId
from harness.stages.generate import GenerationPlan

T = TypeVar("T")


@dataclass(frozen=True)
class Seconds:
    """The time that a piece of work took."""

    wall: float
    cpu: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} s of processor time)"


def timed(work: Callable[[], T], device: str) -> tuple[T, Seconds]:
    """Return the result of the work, and the time it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return result, Seconds(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True)
class Paper:
    """The samples that the paper's way made of one problem, and their cost."""

    token_ids: dict[SampleId, tuple[int, ...]]
    took: Seconds
    state_bytes: int


def paper(engine: HfEngine, embedder: HfEmbedder, problem: Problem, work: GenerationPlan, device: str) -> Paper:
    """One problem: its samples drawn side by side until the last has ended, every hidden state kept."""
    seeds = [sample_seed(work.seed, problem.id, index) for index in range(work.k)]
    prompt = prompt_ids(engine.model.tokenizer, problem.prompt)

    def draw() -> tuple[Any, RowStops]:
        ids = torch.tensor([prompt] * work.k, device=device)
        endings = _endings(engine, [problem.stop] * work.k, len(prompt))
        out = engine._weights.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                do_sample=False,  # the processor below leaves one token
                max_new_tokens=engine.sampling.max_new_tokens,
                pad_token_id=engine._end_tokens[0],
                output_hidden_states=True,
                return_dict_in_generate=True,
            ),
            logits_processor=[SeededDraws(engine.sampling, seeds, [False] * work.k)],
            stopping_criteria=[endings],
        )
        lengths = [endings.length(row, len(out.hidden_states)) for row in range(work.k)]
        layer = embedder.layers[0]
        vectors = [out.hidden_states[max(0, n - 1)][layer][row, -1].float().cpu() for row, n in enumerate(lengths)]
        assert len(torch.stack(vectors)) == work.k
        return out, endings

    with torch.inference_mode():
        (out, endings), took = timed(draw, device)
    kept = sum(layer.nbytes for step in out.hidden_states for layer in step)
    drawn = out.sequences[:, len(prompt) :].tolist()
    ids = {
        SampleId(problem.id, row): tuple(sequence[: endings.length(row, len(sequence))])
        for row, sequence in enumerate(drawn)
    }
    return Paper(ids, took, kept)


def _endings(engine: HfEngine, stops: list[tuple[str, ...]], prompt_tokens: int) -> RowStops:
    return RowStops(engine._end_tokens, [StopFinder(engine._token_text, stop) for stop in stops], prompt_tokens)


@dataclass(frozen=True)
class Plain:
    """Plain `generate`: the tokens of all completions up to their ends, and its cost."""

    rows: int
    tokens: int
    took: Seconds


def plain(engine: HfEngine, work: GenerationPlan, rows: int, device: str) -> Plain:
    """Return `generate` over all samples, `rows` at a time, padded on the left, the longest prompts first.

    It samples by itself, and each row stops where ours does; a batch lasts until its last row has ended. No hidden
    states are kept.
    """
    requests = [request for request in work.first_requests for _ in range(work.k)]
    prompts = [list(prompt_ids(engine.model.tokenizer, request.prompt)) for request in requests]
    order = sorted(range(len(prompts)), key=lambda at: -len(prompts[at]))
    tokens, took = 0, Seconds(0.0, 0.0)
    for first in range(0, len(order), rows):
        chosen = order[first : first + rows]
        batch = partial(_batch, engine, [prompts[at] for at in chosen], [requests[at] for at in chosen], device)
        found, seconds = timed(batch, device)
        tokens, took = tokens + found, took + seconds
    return Plain(rows, tokens, took)


@torch.inference_mode()
def _batch(engine: HfEngine, prompts: list[list[int]], requests: list[Request], device: str) -> int:
    longest, filler = max(map(len, prompts)), engine._end_tokens[0]
    ids = torch.tensor([[filler] * (longest - len(prompt)) + prompt for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    endings = _endings(engine, [request.stop for request in requests], longest)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        temperature=engine.sampling.temperature,
        top_p=engine.sampling.top_p,
        top_k=0,
        max_new_tokens=engine.sampling.max_new_tokens,
        pad_token_id=filler,
    )
    out = engine._weights.generate(
        input_ids=ids, attention_mask=mask, generation_config=config, stopping_criteria=[endings]
    )
    return sum(endings.length(row, out.shape[1] - longest) for row in range(len(prompts)))


@dataclass(frozen=True)
class Served:
    """Completions of an OpenAI-compatible server on this machine, and its cost."""

    name: str
    tokens: int
    took: Seconds


def served(spec: str, work: GenerationPlan, sampling: Sampling) -> Served:
    """Return the same requests drawn by a server (`openai:NAME,url=...,n=...`), and the time of its processes.

    A request warms it up. It samples by itself, without hidden states. Needs psutil, and a server on this machine.
    """
    engine = OpenAIEngine(spec, sampling)
    requests = [request for request in work.first_requests for _ in range(work.k)]
    list(engine.generate(requests[:1]))
    processes = _listening(urlsplit(engine.server.url).port)
    wall, cpu = time.perf_counter(), _cpu_seconds(processes)
    drawn = [done for _, done in engine.generate(requests)]
    took = Seconds(time.perf_counter() - wall, _cpu_seconds(processes) - cpu)
    if any(done.tokens is None for done in drawn):
        raise SystemExit(f"{spec} tells no numbers of tokens: name another server.")
    return Served(spec, sum(done.tokens or 0 for done in drawn), took)


def _listening(port: int | None) -> list[Any]:
    """Return the process that listens on a port, and all that it started."""
    import psutil

    pids = {found.pid for found in psutil.net_connections("inet") if found.laddr and found.laddr.port == port}
    servers = [psutil.Process(pid) for pid in pids if pid and pid != os.getpid()]
    if not servers:
        raise SystemExit(f"Nothing on this machine listens on port {port}.")
    return servers + [child for server in servers for child in server.children(recursive=True)]


def _cpu_seconds(processes: list[Any]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


@torch.inference_mode()
def product_rate(model: nn.Module, rows: int, repeats: int = 5) -> float:
    """Return the tokens per second of processor time that the model's matrix products alone would allow."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    inputs = {
        layer.in_features: torch.randn(rows, layer.in_features).to(layer.weight.device, layer.weight.dtype)
        for layer in layers
    }

    def products(times: int) -> None:
        for layer in layers * times:
            layer(inputs[layer.in_features])

    products(1)
    device = str(layers[0].weight.device)
    _, took = timed(lambda: products(repeats), device)
    return rows * repeats / (took.cpu if device == "cpu" else took.wall)
