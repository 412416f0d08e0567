"""The cost of a server's stages, said before the first request, and the most that may be spent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.commands.main import app
from harness.errors import QprobeError
from harness.models.openai.prices import Prices
from harness.models.spec import parse_spec
from tests.model_server import ModelServer, serve

pytest.importorskip("openai", reason="openai is not installed")


@pytest.fixture(scope="module")
def server(tiny_llama: Path) -> Iterator[ModelServer]:
    with serve(tiny_llama) as server:
        yield server


def generate(run: Path, server: ModelServer, prices: str, k: int = 4) -> tuple[str, object]:
    model = f"openai:tiny,url={server.url},n=2{prices}"
    arguments = ["generate", str(run), "--benchmark", "mini", "--limit", "3", "--k", str(k), "--model", model]
    done = CliRunner().invoke(app, [*arguments, "--max-new-tokens", "5"])
    return done.output, done.exception


def test_the_cost_of_samples_is_said_before_they_are_drawn(server: ModelServer, tmp_path: Path):
    from benchmarks.registry import open_benchmark

    prompts = [problem.prompt for problem in open_benchmark("mini").problems()[:3]]
    read = 2 * sum(-(-len(prompt) // 3) for prompt in prompts)  # two requests of two samples each
    output, error = generate(tmp_path / "run", server, ",usd_in=1000,usd_out=2000")
    assert error is None
    cost = f"which cost up to ${read / 1000 + 0.12:.2f}."
    assert f"openai:tiny: about {read:,} tokens to read and at most 60 to write, {cost}" in output.replace("\n", " ")
    output, _ = generate(tmp_path / "run", server, ",usd_in=1000,usd_out=2000")
    assert "cost up to" not in output, "nothing is left to draw"
    output, _ = generate(tmp_path / "run", server, ",usd_in=1000,usd_out=2000", k=5)
    assert "at most 15 to write" in output, "only what the run lacks"


def test_more_than_may_be_spent_is_not_spent(server: ModelServer, tmp_path: Path):
    server.seen.clear()
    _, error = generate(tmp_path / "run", server, ",usd_in=1000,usd_out=2000,usd_max=0.1")
    assert isinstance(error, QprobeError)
    assert "openai:tiny would cost up to $" in str(error)
    assert "usd_max=0.1 allows less: lower --k" in str(error)
    _, error = generate(tmp_path / "run", server, ",usd_max=0.1")
    assert "usd_max= needs the prices" in str(error)
    assert not server.seen, "no request was sent"


def test_the_cost_of_embeddings_is_said_too(server: ModelServer, tmp_path: Path):
    run = tmp_path / "run"
    generate(run, server, "")
    embedder = f"openai:tiny,url={server.url},usd_in=1000"
    first, second = (CliRunner().invoke(app, ["embed", str(run), "--embedder", embedder]) for _ in range(2))
    assert first.exception is None, first.output
    assert "tokens to read, which cost up to $" in first.output
    assert "cost up to" not in second.output


def test_prices_are_numbers():
    for text in ("free", "-1", "nan", "inf"):
        with pytest.raises(QprobeError, match=rf"usd_in={text} is not a price: write US dollars, as usd_in=0\.5\."):
            Prices.of(parse_spec(f"openai:m,usd_in={text}", ("openai",)))
    prices = Prices.of(parse_spec("openai:m,usd_in=0.5,usd_out=1.5", ("openai",)))
    assert prices.cost(2_000_000, 1_000_000) == pytest.approx(2.5)
    assert Prices(read=1.0).cost(10, 1) is None
    assert Prices().cost(1, 0) is None
