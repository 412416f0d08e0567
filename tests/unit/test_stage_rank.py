"""A probe on its way: from a run's folder, as one file, to completions that have not been run."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.errors import QprobeError
from harness.models.hf.embedder import HfEmbedder
from harness.models.registry import open_embedder
from harness.probes import Probe, ProbeError, load_probe
from harness.probes.added_features import OF_TOKENS
from harness.runs.probe_files import probe_path
from harness.runs.samples import load_samples
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages.embed import embed
from harness.stages.export import export
from harness.stages.log_probabilities import embed_samples
from harness.stages.probe import add_features, probe
from harness.stages.rank import as_json, open_reader, picked_rows, rank, read_completions
from tests.model_server import serve
from tests.runs import QUIET, completions, make_run, problem
from tests.tiny_models import save_llama


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    """A run with trained probes."""
    torch.set_num_threads(1)
    folder = make_run(tmp_path_factory.mktemp("runs") / "own", tiny_llama)
    with Store(folder) as store:
        probe(store, ["mse", "pg"], folds=3)
    return folder


@pytest.fixture(scope="module")
def trained(run: Path) -> Probe:
    return load_probe(run / "probes" / "pg.safetensors")


@pytest.fixture
def reader(trained: Probe) -> HfEmbedder:
    return open_reader(trained)


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Completions of problems that no probe has seen."""
    return write(
        tmp_path / "fresh.jsonl",
        [
            {"task_id": completion.problem_id, "prompt": completion.prompt, "completion": completion.text}
            for number in range(50, 54)
            for completion in completions(problem("new", number), 4)
        ],
    )


def test_a_probes_card_says_where_it_came_from(run: Path, trained: Probe, tiny_llama: Path):
    card = trained.card
    assert (card.objective, card.benchmark, card.problems, card.folds) == ("pg", "own", 12, 3)
    assert (card.model, card.fingerprint) == (f"hf:{tiny_llama}", HfEmbedder(f"hf:{tiny_llama}").model.fingerprint)
    assert card.figures["pass@1"] == 0.5
    assert card.figures["probed"] == pytest.approx(0.5 + card.figures["gain"])
    assert card.figures["gain_low"] <= card.figures["gain"] <= card.figures["gain_high"]
    assert {path.name for path in (run / "probes").iterdir()} == {"mse.safetensors", "pg.safetensors"}


@pytest.mark.parametrize("objective", ["mse", "stacked"])
def test_a_probe_that_reads_features_ranks_by_them(run: Path, tmp_path: Path, objective: str):
    own = tmp_path / "featured"
    shutil.copytree(run, own)
    with Store(own) as store:
        probe(store, [objective], folds=3, features=["centrality", "length"])
        drawn, samples = list(store.completions()), add_features(store, load_samples(store), ["centrality", "length"])
    featured = load_probe(own / "probes" / f"{objective}.safetensors")
    assert featured.card.features == ("centrality", "length")
    assert featured.card.width == load_probe(run / "probes" / "mse.safetensors").card.width + 2
    rows = [{"task_id": one.problem_id, "prompt": one.prompt, "completion": one.text} for one in drawn]
    completed = read_completions(write(tmp_path / "s.jsonl", rows))
    expected_PN = featured([samples.vectors[view] for view in featured.card.views])
    scores = {
        (sample.completion.problem_id, sample.completion.index): sample.score
        for ranking in rank(featured, completed, open_reader(featured), QUIET)
        for sample in ranking.samples
    }
    for p, problem_id in enumerate(samples.problem_ids):
        for n, index in enumerate(samples.indices_PN[p].tolist()):
            assert scores[problem_id, index] == pytest.approx(float(expected_PN[p, n]), abs=1e-3)
    wanting = replace(featured, card=replace(featured.card, features=("centrality", "logprob")))
    with pytest.raises(QprobeError, match="log-probabilities of another model, and these completions have none"):
        rank(wanting, completed, open_reader(wanting), QUIET)


def test_a_probe_that_reads_log_probabilities_of_its_own_model_computes_those_of_new_completions(
    run: Path, tmp_path: Path, tiny_llama: Path
):
    own = tmp_path / "scored"
    shutil.copytree(run, own)
    with Store(own) as store:
        embed_samples(store, HfEmbedder(f"hf:{tiny_llama}", layers="1,2"))
        probe(store, ["mse"], folds=3, features=OF_TOKENS)
        drawn, samples = list(store.completions()), add_features(store, load_samples(store), OF_TOKENS)
    featured = load_probe(own / "probes" / "mse.safetensors")
    assert featured.card.log_probabilities_of == featured.card.fingerprint
    rows = [{"task_id": one.problem_id, "prompt": one.prompt, "completion": one.text} for one in drawn]
    rankings = rank(featured, read_completions(write(tmp_path / "s.jsonl", rows)), open_reader(featured), QUIET)
    expected_PN = featured([samples.vectors[view] for view in featured.card.views])
    places = {problem_id: p for p, problem_id in enumerate(samples.problem_ids)}
    for ranking in rankings:
        for sample in ranking.samples:
            expected = float(expected_PN[places[ranking.problem_id], sample.completion.index])
            assert sample.score == pytest.approx(expected, abs=1e-3)


