"""The notes under a report's tables: the facts that a reader needs to judge them."""

from typing import Any

from benchmarks.mini import ABOUT_MODEL, is_bundled
from harness.reports.render.headline import best_of_several, controls
from harness.reports.render.numbers import counted, model_text, short
from harness.reports.render.rules import rule_notes
from harness.reports.report import Report
from harness.reports.transfer import Tested
from harness.stats import CALIBRATED, Calibration, Difference, SelectionRule
from harness.stats.baselines import CENTROID, TYPICAL_LENGTH, VECTOR_AGREEMENT
from sandbox import Status

AMONG_K = "Among k: exact expectations over all subsets of k samples; * marks p below .05."
BY_SUBSETS = (
    "Among k, a baseline that compares samples compares the k alone; for vectors and typical length the expectation is "
    "the mean over 1,000 drawn subsets."
)
INTERVALS = (
    "Intervals: 95 %, bootstrap over problems; gains and p-values are paired by problem, p-values Holm-corrected; * "
    "marks p below .05."
)
FOLDS_IN_INTERVALS = (
    "Intervals and p-values of probes allow for the folds (corrected variance of repeated cross-validation); those of "
    "differences hold for all rows of a table at once, and that of the first sentence for its pair alone."
)
SELECTIVITY = (
    "Selectivity: a probe less probes of the same objective on rewards shuffled among all samples, or within each "
    "problem; what is left of a gain in the latter case comes from the difficulty of problems."
)
NO_PROBES = (
    "No probes: pass@k is the unbiased estimate over all subsets of k samples; the baselines select one sample by a "
    "score that needs no training. qprobe embed and qprobe probe add probes."
)
INTERVALS_WITHOUT_PROBES = (
    "Intervals: 95 %, bootstrap over problems; gains and p-values are paired by problem, p-values not corrected."
)
SCORES = (
    "Scores: headroom is the share of the way from pass@1 to pass@k; AUC is within problems; beyond length is the gain "
    "without what length predicts; between is the share of the variance between problems; difficulty is the rank "
    "correlation of a problem's mean score with its pass rate; calibration is the expected calibration error."
)
COSTS = (
    "Cost: completions drawn, completions with tests drawn, completions read by the model of the vectors, and programs "
    "run, per problem; labels are the verdicts that a probe learns from, in all. The oracle runs the hidden tests."
)
REPEATS = "Repeats: means over draws of the folds; spread is the standard deviation of the gain over them."

_PRESETS = {
    "nested": "hyperparameters and rule of selection selected inside the training folds",
    "wide": "form, hyperparameters and rule of selection selected inside the training folds",
    "paper": "trained as in the Q-Probe paper, whose beta is 0.1",
}

_EARLIER_PRESETS = {
    "nested": "temperature and training hyperparameters selected inside the training folds",
    "wide": "temperature, form and training hyperparameters selected inside the training folds",
    "paper": "trained and selected as in the Q-Probe paper (beta 0.1)",
}
"""The words for reports of before the folds selected among rules."""


def main_notes(report: Report) -> list[str]:
    """Return the notes of the main table, and every warning."""
    main = _main(report)
    return main + [line for line in notes(report)[len(main) :] if line.startswith("Warning:")]


def notes(report: Report) -> list[str]:
    """Return the notes of a report; those of the main table come first."""
    lines = _main(report) + rule_notes(report) + _programs(report) + _tests(report)
    lines += [SELECTIVITY] if report.differences.get("controls") else []
    lines += [REPEATS] if report.repeats is not None else []
    lines += [
        *_few_samples(report),
        *([COSTS] if report.costs and report.has_probes else []),
        *([SCORES] if report.has_probes else []),
    ]
    lines += [*_calibration(report), *_differences(report)]
    if trusting := {mode: count for mode, count in report.grading_modes.items() if mode != "separate"}:
        listed = ", ".join(f"{count} {mode}" for mode, count in trusting.items())
        lines.append(f"Problems whose tests must trust the program's own objects or process: {listed}.")
    return lines


def _main(report: Report) -> list[str]:
    bundled = [ABOUT_MODEL] if is_bundled(report.source) else []
    compared = [line for line in (best_of_several(report), controls(report)) if line]
    method = [_probes(report), INTERVALS] if report.has_probes else [NO_PROBES, INTERVALS_WITHOUT_PROBES]
    method += [FOLDS_IN_INTERVALS] if report.settings.get("repeats", 1) > 1 else []
    scored = [f"Log-probabilities are of {model_text(report.scorer)}, which read the samples."] if report.scorer else []
    return [*bundled, *compared, *method, *scored, _signal(report)]


def _probes(report: Report) -> str:
    settings = report.settings
    added = f" with {', '.join(features)} behind them" if (features := settings.get("features")) else ""
    if report.rules:
        selection = f"selection among all samples{_fixed(settings)}, {_PRESETS[settings['preset']]}"
    else:
        selection = f"softmax selection among all samples, {_EARLIER_PRESETS[settings['preset']]}"
    return (
        f"Probes: vectors of {model_text(report.embedder)}{added}; {settings['folds']}-fold cross-validation by "
        f"problem, {_seeds(settings)}{_near_duplicates(report)}; {selection}."
    )


