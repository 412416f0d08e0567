"""The warnings above a report's tables: why nothing passes, what is missing, and what so small a run cannot show."""

import math

from harness.reports.extraction_failures import CUT, EMPTY, MISSING
from harness.reports.render.numbers import counted, interval, share, short
from harness.reports.report import Report
from harness.stats.limits import highest_unseen, smallest_p
from sandbox import Status

CUT_SHARE = 0.05
"""Of the samples: where more are cut at the token limit, pass@1 is that of the limit as well as of the model."""

FEW_PROBLEMS = 30
"""With fewer, intervals are wide and few differences can be significant."""

SIGNIFICANT = 0.05

CAUSES = {
    CUT: "were cut at the token limit{limit}: draw them with a larger --max-new-tokens, into another run folder",
    EMPTY: "are empty: look at the prompt and the stop strings",
    Status.UNSUPPORTED: "are unsupported and have no reward{detail}",
    Status.UNTESTED: "ran no test{detail}: correct the benchmark's tests",
    Status.SYNTAX: "do not compile{detail}: another --prompt, or qprobe extract with another prompt, may help",
    MISSING: "do not define the tested function: another --prompt, or qprobe extract with another prompt, may help",
    Status.TIMEOUT: "exceed their CPU time: raise --timeout, or look at them",
    Status.MEMORY: "exceed their memory{detail}",
    Status.EXITED: "end before their tests do{detail}",
    Status.ERROR: "end with an error{detail}",
    Status.FAILED: "run and fail a test{detail}",
}
"""Reason -> its words, the most telling reasons first; CUT, EMPTY and MISSING are about texts, the others verdicts."""


def warnings(report: Report) -> list[str]:
    """Return the warnings of a report, one sentence or two each, the gravest first."""
    return [
        *_nothing_passes(report),
        *_cut(report),
        *_broken(report),
        *_missing_problems(report),
        *_unfinished(report),
        *_small(report),
    ]


def _nothing_passes(report: Report) -> list[str]:
    """Return the cause that most samples share, where none passes."""
    if not report.statuses or report.statuses.get(Status.PASSED):
        return []
    verdicts = sum(report.statuses.values())
    counts = {**report.statuses, **report.extraction_failures}
    shared = [cause for cause in CAUSES if 2 * counts.get(cause, 0) >= verdicts]
    cause = shared[0] if shared else max(report.statuses, key=report.statuses.__getitem__)
    detail = report.commonest_details.get(cause, "")
    limit = f" of {report.token_limit:,}" if report.token_limit else ""
    words = CAUSES[Status(cause) if cause in report.statuses else cause]
    words = words.format(limit=limit, detail=f" (most often: {detail})" if detail else "")
    return [f"No sample passes. {counts[cause]:,} of {counted(verdicts, 'sample')} {words}."]


def _cut(report: Report) -> list[str]:
    """Return the share of samples cut at the token limit, if it is large and not the cause named already."""
    cut, verdicts = report.extraction_failures.get(CUT, 0), sum(report.statuses.values())
    if cut <= CUT_SHARE * verdicts or not report.statuses.get(Status.PASSED):
        return []
    return [cut_warning(cut, verdicts, report.token_limit)]


def cut_warning(cut: int, samples: int, limit: int | None) -> str:
    """Return the warning that many samples were cut at the token limit."""
    of_limit = f" of {limit:,}" if limit else ""
    return (
        f"{cut:,} of {counted(samples, 'sample')} ({share(cut / samples)}) were cut at the token limit{of_limit}, and "
        "may have failed for that: draw them with a larger --max-new-tokens, into another run folder."
    )


def _broken(report: Report) -> list[str]:
    """Return the share of programs that do not compile, if most: suspect the extraction, not the model."""
    broken, verdicts = report.statuses.get(Status.SYNTAX, 0), sum(report.statuses.values())
    if 2 * broken <= verdicts or not report.statuses.get(Status.PASSED):
        return []
    advice = "Look at some of them: another --prompt, or qprobe extract with another prompt, may help."
    return [f"{broken:,} of {counted(verdicts, 'program')}, more than half, do not compile. {advice}"]


def _missing_problems(report: Report) -> list[str]:
    if report.problems >= report.benchmark_problems:
        return []
    of_all = counted(report.benchmark_problems, "problem")
    return [
        f"The run has {report.problems:,} of the {of_all} of {report.benchmark}: "
        "its figures are of these problems and do not compare with published ones."
    ]


def _unfinished(report: Report) -> list[str]:
    """Return what the run's stages have yet to do."""
    lines = []
    if report.ungraded:
        lines.append(f"{counted(report.ungraded, 'sample')} without a verdict take no part: qprobe grade runs them.")
    if report.has_stale_probes:
        lines.append("The probes are older than the verdicts or vectors and left out: run qprobe probe again.")
    return lines


def _small(report: Report) -> list[str]:
    """Return what the run cannot show where few problems can tell selections apart: small p-values, sharp intervals."""
    informative, objectives = report.informative_problems, len(report.hyperparameters)
    p, p_corrected = smallest_p(informative), smallest_p(informative, max(1, objectives))
    if not report.samples or (report.problems >= FEW_PROBLEMS and p_corrected < SIGNIFICANT):
        return []
    problems = counted(report.problems, "problem")
    if not informative:
        first = f"Of {problems}, none has both passes and failures: every selection is equally good"
    else:
        first = f"Of {problems}, {informative:,} can tell selections apart: no p-value can be below {_precise(p)}"
    corrected = f" ({_precise(p_corrected)} after Holm's correction for {objectives} objectives)"
    base = next(row for row in report.rows if row.name == "pass@1")
    corrected = corrected if informative and objectives > 1 else ""
    return [f"{first}{corrected}. {_width(base.low, base.high, report.problems)}."]


def _precise(p: float) -> str:
    """Format a p-value with two digits, however small: .016, .00049."""
    return f"{p:.2g}".replace("0.", ".", 1)


def _width(low: float, high: float, problems: int) -> str:
    """Return the width of the interval of pass@1; one without a width is no sign of certainty."""
    if math.isclose(low, high):
        bound = highest_unseen(problems)
        excluded = f"below {short(1 - bound)}" if low > 0.5 else f"above {short(bound)}"
        return f"The interval of pass@1 has no width, yet only values {excluded} are excluded at 95 %"
    return f"The 95 % interval of pass@1, {interval(low, high)}, is {short(high - low)} wide"
