"""Problems that an adapter was trained on, which no figure may be of."""

from harness.errors import QprobeError
from harness.finetuning.card import trained_problems
from harness.runs.problem_sets import ProblemSet
from harness.runs.store import Store


def refuse_trained(test: ProblemSet) -> None:
    """Raise QprobeError where the model that drew or read a test set was trained on one of its problems."""
    with Store(test.folder, read_only=True) as store:
        source = store.about.source
    models = [source.model if source else "", test.embedding.embedder]
    known = trained_problems(models, list(test.problems.values()))
    if trained := [name for name in test.samples.problem_ids if name in known]:
        raise QprobeError(
            f"{known[trained[0]]} was trained on {len(trained):,} problems of {test.name}, first {trained[0]}: test on "
            "problems of another split."
        )
