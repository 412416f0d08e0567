"""Transfer between runs and splits: nothing of a test problem is learnt from, and every refusal says what to do."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from harness.errors import ProbeError, QprobeError
from harness.probes import GridOverrides, load_probe
from harness.reports.render.transfer_figures import transfer_figures
from harness.reports.render.transfer_files import write_transfer
from harness.reports.render.transfer_tables import notes, transfer_markdown
from harness.reports.transfer import TransferReport
from harness.runs.completion import GREEDY, Completion
from harness.runs.problem_sets import join_sets, load_set, load_sets
from harness.runs.store import Store
from harness.stages.transfer import transfer
from sandbox import Outcome, Status
from tests.runs import make_run
from tests.tiny_models import save_llama


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    """Three runs: one of two splits, one of another benchmark, one of another model."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "first", tiny_llama, benchmark="big", numbers=range(10), split="train")
    make_run(folder / "first", tiny_llama, benchmark="big", numbers=range(10, 14), split="validation")
    make_run(folder / "first", tiny_llama, benchmark="big", numbers=range(14, 20), split="test", samples=4)
    make_run(folder / "second", tiny_llama, benchmark="small", numbers=[*range(30, 35), 3], layers="2")
    other = save_llama(tmp_path_factory.mktemp("models") / "other", layers=3)
    make_run(folder / "third", other, benchmark="alien", numbers=range(4))
    return folder


def test_a_set_is_named_by_run_or_benchmark_and_split(runs: Path):
    assert len(load_set("big:train", runs).samples.problem_ids) == 10
    assert load_set(f"{runs}/first:test").samples.problem_ids == tuple(f"big/{n}" for n in range(14, 20))
    assert load_set("first", runs).samples.mask_PN.shape == (20, 6)
    assert load_set("small", runs).folder == runs / "second"


def test_a_set_that_is_not_there_is_refused(runs: Path, tiny_llama: Path, tmp_path: Path):
    with pytest.raises(QprobeError, match=r"no problems of split 'prompt'\. Choose from test, train, validation"):
        load_set("big:prompt", runs)
    with pytest.raises(QprobeError, match="'huge' is neither a run nor the benchmark of one"):
        load_set("huge", runs)
    for name in ("a", "b"):
        make_run(tmp_path / name, tiny_llama, numbers=range(2))
    with pytest.raises(QprobeError, match=r"own is the benchmark of 2 runs .*: name one of them"):
        load_set("own", tmp_path)


def test_the_papers_protocol(runs: Path):
    train = join_sets(load_sets(["big:train", "big:validation"], runs))
    result = transfer(train, load_sets(["big:test", "small"], runs), ["mse", "pg"])
    assert (result.train, result.problems) == ("big:train,big:validation", 14)
    assert [test.name for test in result.tests] == ["big:test", "small"]
    for test in result.tests:
        rows = {row.name: row for row in test.rows}
        assert rows["pass@1"].value == 0.5
        assert rows["pg"].value > 0.9, "the suffix that passes is the same everywhere"
        assert {"random direction", "shuffled labels", "longest"} <= set(rows)
    assert all(choice["views"] == ["2/last"] for choice in result.hyperparameters.values()), (
        "the one layer that all sets have"
    )
    saved = load_probe(runs / "first" / "transfer" / "pg.safetensors")
    assert saved.card.problems == 14
    assert saved.card.figures["small gain"] == pytest.approx(0.5, abs=0.1)
    made = json.loads(json.dumps(result.as_json()))
    assert made["schema"] == "qprobe-transfer/2"
    assert made["tests"][0]["rows"][0]["p"] is None
    assert transfer_markdown(result).count("| selection |") == 2