def _seeds(settings: dict[str, Any]) -> str:
    """Return the seeds, one for each folding; reports of before there were several show the first."""
    seed, repeats = settings["seed"], settings.get("repeats", 1)
    if repeats == 1:
        return f"seed {seed}"
    return f"the mean over {repeats} draws of the folds (seeds {seed} to {seed + repeats - 1})"


def _near_duplicates(report: Report) -> str:
    """Return how many problems share a fold because they are alike; "" for none."""
    groups, shortfall = report.settings.get("groups"), report.settings.get("groups_shortfall")
    if shortfall:
        return f", near-duplicates in different folds ({shortfall})"
    return f", near-duplicates in one fold ({report.problems:,} problems in {groups:,} groups)" if groups else ""


def _fixed(settings: dict[str, Any]) -> str:
    """Return the rule that was asked for; "" where the preset decides."""
    beta = settings.get("fixed_beta")
    return "" if beta is None else f" by {SelectionRule(beta)}"


def _signal(report: Report) -> str:
    if not report.samples:
        return "No sample has a reward, and no figure is known."
    return (
        f"{report.distinct_share:.0%} of a problem's programs are distinct; {report.problems_without_signal} of "
        f"{counted(report.problems, 'problem')} carry no ranking signal (all samples pass, or all fail)."
    )


def _programs(report: Report) -> list[str]:
    """Return the prompt, and the programs that do not compile where a warning does not say so."""
    lines = [f"Prompt: {report.prompt}."] if report.prompt else []
    broken, graded = report.statuses.get(Status.SYNTAX, 0), sum(report.statuses.values())
    if 0 < 2 * broken <= graded:
        lines.append(f"{broken:,} of {counted(graded, 'program')} do not compile.")
    return lines


def _tests(report: Report) -> list[str]:
    lines = []
    if report.base_pass_at_1 is not None:
        lines.append(f"All figures use all tests; by the base tests alone, pass@1 is {short(report.base_pass_at_1)}.")
    if report.stability is not None:
        changed = counted(len(report.stability.changed), "reward")
        lines.append(f"Graded twice: {counted(report.stability.programs, 'program')}; {changed} changed.")
    if report.problems_with_visible_test:
        count = counted(report.problems_with_visible_test, "problem")
        lines.append(f"Shown tests: in the prompts of {count}; passing one tells part of the verdict.")
    if report.problems_with_generated_tests:
        count = counted(report.problems_with_generated_tests, "problem")
        lines.append(f"Generated tests: a model wrote tests of {count}; they are unchecked and decide no reward.")
    if report.errata:
        lines.append(
            f"Errata applied: {report.errata}; see benchmarks/errata. --no-errata grades the problems as published."
        )
    return lines


def _few_samples(report: Report) -> list[str]:
    lines = among_k(report)
    graded = report.per_problem.graded if report.per_problem else []
    for k in report.ks:
        if k > report.samples_per_problem[0]:
            few = sum(count < k for count in graded)
            problems = counted(few, "problem") + (" has" if few == 1 else " have") if few else "Some problems have"
            lines.append(f"Warning: {problems} fewer than {k} graded samples and no value at k = {k}.")
    return lines


def among_k(report: Report | Tested) -> list[str]:
    """Return the notes on selection among k samples; none without it."""
    names = {row.name for part in report.rows_at_k for row in part.rows}
    drawn = [BY_SUBSETS] if names & {VECTOR_AGREEMENT, CENTROID, TYPICAL_LENGTH} else []
    return [AMONG_K, *drawn] if report.rows_at_k else []


def _calibration(report: Report) -> list[str]:
    """Return which scores may be read as probabilities of a pass."""
    return [f"{calibration_words(item)}." for item in report.calibrations if item.error is not None]


def calibration_words(item: Calibration) -> str:
    """Return how far an objective's scores may be read as probabilities of a pass, with the numbers."""
    figures = (
        f"mean score {short(item.score)}, pass rate {short(item.passed)}, calibration error {short(item.error or 0)}"
    )
    if item.calibrated:
        return f"{item.name} is calibrated: its scores may be read as probabilities of a pass ({figures})"
    return f"{item.name} is not calibrated: its scores only order samples ({figures}, above {short(CALIBRATED)})"


def _differences(report: Report) -> list[str]:
    """Return the paired differences that are significant after correction."""
    families = (("objectives", "between objectives"), ("baselines", "of objectives from baselines"))
    return [
        _family(report.differences[family], description)
        for family, description in families
        if report.differences[family]
    ]


def _family(differences: list[Difference], description: str) -> str:
    significant = [difference for difference in differences if difference.p_holm < 0.05]
    largest = sorted(significant, key=lambda difference: -abs(difference.value))[:5]
    named = "; ".join(f"{item.name} - {item.other} {short(item.value, '+')}" for item in largest)
    more = f"; and {len(significant) - 5} more" if len(significant) > 5 else ""
    listed = f": {named}{more}" if significant else ""
    return f"{len(significant)} of {len(differences)} differences {description} survive Holm's correction{listed}."
