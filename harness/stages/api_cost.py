"""The cost of a stage that asks a server, estimated before the first request.

A token counts as three characters. Completions count at their longest, so the cost is about an upper bound.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import QprobeError
from harness.models.openai.prices import Prices
from harness.models.registry import ENGINES
from harness.models.spec import Spec, parse_spec
from harness.runs.completion import SampleId
from harness.runs.store import Store
from harness.stages.estimate import CHARACTERS_PER_TOKEN
from harness.stages.generate import GenerationPlan


def drawing_cost(store: Store, model: str, work: GenerationPlan, max_new_tokens: int) -> str:
    """Return a line with the tokens and the cost of the samples that a run lacks; "" for a model on this machine.

    Raises QprobeError where they cost more than the model's name allows.
    """
    spec = parse_spec(model, tuple(ENGINES))
    if spec.scheme != "openai":
        return ""
    present = set(store.sample_ids(greedy=True))
    per_request = spec.number("n", 1, 128)
    read = written = 0
    for problem in work.problems:
        lacking = sum(SampleId(problem.id, index) not in present for index in work.indices)
        read += -(-lacking // per_request) * _tokens([work.prompt.render(problem)])
        written += lacking * max_new_tokens
    return _line(spec, read, written)


def embedding_cost(store: Store, embedder: str, identity: Mapping[str, Any], precision: str) -> str:
    """Return the same of the samples that lack a server's vectors, by the mean length of the run's."""
    spec = parse_spec(embedder, tuple(ENGINES))
    if spec.scheme != "openai" or not (samples := store.count_samples()):
        return ""
    shards = store.about.shards.items()
    held = [key for key, shard in shards if (shard["embedder"], shard["precision"]) == (identity, precision)]
    lacking = store.count_without_vectors(held) if held else samples
    tokens = _tokens(completion.prompt + completion.text for completion in store.completions())
    return _line(spec, round(tokens * lacking / samples), 0)


def _tokens(texts: Iterable[str] | Sequence[str]) -> int:
    return sum(-(-len(text) // CHARACTERS_PER_TOKEN) for text in texts)


def _line(spec: Spec, read: int, written: int) -> str:
    prices = Prices.of(spec)
    cost = prices.cost(read, written)
    if cost is None and prices.most is not None:
        raise QprobeError(f"usd_max= needs the prices: give usd_in= and usd_out= behind openai:{spec.name}.")
    if cost is None or not read + written:
        return ""
    if prices.most is not None and cost > prices.most:
        raise QprobeError(
            f"openai:{spec.name} would cost up to ${cost:,.2f}, and usd_max={prices.most:g} allows less: lower --k, "
            "--limit or --max-new-tokens, or raise usd_max=."
        )
    wrote = f" and at most {written:,} to write" if written else ""
    return f"openai:{spec.name}: about {read:,} tokens to read{wrote}, which cost up to ${cost:,.2f}."
