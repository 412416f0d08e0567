"""Build a report: a pure function of its inputs, and the page's data from the same single reading of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import QprobeError
from harness.reports import sections
from harness.reports.browser_data import BrowserData, browser_data
from harness.reports.costs import costs
from harness.reports.given_scores import with_scores
from harness.reports.inputs import ReportInputs, read_inputs
from harness.reports.report import Report
from harness.reports.stability import stability
from harness.runs.store import Store


def report_and_page(
    store: Store,
    ks: Sequence[int] | None = None,
    greedy: Mapping[str, float] | None = None,
    scores: Sequence[Path] = (),
) -> tuple[Report, BrowserData]:
    """Read a run once; return its report and the data of its page's problem browser.

    `scores` are files with one score per sample, each a further row. Raises as `report` and `with_scores` do.
    """
    inputs = with_scores(read_inputs(store), scores)
    return report(inputs, ks, greedy), browser_data(inputs)


def report(inputs: ReportInputs, ks: Sequence[int] | None = None, greedy: Mapping[str, float] | None = None) -> Report:
    """Return the report of `inputs`, with tables at `ks` samples.

    `greedy` holds the reward of a greedy sample by problem, in place of the run's own; problems without one take no
    part in its row. Raises QprobeError for a k larger than the samples of any problem.
    """
    inputs = replace(inputs, greedy_rewards=greedy) if greedy else inputs
    given_ks, ks = ks, _checked_ks(ks, inputs.samples_per_problem[1])
    summary = sections.selection(inputs)
    counts_P, passed_P = inputs.mask_PN.sum(1), (inputs.rewards_PN * inputs.mask_PN).sum(1)
    return Report(
        run=inputs.run,
        benchmark=inputs.benchmark,
        errata=inputs.errata,
        prompt=inputs.prompt,
        source=inputs.source,
        embedder=inputs.embedder,
        views=inputs.views,
        problems=len(counts_P),
        samples=int(counts_P.sum()),
        samples_per_problem=inputs.samples_per_problem,
        distinct_share=sections.distinct_share(inputs),
        statuses=sections.statuses(inputs),
        extraction_failures=sections.extraction_failures(inputs),
        grading_modes=sections.grading_modes(inputs),
        base_pass_at_1=sections.base_pass_at_1(inputs),
        problems_without_signal=int(((passed_P == 0) | (passed_P == counts_P)).sum()),
        settings=inputs.scores.settings,
        hyperparameters=inputs.scores.chosen,
        rows=summary.rows,
        rules=sections.rules(inputs),
        ks=ks,
        curves=sections.curves(inputs, ks),
        rows_at_k=sections.rows_at_ks(inputs, ks),
        best_of_k=sections.best_of_every_k(inputs),
        frontiers=sections.frontiers(inputs),
        calibrations=sections.calibrations(inputs),
        difficulties=sections.difficulties(inputs),
        differences=sections.compared(inputs, summary),
        learning_curve=sections.learning_curve(inputs),
        repeats=sections.repeated(inputs, summary),
        stability=stability(inputs.verdicts, inputs.second_verdicts),
        problems_with_visible_test=inputs.visible.problems if inputs.visible else 0,
        per_problem=sections.per_problem(inputs, summary),
        pass_at_k=sections.passes_at_ks(inputs, given_ks),
        benchmark_problems=inputs.benchmark_problems,
        token_limit=inputs.token_limit,
        ungraded=inputs.ungraded,
        has_stale_probes=inputs.has_stale_probes,
        commonest_details=sections.commonest_details(inputs),
        given=tuple(inputs.given),
        costs=costs(inputs),
        problems_with_generated_tests=inputs.generated.problems if inputs.generated else 0,
        scorer=inputs.scorer,
    )


def _checked_ks(ks: Sequence[int] | None, most: int) -> tuple[int, ...]:
    if ks is None:
        return sections.default_ks(most)
    if wrong := [k for k in ks if not 1 <= k <= most]:
        raise QprobeError(
            f"Cannot report k = {wrong[0]}. Choose k from 1 to {most}, the most graded samples per problem."
        )
    return tuple(ks)