def test_a_name_that_is_a_path_makes_a_plain_file_name(run: Path):
    assert probe_path(run, "losses/margin.py:margin") == run / "losses-margin.py-margin.safetensors"


def test_new_completions_are_ranked_and_the_best_picked(fresh: Path, trained: Probe, reader: HfEmbedder):
    rankings = rank(trained, read_completions(fresh), reader, QUIET)
    assert [ranking.problem_id for ranking in rankings] == [f"new/{number}" for number in range(50, 54)]
    for ranking in rankings:
        scores = [sample.score for sample in ranking.samples]
        assert scores == sorted(scores, reverse=True)
        assert sum(sample.chance for sample in ranking.samples) == pytest.approx(1.0)
        assert ranking.best.completion.index % 2 == 1, "what the probe learnt holds for new problems"
    (row, *_) = picked_rows(rankings)
    assert row["completion"] == rankings[0].best.completion.text
    made = json.loads(json.dumps(as_json(trained, rankings)))
    assert made["problems"][0]["best"] == rankings[0].best.completion.index
    assert made["probe"]["objective"] == "pg"


def test_the_rule_on_the_card_picks(fresh: Path, trained: Probe, reader: HfEmbedder):
    """Softmax and the arg max among k leave several samples a chance; the seed decides, the arg max leaves one."""
    completed = read_completions(fresh)

    def picked(name: str, seed: int, **card: float | str) -> list[int]:
        probe = replace(trained, card=replace(trained.card, **card))  # type: ignore[arg-type]
        return [one.picked.completion.index for one in rank(probe, completed, reader, QUIET, rule=name, seed=seed)]

    best = [ranking.best.completion.index for ranking in rank(trained, completed, reader, QUIET)]
    assert picked("arg-max", 0) == picked("card", 1, rule="arg max") == best
    drawn = [picked("card", seed, rule="arg max among", k=1) for seed in range(6)]
    assert drawn == [picked("arg-max-among", seed, k=1) for seed in range(6)]
    assert len(set(map(tuple, drawn))) > 1
    assert picked("softmax", 3, beta=1e-9) == best
    with pytest.raises(ProbeError, match="trained without the selection rule softmax: use --rule card"):
        picked("softmax", 0, beta=0.0)
    with pytest.raises(
        ProbeError, match=r"no selection rule 'best'\. Choose from card, arg-max, softmax, arg-max-among"
    ):
        picked("best", 0)


def test_the_card_has_the_gain_by_every_rule(trained: Probe):
    card = trained.card
    assert card.rule in ("arg max", "softmax", "arg max among")
    assert card.beta > 0
    assert card.k in (1, 2, 3, 5, 10, 20, 50)
    gains = [card.figures[f"{kind} gain"] for kind in ("arg max", "softmax", "arg max among")]
    assert max(gains) > 0.1


def test_ranking_a_runs_own_samples_gives_the_scores_of_its_own_vectors(
    run: Path, trained: Probe, reader: HfEmbedder, tmp_path: Path
):
    with Store(run) as store:
        drawn = list(store.completions())
        view = store.settings()["view"]
        own = torch.from_numpy(read_views(store, view, [completion.id for completion in drawn])[trained.card.views[0]])
    file = write(
        tmp_path / "s.jsonl",
        [
            {"task_id": completion.problem_id, "prompt": completion.prompt, "completion": completion.text}
            for completion in drawn
        ],
    )
    scores = {
        sample.completion.id: sample.score
        for ranking in rank(trained, read_completions(file), reader, QUIET)
        for sample in ranking.samples
    }
    torch.testing.assert_close(
        torch.tensor([scores[completion.id] for completion in drawn]), trained(own), rtol=1e-4, atol=1e-5
    )


def test_equal_scores_share_their_chance(tmp_path: Path, trained: Probe, reader: HfEmbedder):
    new_problem = problem("new", 3)
    twice = [{"task_id": new_problem.id, "prompt": new_problem.prompt, "completion": "    return x\n"}] * 2
    (ranking,) = rank(trained, read_completions(write(tmp_path / "s.jsonl", twice)), reader, QUIET)
    assert [sample.chance for sample in ranking.samples] == [0.5, 0.5]
    assert ranking.best.completion.index == 0


def test_another_models_vectors_are_refused(fresh: Path, trained: Probe, tmp_path: Path):
    other = HfEmbedder(f"hf:{save_llama(tmp_path / 'other', layers=3)}", layers="2")
    with pytest.raises(ProbeError, match=r"reads vectors of hf:.*tiny-llama0, not of hf:.*other"):
        rank(trained, read_completions(fresh), other, QUIET)
    with pytest.raises(ProbeError, match=r"reads vectors of hf:.*tiny-llama0, not of hf:.*other"):
        open_reader(trained, other.name)


