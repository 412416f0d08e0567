"""The stage finetune: train a LoRA adapter on a run's samples, or pairs, of training problems.

Whatever can fail does so before the weights are read. A finished adapter of the same data and settings is kept.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.pairs.pair import PAIRS
from harness.errors import QprobeError
from harness.finetuning.card import AdapterCard, prompt_digest, read_card
from harness.finetuning.checkpoint import Checkpoint
from harness.finetuning.lora import HEAD, LoraSettings, save_adapter, trained_parameters, with_lora
from harness.finetuning.methods import Method, find_method
from harness.finetuning.needs import GIB, ModelSize, free_memory
from harness.finetuning.training import Schedule, train
from harness.models.hf.pretrained import Pretrained, open_pretrained
from harness.progress import SILENT, Progress
from harness.runs.provenance import note_stage
from harness.runs.store import Store
from harness.runs.training_problems import HELD_OUT, refuse_held_out, training_problems
from harness.stages.estimate import EFFICIENCY, speed
from harness.stages.finetune_options import FinetuneOptions
from harness.stages.finetune_rows import ROWS, RowLimits, SampleTokens, digest
from harness.stages.options import settings_of

ADAPTERS = "adapters"
"""The folder of a run's adapters."""


@dataclass(frozen=True, slots=True)
class TrainingWork:
    """A training, checked before any weights are read."""

    method: Method[Any]
    model: Pretrained
    rows: Sequence[Any]
    schedule: Schedule
    lora: LoraSettings
    output: Path
    card: AdapterCard  # without losses
    size: ModelSize
    left_out: int = 0  # problems whose prompt is that of a held-out one

    @property
    def needed_bytes(self) -> int:
        """About how much memory the training needs."""
        longest = max(map(self.method.tokens, self.rows))
        return self.size.training_bytes(self.lora.rank, max(self.schedule.batch_tokens, longest))

    def seconds(self) -> float:
        """About how long it takes on this machine."""
        operations = self.size.operations(self.card.tokens * self.schedule.epochs, self.method.further_passes)
        return operations / (EFFICIENCY * speed(self.model.precision))


def plan_training(store: Store, options: FinetuneOptions) -> TrainingWork:
    """Return the training that the options ask for. Raises QprobeError for all that can be found out beforehand."""
    method = find_method(options.method, options.beta)
    model = _model(store, options)
    problems = training_problems(store, options.splits)
    limits = RowLimits(options.per_problem, options.max_tokens)
    rows = ROWS[options.method](store, problems, SampleTokens(model.spec, options.device), limits)
    rate = options.learning_rate or method.learning_rate
    schedule = Schedule(options.epochs, options.batch_size, rate, options.batch_tokens, options.seed)
    lora = LoraSettings(options.rank, options.alpha, options.dropout)
    size = _size(model, method)
    output = options.output or store.folder / ADAPTERS / options.method
    card = _card(store, options.method, model, rows, (schedule, lora), method)
    splits = {problem.split for problem in problems}
    left_out = sum(problem.split in splits for problem in store.problems()) - len(problems)
    return TrainingWork(method, model, rows, schedule, lora, output, card, size, left_out)


def finetune(store: Store, options: FinetuneOptions, progress: Progress = SILENT) -> tuple[Path, AdapterCard]:
    """Train the adapter, unless it exists, and return its folder and its card. Raises QprobeError."""
    work = plan_training(store, options)
    done = read_card(work.output)
    if done is not None:
        if done.key != work.card.key:
            raise QprobeError(f"{work.output} holds an adapter of other data or settings: name another --output.")
        progress.message(f"The adapter exists already: {work.output}.")
        return work.output, done
    progress.message(describe(work))
    check_memory(work)
    started = time.monotonic()
    card = _train(store, work, progress)
    settings = settings_of(options, FinetuneOptions)
    samples = store.counts()["completions"]  # of which none is new
    note_stage(store, "finetune", settings, seconds=time.monotonic() - started, before=samples)
    return work.output, card


def _train(store: Store, work: TrainingWork, progress: Progress) -> AdapterCard:
    import transformers

    refuse_held_out(store, work.card.problems)
    auto_class = getattr(transformers, work.method.auto_class)
    scalar: dict[str, Any] = {"new": HEAD, "num_labels": 1} if work.method.task == "SEQ_CLS" else {}
    base = work.model.load(auto_class, **scalar)
    base.requires_grad_(requires_grad=False)
    model = with_lora(base, work.lora, work.method.task, work.schedule.seed)
    checkpoint = Checkpoint(work.output / "checkpoint", work.card.key)
    losses = train(model, work.rows, work.method, work.schedule, checkpoint, progress)
    parameters = sum(tensor.numel() for tensor in trained_parameters(model).values())
    card = _finished(work.card, losses, parameters)
    work.output.mkdir(parents=True, exist_ok=True)
    save_adapter(model, work.output)
    card.save(work.output)  # last: an adapter with a card is whole
    checkpoint.remove()
    return card