def test_selection_among_few_samples(runs: Path):
    """Of samples half of which pass, the best of 5 of 6 is a pass, and a random direction's is one half the time."""
    (test,) = transfer(load_set("big:train", runs), [load_set("big:validation", runs)], ["mse"]).tests
    (part,) = test.rows_at_k
    assert part.k == 5
    rows = {row.name: row for row in part.rows}
    assert rows["mse"].value > 0.9
    assert rows["pass@5"].value == 1.0
    assert rows["pass@1"].value == 0.5
    result = transfer(load_set("big:train", runs), [test_set := load_set("big:test", runs)], ["mse"])
    assert test_set.samples.mask_PN.sum(1).max() == 4
    assert result.tests[0].rows_at_k == (), "four samples: no k but 1 and all"
    assert "gain of selection" not in transfer_markdown(result)


def test_near_duplicates_of_test_problems_are_said_or_left_out(runs: Path):
    """`small/3` reads just as `big/3` does."""
    train, tests = load_set("big:train", runs), [load_set("small", runs)]
    result = transfer(train, tests, ["mse"])
    assert result.near_duplicates == ("big/3",)
    assert any("the description or reference of 1 training problem nearly agrees" in line for line in notes(result))
    assert transfer(train, tests, ["mse"], leave_out_duplicates=True).problems == 9


def test_a_split_by_rows_is_refused(runs: Path):
    with pytest.raises(ProbeError, match=r"big:train shares 10 problems .* split by problem"):
        transfer(load_set("big:train", runs), [load_set("big:train", runs)], ["mse"])
    with pytest.raises(ProbeError, match="Two sets contain problem big/0"):
        join_sets(load_sets(["big:train", "first"], runs))


def test_another_models_vectors_are_refused(runs: Path):
    with pytest.raises(ProbeError, match=r"alien has those of hf:.*other: run qprobe embed .*third --embedder hf:"):
        transfer(load_set("big:train", runs), [load_set("alien", runs)], ["mse"])


def test_a_table_over_seeds_stands_beside_the_papers(runs: Path, tmp_path: Path, tiny_llama: Path):
    """The paper's protocol with a form of its widths; greedy rows need greedy completions."""
    train, options = load_set("big:train", runs), {"preset": "paper", "choices": GridOverrides(forms=("mlp-256",))}
    result = transfer(train, [load_set("small", runs)], ["mse", "pg"], k=4, seeds=2, **options)
    (table,) = (test.by_seed for test in result.tests)
    rows = {row.name: row for row in table.rows}
    assert list(rows) == ["pass@1", "mse", "pg", "pg (arg max)", "pass@4"]
    assert (table.k, table.seeds) == (4, (0, 1))
    assert rows["pg (arg max)"].value > 0.9
    assert table.spread["pg"] > 0, "the seed decides the initial weights"
    assert result.hyperparameters["pg"]["form"] == "mlp-256"
    assert "| among 4, 2 seeds | pass@1 |" in transfer_markdown(result)
    read = TransferReport.from_json(json.loads(json.dumps(result.as_json()))).tests[0].by_seed
    assert repr(read.rows[2]) == repr(rows["pg"]), "repr: NaN"
    assert "by_seed" not in transfer(train, [load_set("small", runs)], ["mse"]).as_json()["tests"][0]
    with pytest.raises(QprobeError, match="small has no graded greedy completions: draw them"):
        transfer(train, [load_set("small", runs)], ["mse"], greedy=True)
    with pytest.raises(QprobeError, match="Cannot select among 7 samples of small, which has at most 6"):
        transfer(train, [load_set("small", runs)], ["mse"], k=7)
    folder = make_run(tmp_path / "greedy", tiny_llama, benchmark="own", numbers=range(40, 46))
    with Store(folder) as store:
        best = [Completion(item.id, GREEDY, item.prompt, "", item.prompt) for item in store.problems()]
        store.add_completions(best)
        store.add_verdicts("known", {completion.id: Outcome(Status.PASSED) for completion in best})
    (test,) = transfer(train, [load_set(str(folder))], ["mse"], greedy=True, k=6).tests
    assert {row.name: row for row in test.rows}["greedy"].value == 1.0
    assert {row.name: row for row in test.by_seed.rows}["greedy"].gain == 0.5