def test_a_model_may_move_but_not_change(fresh: Path, trained: Probe, tiny_llama: Path, tmp_path: Path):
    moved = shutil.copytree(tiny_llama, tmp_path / "moved")
    trained.require_model(f"hf:{moved}", HfEmbedder(f"hf:{moved}").model.fingerprint)
    same_name = replace(trained, card=replace(trained.card, fingerprint="of other weights"))
    with pytest.raises(ProbeError, match="with other weights"):
        same_name.require_model(trained.card.model, trained.card.fingerprint)


def test_a_rounded_model_is_opened_rounded(fresh: Path, tiny_llama: Path, tmp_path: Path):
    """The card names the options that change a vector; the model without them is another."""
    folder = make_run(tmp_path / "half", f"{tiny_llama},dtype=bfloat16")
    with Store(folder) as store:
        probe(store, ["mse"], folds=3)
    trained = load_probe(folder / "probes" / "mse.safetensors")
    reader = open_reader(trained)
    assert reader.name == trained.card.model == f"hf:{tiny_llama},dtype=bfloat16"
    assert len(rank(trained, read_completions(fresh), reader, QUIET)) == 4
    moved = shutil.copytree(tiny_llama, tmp_path / "moved")
    assert open_reader(trained, f"hf:{moved},dtype=bfloat16").identity == reader.identity
    with pytest.raises(ProbeError, match=r"reads vectors of hf:.*,dtype=bfloat16, not of hf:"):
        open_reader(trained, f"hf:{tiny_llama}")


def test_a_servers_vectors(fresh: Path, tiny_llama: Path, tmp_path: Path):
    """The card names the model; where its server is now, the user says."""
    folder = make_run(tmp_path / "served", tiny_llama)
    with serve(tiny_llama) as server, Store(folder) as store:
        embed(store, open_embedder(f"openai:tiny,url={server.url}"), QUIET)
        probe(store, ["mse"], folds=3)
        trained = load_probe(folder / "probes" / "mse.safetensors")
        assert trained.card.model == "openai:tiny"
        reader = open_reader(trained, f"openai:tiny,url={server.url}")
        assert len(rank(trained, read_completions(fresh), reader, QUIET)) == 4
        with pytest.raises(ProbeError, match="reads vectors of openai:tiny, not of openai:other"):
            rank(trained, read_completions(fresh), open_reader(trained, f"openai:other,url={server.url}"), QUIET)


def test_rows_that_cannot_be_ranked_are_refused(tmp_path: Path):
    prompted = {"task_id": "a", "prompt": "def a():\n", "completion": "    pass\n"}
    cases = [
        ([prompted, {"task_id": "b", "completion": "x"}], "line 2: the row has no prompt; give --benchmark"),
        (
            [prompted, {"task_id": "a", "prompt": "def a():\n", "completion": 3}],
            "1 of its rows could not be used .line 2",
        ),
        ([], "is empty"),
    ]
    for number, (rows, says) in enumerate(cases):
        with pytest.raises(QprobeError, match=says):
            read_completions(write(tmp_path / f"{number}.jsonl", rows))


def test_prompts_may_come_from_a_benchmark(tmp_path: Path):
    from benchmarks.registry import open_benchmark

    humaneval = open_benchmark("humaneval")
    file = write(tmp_path / "s.jsonl", [{"task_id": "HumanEval/0", "completion": "    pass\n"}])
    (drawn,) = read_completions(file, humaneval)
    assert drawn.prompt == humaneval.problems()[0].prompt


def test_what_export_writes_is_ranked_again(run: Path, trained: Probe, reader: HfEmbedder, tmp_path: Path):
    """By the benchmark's prompts, or by rows that have one; the scores are those of the run's own samples."""
    with Store(run) as store:
        export(store, tmp_path / "samples.jsonl")
        problems = {problem.id: problem for problem in store.problems()}
    with pytest.raises(QprobeError, match="line 1: the row has no prompt; give --benchmark"):
        read_completions(tmp_path / "samples.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    prompted = write(tmp_path / "p.jsonl", [{**row, "prompt": problems[row["problem"]].prompt} for row in rows])
    drawn = read_completions(prompted)
    assert [completion.program for completion in drawn] == [row["program"] for row in rows]
    assert len(rank(trained, drawn, reader, QUIET)) == len(problems)


def test_a_probe_loads_where_our_code_is_not(run: Path, trained: Probe, tmp_path: Path):
    """In an interpreter that refuses to import the project's packages."""
    script = (
        "import sys\nfor name in ('harness', 'benchmarks', 'sandbox'): sys.modules[name] = None\n"
        "import torch\nfrom safetensors.torch import load_file\n"
        "tensors = load_file(sys.argv[1])\n"
        "vectors = torch.linspace(-1, 1, 64).view(2, 32)\n"
        "print((vectors @ tensors['project'][0, 0] + tensors['offset'][0, 0]).tolist())\n"
    )
    command = [sys.executable, "-c", script, str(run / "probes" / "pg.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = trained(torch.linspace(-1, 1, 64).view(2, 32)).tolist()
    assert json.loads(done.stdout) == pytest.approx(expected)
