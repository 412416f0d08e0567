"""The first sentence of a report: one probe against the best baseline that needs no label."""

import math
from dataclasses import dataclass

from harness.reports.inputs import PAPERS
from harness.reports.render.numbers import interval, p_text, short
from harness.reports.render.significance import is_significant
from harness.reports.report import HEADLINE, Report
from harness.stats import CONTROL, RANDOM, TableRow


@dataclass(frozen=True, slots=True)
class Headline:
    """A probe, the highest baseline that needs no label, and their difference, paired by problem."""

    probe: TableRow
    baseline: TableRow
    value: float
    low: float  # of the interval for this pair alone
    high: float
    p: float  # Holm-corrected for every objective and baseline of the report

    @property
    def verb(self) -> str:
        """The comparison in words; "not significantly different from" unless p is below .05."""
        if math.isnan(self.p) or self.p >= 0.05:
            return "not significantly different from"
        return "more than" if self.value > 0 else "less than"


def headline(report: Report) -> Headline | None:
    """Return the headline; None without probes."""
    probe = leading_row(report)
    if probe is None:
        return None
    compared = {item.other: item for item in report.differences["baselines"] if item.name == probe.name}
    baselines = [row for row in report.rows if row.name == "pass@1" or row.name in compared]
    best = max(baselines, key=lambda row: row.value)
    if best.name == "pass@1":
        return Headline(probe, best, probe.gain, probe.gain_low, probe.gain_high, probe.p_holm)
    item = compared[best.name]
    alone = {own.other: own for own in report.differences.get(HEADLINE, ())}.get(best.name, item)
    return Headline(probe, best, item.value, alone.low, alone.high, item.p_holm)


def leading_row(report: Report) -> TableRow | None:
    """Return the row of the paper's objective, or of the first one; None without probes."""
    rows = {row.name: row for row in report.rows if row.name in report.hyperparameters}
    return rows.get(PAPERS, next(iter(rows.values()), None))


def sentence(report: Report) -> str:
    """Return the first sentence: what a probe gains over a random sample and over the best baseline; "" without one."""
    head = headline(report)
    if head is None:
        return ""
    probe, baseline = head.probe, head.baseline
    gain = f"{short(probe.gain, '+')} {interval(probe.gain_low, probe.gain_high, '+')} over a random sample, and "
    return (
        f"Probe {probe.name}: pass@1 {short(probe.value)} {interval(probe.low, probe.high)}, "
        f"{'' if baseline.name == 'pass@1' else gain}{head.verb} the highest "
        f"baseline that needs no labels, {baseline.name} ({short(baseline.value)}): {short(head.value, '+')} "
        f"{interval(head.low, head.high, '+')}, p {p_equals(head.p)}."
    )


def p_equals(p: float) -> str:
    """Format a p-value for a sentence: = .031, < .001."""
    text = p_text(p)
    return f"< {text[1:]}" if text.startswith("<") else f"= {text}"


def best_of_several(report: Report) -> str:
    """Return a line on the highest of several objectives; "" for one objective."""
    probe, rows = leading_row(report), [row for row in report.rows if row.name in report.hyperparameters]
    if probe is None or len(rows) < 2:
        return ""
    best = max(rows, key=lambda row: row.value)
    named = "the paper's objective" if probe.name == PAPERS else "the first objective"
    also = "" if best is probe else f" ({short(probe.value)})"
    return (
        f"Of {len(rows)} objectives {best.name} has the highest pass@1, {short(best.value)}; the highest of several is "
        f"partly luck, so the first sentence is about {probe.name}{also}, {named}."
    )


def controls(report: Report) -> str:
    """Return a line on the controls: their meaning, and why some lose; "" without controls."""
    rows = {row.name: row for row in report.rows if row.name in (RANDOM, CONTROL)}
    if not rows:
        return ""
    text = f"Controls: {CONTROL} hold no information about verdicts and must not gain."
    if RANDOM in rows:
        text += f" A {RANDOM} is untrained: only its rule of selection comes from the training folds."
    if CONTROL in rows and rows[CONTROL].gain > 0 and is_significant(rows[CONTROL]):
        return f"Warning: {CONTROL} gain. {text} Distrust the gains of the probes."
    losing = [f"{row.name} {short(row.gain, '+')}" for row in rows.values() if row.gain < 0 and is_significant(row)]
    if not losing:
        return text
    return (
        f"{text} A loss ({', '.join(losing)}) is no fault: a direction without information selects samples whose "
        "vectors lie far out, and these usually pass less often."
    )