def test_curves_over_training_problems_and_layers(runs: Path, tmp_path: Path):
    """Every layer shows which sample passes, and a probe of ten problems is trained as that of all."""
    train, tests = load_set("big:train", runs), [load_set("big:validation", runs)]
    result = transfer(train, tests, ["mse", "pg"], learning_curve=True, by_layer=True)
    (test,) = result.tests
    assert [part.setting for part in test.learning] == ["10"]
    assert [part.setting for part in test.by_layer] == ["1/last", "2/last"]
    main = {row.name: row for row in test.rows}
    for row in test.learning[-1].rows:
        assert row.value == pytest.approx(main[row.name].value, abs=0.01), "all problems, the same seed"
        assert row.gain == pytest.approx(row.value - 0.5)
    text = transfer_markdown(result)
    assert "| gain by training problems | 10 |" in text
    assert "| gain by layer | 1/last | 2/last |" in text
    figures = transfer_figures(result)
    assert figures.keys() == {"learning-curve-1", "by-layer-1"}
    tree = ElementTree.fromstring(figures["by-layer-1"])
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    assert "2/last" in figures["by-layer-1"]
    write_transfer(result, tmp_path)
    written = TransferReport.from_json(json.loads((tmp_path / "report.json").read_text()))
    assert written.tests[0].by_layer[1].setting == "2/last"
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.json",
        "report.md",
        *(f"{name}.svg" for name in figures),
    }
    write_transfer(replace(result, tests=(replace(test, by_layer=()),)), tmp_path)
    assert [path.name for path in tmp_path.glob("*.svg")] == ["learning-curve-1.svg"], "of the last transfer alone"


def test_a_learning_curve_grows_to_all_problems(runs: Path):
    train = join_sets(load_sets(["big:train", "big:validation"], runs))
    (test,) = transfer(train, [load_set("big:test", runs)], ["mse"], learning_curve=True, k=3).tests
    assert [part.setting for part in test.learning] == ["10", "14"]
    assert test.by_seed.k == 3
    seeded = {row.name: row for row in test.by_seed.rows}["mse"].value
    assert seeded == pytest.approx(test.learning[-1].rows[0].value, abs=0.01), "rounding may select another rule"


def test_probes_read_features_in_a_transfer(runs: Path, tmp_path: Path, tiny_llama: Path):
    """Joined sets of several widths, and a card that says what the probe reads; log-probabilities are not known."""
    train = join_sets(load_sets(["big:train", "big:validation"], runs))
    assert train.values["length"].shape == train.samples.mask_PN.shape
    test = load_set("big:test", runs)
    result = transfer(train, [test], ["mse", "stacked"], features=["centrality", "length"])
    assert result.settings["features"] == ["centrality", "length"]
    for objective in ("mse", "stacked"):
        probe = load_probe(runs / "first" / "transfer" / f"{objective}.safetensors")
        assert probe.card.features == ("centrality", "length")
        assert probe.card.width == test.samples.vectors[test.samples.views[0]].shape[2] + 2
    plain = transfer(train, [test], ["mse"])
    controls = [{row.name: row.value for row in one.tests[0].rows}["random direction"] for one in (result, plain)]
    assert controls[0] == controls[1], "controls read the vectors alone"
    assert "features" not in plain.settings
    with pytest.raises(ProbeError, match="The samples' logprob is not known"):
        transfer(train, [test], ["mse"], features=["logprob"])
    narrow = load_set(str(make_run(tmp_path / "few", tiny_llama, benchmark="few", numbers=range(50, 52), samples=3)))
    joined = join_sets([load_set("small", runs), narrow])
    assert joined.values["length"][-1].tolist() == [*narrow.values["length"][-1].tolist(), 0.0, 0.0, 0.0]
    assert joined.without(["small/30"]).values["length"].shape[0] == len(joined.samples.problem_ids) - 1
