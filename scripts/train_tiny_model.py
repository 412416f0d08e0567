"""Train the tiny language model of `benchmarks/mini`, from a seed, on two cores.

python -m scripts.train_tiny_model [--target FOLDER] [--steps N] [--seed N]
"""

import argparse
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.mini.lessons import Habits, Lesson, files
from scripts.mini.split import split
from scripts.mini.tokenizer import train_tokenizer

_IGNORED = -100


def main() -> None:
    """Train and save."""
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    rng = random.Random(options.seed)
    habits = Habits(options.careless, options.careless_rate, options.careful_rate, options.functions)
    lessons = files(split().lesson_keys, habits, rng)
    tokenizer = train_tokenizer(_texts(itertools.islice(lessons, 4000)), options.vocabulary)
    model = LlamaForCausalLM(_config(tokenizer, options))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(tokenizer)} tokens", flush=True)
    train(model, _batches(lessons, tokenizer, options.batch), options.steps, options.rate)
    save(model, tokenizer, options.target)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=Path("benchmarks/mini/model"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--vocabulary", type=int, default=1024)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--functions", type=int, default=3)
    parser.add_argument("--careless", type=float, default=0.6)
    parser.add_argument("--careless-rate", type=float, default=0.3)
    parser.add_argument("--careful-rate", type=float, default=0.01)
    return parser.parse_args()


def _texts(lessons: Iterator[list[Lesson]]) -> Iterator[str]:
    for lesson in itertools.chain.from_iterable(lessons):
        yield lesson.prompt + lesson.completion


def _config(tokenizer: PreTrainedTokenizerFast, options: argparse.Namespace) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.width,
        intermediate_size=options.width * 3,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _batches(
    lessons: Iterator[list[Lesson]], tokenizer: PreTrainedTokenizerFast, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids and what to foresee, [files, length]; files of like length share a batch."""
    while True:
        drawn = [_encoded(file, tokenizer) for file in itertools.islice(lessons, 32 * size)]
        drawn.sort(key=lambda pair: len(pair[0]))
        groups = [drawn[i : i + size] for i in range(0, len(drawn), size)]
        for place in torch.randperm(len(groups)).tolist():
            ids, targets = zip(*groups[place], strict=True)
            yield (
                pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id),
                pad_sequence(targets, batch_first=True, padding_value=_IGNORED),
            )


def _encoded(file: list[Lesson], tokenizer: PreTrainedTokenizerFast) -> tuple[torch.Tensor, torch.Tensor]:
    ids: list[int] = []
    targets: list[int] = []
    for lesson in file:
        prompt = tokenizer(lesson.prompt)["input_ids"]
        completion = tokenizer(lesson.completion)["input_ids"] + [tokenizer.eos_token_id]
        ids += prompt + completion
        targets += [_IGNORED] * len(prompt) + completion
    return torch.tensor(ids), torch.tensor(targets)


def train(
    model: LlamaForCausalLM, batches: Iterator[tuple[torch.Tensor, torch.Tensor]], steps: int, rate: float
) -> None:
    """AdamW with a short warm-up and a straight descent of the learning rate to zero."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 100, 1 - step / steps))
    began, seen = time.monotonic(), 0
    for step, (ids, targets) in enumerate(itertools.islice(batches, steps), start=1):
        known = ids != model.config.pad_token_id
        logits = model(input_ids=ids, attention_mask=known.long()).logits
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten(), ignore_index=_IGNORED)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        seen += int(known.sum())
        if step % 100 == 0:
            pace = seen / (time.monotonic() - began)
            print(
                f"step {step}/{steps}  loss {loss.item():.3f}  {pace:,.0f} tokens/s  {time.monotonic() - began:.0f}s",
                flush=True,
            )


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, target: Path) -> None:
    """Half-precision weights and the tokenizer."""
    model.half().save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    main()
