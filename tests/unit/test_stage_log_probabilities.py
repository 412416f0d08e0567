"""Log-probabilities of samples by the model that reads them: for those without, kept, and never of two models."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import Problem
from harness.errors import QprobeError
from harness.models.engine import View
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.scoring_embedder import ScoringEmbedder, with_log_probabilities
from harness.models.tokens import Tokens
from harness.models.vectors import Vectors
from harness.reports.build import report
from harness.reports.inputs import read_inputs
from harness.reports.render.notes import notes
from harness.reports.report import Report
from harness.runs.completion import Completion, SampleId
from harness.runs.features import sample_features
from harness.runs.settings import SCORER, Scorer
from harness.runs.store import Store
from harness.stages import embed as embedding
from harness.stages.log_probabilities import embed_and_score, embed_samples
from harness.stages.probe import probe
from tests.runs import make_run
from tests.tiny_models import save_bert


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Four problems of three samples, as a file gives them: without log-probabilities."""
    store = Store(tmp_path / "run", create=True)
    store.add_problems([Problem(f"T/{n}", f"def f{n}():\n", "f", "assert True") for n in range(4)])
    store.add_completions(
        Completion(f"T/{n}", i, f"def f{n}():\n", "", f"def f{n}():\n{'    return 1' * i}\n")
        for n in range(4)
        for i in range(3)
    )
    return store


def scores(store: Store) -> dict[SampleId, tuple[float | None, ...]]:
    return {one.id: (one.logprob, one.tokens, one.least_logprob, one.self_certainty) for one in store.completions()}


def test_imported_samples_get_baselines_of_the_embedder(store: Store, tiny_llama: Path):
    embed_samples(store, HfEmbedder(f"hf:{tiny_llama}", device="cpu"))
    found = scores(store)
    assert all(None not in each for each in found.values())
    features = sample_features(store, tuple(f"T/{n}" for n in range(4)), np.array([[0, 1, 2]] * 4))
    for values_PN in (features.log_probabilities_PN, features.least_log_probabilities_PN, features.self_certainties_PN):
        assert values_PN is not None
        assert np.isfinite(values_PN).all()


def test_samples_with_vectors_are_scored_without_embedding_them_again(store: Store, tiny_llama: Path):
    plain = HfEmbedder(f"hf:{tiny_llama}", device="cpu")
    embed_samples(store, plain, log_probability=False)
    assert all(each == (None,) * 4 for each in scores(store).values())
    done = embed_samples(store, plain)
    assert (done.new, done.reused) == (0, 12)
    assert all(None not in each for each in scores(store).values())


class Stopped(ScoringEmbedder):
    """Stopped by ^C after some batches."""

    left = 0

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().embed(samples, views)


def test_an_interrupted_pass_resumes_to_the_same_values(
    store: Store, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embedding, "BATCH_TOKENS", 40)
    spec = f"hf:{tiny_llama}"
    stopped = Stopped(spec, device="cpu")
    for left in range(9):
        stopped.left = left
        try:
            embed_and_score(store, stopped)
        except KeyboardInterrupt:
            continue
        break
    else:
        pytest.fail("never ended")
    assert left > 1
    with Store(tmp_path / "other", create=True) as other:
        other.add_problems(store.problems())
        other.add_completions(store.completions())
        other.drop_token_scores()
        embed_samples(other, HfEmbedder(spec, device="cpu"))
        assert scores(store) == scores(other)


def test_another_embedder_replaces_the_values_of_the_last(store: Store, tiny_llama: Path, tmp_path: Path):
    plain = HfEmbedder(f"hf:{tiny_llama}", device="cpu")
    embed_samples(store, plain)
    first = scores(store)
    embed_samples(store, HfEmbedder(f"hf:{save_bert(tmp_path)}"))
    assert scores(store) == first, "an encoder has none"
    store.note(SCORER, {"model": "another", "fingerprint": "of another"})
    store.add_completions([Completion("T/0", 3, "def f0():\n", "", "def f0():\n    pass\n")])
    embed_samples(store, plain)
    assert {sample: scores(store)[sample] for sample in first} == first
    assert store.about.log_probabilities_of == plain.identity["fingerprint"]


def test_the_log_probabilities_of_the_model_that_wrote_are_kept(store: Store, tiny_llama: Path):
    plain = HfEmbedder(f"hf:{tiny_llama}", device="cpu")
    store.note("generation", {"fingerprint": "of another"})
    own = Completion("T/3", 3, "def f3():\n", "", "def f3():\n    pass\n", tokens=2, logprob=-1.5)
    store.add_completions([own])
    before = scores(store)
    embed_samples(store, plain)
    assert scores(store) == before
    with pytest.raises(QprobeError, match="have the log-probabilities of the model that wrote them"):
        embed_and_score(store, with_log_probabilities(plain))  # type: ignore[arg-type]
    store.note("generation", {"fingerprint": plain.identity["fingerprint"]})
    embed_samples(store, plain)
    after = scores(store)[own.id]
    assert after[:2] == (-1.5, 2), "what generation kept stays"
    assert None not in after
    assert not store.about.scorer


def test_another_program_loses_the_values_of_the_last(store: Store, tiny_llama: Path):
    plain = HfEmbedder(f"hf:{tiny_llama}", device="cpu")
    embed_samples(store, plain)
    before, changed = scores(store), SampleId("T/1", 2)
    store.replace_programs({changed: "def f1():\n    return 'other'\n"})
    assert scores(store) == {**before, changed: (None,) * 4}
    embed_samples(store, plain)
    assert None not in scores(store)[changed]
    assert scores(store)[changed] != before[changed]


def test_a_run_of_an_earlier_version_names_its_scorer(store: Store):
    store._db.execute("INSERT INTO settings VALUES (?, ?)", (SCORER, json.dumps("1234")))
    assert store.about.scorer == Scorer("", "1234")


def test_the_report_has_their_rows_and_names_the_model(tmp_path: Path, tiny_llama: Path):
    with Store(make_run(tmp_path / "own", tiny_llama)) as store:
        probe(store, ["mse"], folds=3, repeats=1)
        assert "mean log-probability" not in {row.name for row in report(read_inputs(store)).rows}
        embed_samples(store, HfEmbedder(f"hf:{tiny_llama}", layers="1,2"))
        probe(store, ["mse"], folds=3, repeats=1)
        made = report(read_inputs(store))
    assert {"mean log-probability", "least log-probability", "self-certainty"} <= {row.name for row in made.rows}
    (line,) = [line for line in notes(made) if line.startswith("Log-probabilities are of ")]
    assert tiny_llama.name in line
    assert Report.from_json(made.as_json()).scorer == made.scorer
