"""Explanations of the names in a report, for a reader who sees one for the first time."""

from harness.reports.report import Report
from harness.stats import CONTROL, RANDOM, WITHIN
from harness.stats.baselines import USES_LABELS

Entry = tuple[str, str]
"""Names, and what they mean."""


def guide(report: Report) -> list[Entry]:
    """Return the explanations of the names that the report has."""
    probes = [row.name for row in report.rows if row.name in report.hyperparameters]
    controls = [row.name for row in report.rows if row.name in (CONTROL, RANDOM, WITHIN)]
    labelled = [row.name for row in report.rows if row.name in USES_LABELS]
    composed = list(dict.fromkeys(item.name for item in report.differences.get("composed", [])))
    named = {"pass@1", *probes, *labelled, *controls, *report.given, *composed}
    # With one sample per problem there is no pass@k but pass@1.
    oracle = next((row.name for row in report.rows[1:] if row.name.startswith("pass@")), "")
    others = [row.name for row in report.rows if row.name not in {*named, oracle}]
    entries = [("pass@1", "The share of samples that pass all tests of their problem: the mean over problems.")]
    if probes:
        text = (
            "Probes, named by their training objective. A probe scores each sample by the hidden states of a language "
            "model and selects one per problem; its figure is the pass rate of the selected samples. It was trained on "
            "other problems than those it selects for."
        )
        entries.append((", ".join(probes), text))
    if others:
        text = "Baselines: they select one sample per problem without a probe and without labels."
        entries.append((", ".join(others), text + (" A probe is useful where it exceeds them." if probes else "")))
    if labelled:
        text = "The mean vector of passes less that of failures, over other problems: a probe without training."
        entries.append((", ".join(labelled), text))
    if composed:
        text = "A probe together with a filter, a vote or another score, or without what length explains of its score."
        entries.append((", ".join(composed), text))
    if report.given:
        entries.append((", ".join(report.given), "Scores from files: each selects the best-scored sample."))
    if controls:
        entries.append(
            (", ".join(controls), "Controls: untrained scores, or probes of shuffled labels; those must not gain.")
        )
    if oracle:
        entries.append((oracle, "The share of problems with a sample that passes: no selection can exceed it."))
    entries.append(("gain", "The difference from pass@1, paired by problem."))
    entries.append(("[.40, .50], whiskers", "95 % intervals, by bootstrap over problems."))
    corrected = " Corrected for the number of comparisons by Holm's method." if probes else ""
    entries.append(("p", f"The probability of so large a difference if selection changed nothing.{corrected}"))
    return entries
