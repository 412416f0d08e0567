"""Train the tiny language model that ships with `benchmarks/mini`: the same model every time, on one core.

Run as `python -m scripts.train_tiny_model [--target FOLDER] [--seed N]`.
"""

import argparse
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.mini.lessons import Habits, Lesson, lessons
from scripts.mini.split import split
from scripts.mini.tokenizer import FAILED, PASSED, train_tokenizer

_IGNORED = -100  # a target that costs nothing


@dataclass(frozen=True)
class Recipe:
    """The architecture of the model and the settings of its training."""

    seed: int = 1
    vocabulary: int = 1024
    width: int = 128
    layers: int = 5
    heads: int = 4
    steps: int = 2000
    batch: int = 32  # lessons a step
    rate: float = 3e-3  # the learning rate at its highest
    warm_up: int = 100  # steps
    mark_weight: float = 4.0  # what a mark costs, a program's token costing 1


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=Path("benchmarks/mini/model"))
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    options = parser.parse_args()
    make(Recipe(seed=options.seed), options.target)


def make(recipe: Recipe, target: Path) -> None:
    """Train a model by the recipe and save it with its tokenizer."""
    torch.set_num_threads(1)  # more would sum in another order
    torch.manual_seed(recipe.seed)
    taught = lessons(split(), Habits(), random.Random(recipe.seed))
    tokenizer = train_tokenizer(
        [lesson.prompt + lesson.completion for lesson in itertools.islice(taught, 10_000)], recipe.vocabulary
    )
    model = LlamaForCausalLM(_config(recipe, tokenizer))
    print(f"{model.num_parameters():,} parameters, {len(tokenizer)} tokens", flush=True)
    train(model, batches(taught, tokenizer, recipe.batch), recipe, _prices(recipe, tokenizer))
    save(model, tokenizer, target)


def _config(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=3 * recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids([PASSED, FAILED]),
        pad_token_id=tokenizer.pad_token_id,
    )


def _prices(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> Tensor:
    prices = torch.ones(len(tokenizer))
    prices[tokenizer.convert_tokens_to_ids([PASSED, FAILED])] = recipe.mark_weight
    return prices


def batches(taught: Iterator[Lesson], tokenizer: PreTrainedTokenizerFast, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Token ids and targets, both [lessons, length]; lessons of like length share a batch."""
    while True:
        drawn = [_encoded(lesson, tokenizer) for lesson in itertools.islice(taught, 32 * size)]
        drawn.sort(key=lambda pair: len(pair[0]))
        groups = [drawn[i : i + size] for i in range(0, len(drawn), size)]
        for place in torch.randperm(len(groups)).tolist():
            yield (
                pad_sequence([ids for ids, _ in groups[place]], True, tokenizer.pad_token_id),
                pad_sequence([targets for _, targets in groups[place]], True, _IGNORED),
            )


def _encoded(lesson: Lesson, tokenizer: PreTrainedTokenizerFast) -> tuple[Tensor, Tensor]:
    prompt = tokenizer(lesson.prompt)["input_ids"]
    mark = tokenizer.convert_tokens_to_ids(PASSED if lesson.passed else FAILED)
    completion = [*tokenizer(lesson.completion)["input_ids"], mark]
    return torch.tensor(prompt + completion), torch.tensor([_IGNORED] * len(prompt) + completion)


def train(model: LlamaForCausalLM, lots: Iterator[tuple[Tensor, Tensor]], recipe: Recipe, prices: Tensor) -> None:
    """AdamW with a short warm-up and a straight descent of the learning rate to zero."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.1, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / recipe.warm_up, 1 - step / recipe.steps)
    )
    for step, (ids, targets) in enumerate(itertools.islice(lots, recipe.steps), start=1):
        loss = _loss(model, ids, targets, prices)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}/{recipe.steps}  loss {loss.item():.3f}  {time.process_time():.0f} s", flush=True)


def _loss(model: LlamaForCausalLM, ids: Tensor, targets: Tensor, prices: Tensor) -> Tensor:
    attention_mask = ids.ne(int(model.config.pad_token_id or 0))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=ids, attention_mask=attention_mask.long()).logits
    return cross_entropy(logits[:, :-1].flatten(0, 1).float(), targets[:, 1:].flatten(), prices, ignore_index=_IGNORED)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, target: Path) -> None:
    """The weights in half precision, to be read in single precision; and the tokenizer."""
    state = {name: weight.half() for name, weight in model.state_dict().items()}
    model.save_pretrained(target, state_dict=state)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    main()