def _finished(card: AdapterCard, losses: Sequence[float], parameters: int) -> AdapterCard:
    rounded = tuple(round(loss, 6) for loss in losses)
    return replace(card, losses=rounded, steps=len(losses), parameters=parameters)


def is_of_pairs(card: AdapterCard) -> bool:
    """Return whether an adapter was trained on pairs of replies."""
    return card.benchmark.startswith(PAIRS)


def describe(work: TrainingWork) -> str:
    """Return the work, its time and its memory in a line."""
    card, free = work.card, free_memory(work.model.target_device)
    known = "" if free is None else f" of {free / GIB:.1f} free"
    sources = f"{len(card.prompts):,} prompts" if is_of_pairs(card) else f"{len(card.problems):,} problems"
    shared = f" {work.left_out:,} more have a prompt of the split {HELD_OUT} and are left out." if work.left_out else ""
    return (
        f"Fine-tuning {card.model} by {card.method}: {card.rows:,} {work.method.row_name} of {sources}, "
        f"{card.steps:,} steps. About {_duration(work.seconds())} and {work.needed_bytes / GIB:.1f} GiB of memory"
        f"{known}.{shared}"
    )


def check_memory(work: TrainingWork) -> None:
    """Raise QprobeError where the device's memory does not suffice."""
    free = free_memory(work.model.target_device)
    if free is not None and work.needed_bytes > free:
        raise QprobeError(
            f"Fine-tuning needs about {work.needed_bytes / GIB:.1f} GiB of memory and {free / GIB:.1f} are free: lower "
            "--batch-tokens and --max-tokens, give dtype=bfloat16 behind the model's name, or choose a smaller model."
        )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _model(store: Store, options: FinetuneOptions) -> Pretrained:
    name = options.model or _model_of(store)
    if not name.startswith("hf:"):
        raise QprobeError(
            f"{store.folder} names no model of transformers that drew its samples: give --model hf:FOLDER or hf:HUB_ID."
        )
    model = open_pretrained(name, device=options.device)
    if model.adapter:
        raise QprobeError("An adapter is trained on top of a model without one: leave adapter= out of --model.")
    if model.quantize or model.is_gguf:
        raise QprobeError("Fine-tuning needs a model's own weights: leave out quantize=, and name no GGUF file.")
    model.check()
    return model


def _model_of(store: Store) -> str:
    """Return the model that drew a run's samples; the one that read its pairs, which no model drew."""
    about = store.about
    if about.benchmark.startswith(PAIRS) and about.view:
        return about.embeddings[about.view].embedder
    return about.source.model if about.source else ""


def _card(
    store: Store,
    name: str,
    model: Pretrained,
    rows: Sequence[Any],
    settings: tuple[Schedule, LoraSettings],
    method: Method[Any],
) -> AdapterCard:
    schedule, lora = settings
    problems = tuple(dict.fromkeys(row.problem_id for row in rows))
    refuse_held_out(store, problems)
    known = {problem.id: problem for problem in store.problems()}
    values = {**asdict(schedule), **{f"lora_{key}": value for key, value in asdict(lora).items()}}
    if is_dataclass(method) and not isinstance(method, type):
        values |= asdict(method)
    data = digest(rows)
    key = hashlib.sha256(json.dumps([name, model.fingerprint, data, values], sort_keys=True).encode()).hexdigest()
    return AdapterCard(
        method=name,
        key=key,
        model=model.spec,
        fingerprint=model.fingerprint,
        benchmark=store.about.benchmark,
        splits=tuple(sorted({known[problem].split for problem in problems})),
        problems=problems,
        rows=len(rows),
        tokens=sum(map(method.tokens, rows)),
        data_sha256=data,
        settings=values,
        parameters=0,
        steps=schedule.steps(len(rows)),
        losses=(),
        prompts=tuple(dict.fromkeys(prompt_digest(known[problem].prompt) for problem in problems)),
    )


def _size(model: Pretrained, method: Method[Any]) -> ModelSize:
    """Return a model's sizes from its configuration alone."""
    import torch
    import transformers

    with torch.device("meta"):  # shapes alone: no weights are made
        bare = getattr(transformers, method.auto_class).from_config(
            model.config, trust_remote_code=model.trust_remote_code
        )
    on_cpu = model.target_device == "cpu"
    dtype = model.dtype if model.dtype != "auto" else "float32" if on_cpu else str(bare.dtype)
    head = bare.get_output_embeddings() if method.task == "CAUSAL_LM" else getattr(bare, HEAD)
    matrices = [
        module.weight
        for module in bare.modules()
        if type(module).__name__ in ("Linear", "Conv1D") and module is not head
    ]
    return ModelSize(
        parameters=int(bare.num_parameters()),
        value_bytes=4 if "float32" in dtype else 2,
        layers=model.layers,
        width=model.width,
        vocabulary=int(head.weight.shape[0]) if method.task == "CAUSAL_LM" else 1,
        linear=sum(sum(weight.shape) for weight in matrices),
    )
