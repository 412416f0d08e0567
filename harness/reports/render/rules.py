"""Notes on rules of selection: where they disagree, and where more samples make them worse."""

import math

from harness.reports.render.numbers import short
from harness.reports.report import Report

RULES = (
    "Rules: gain of the arg max of the scores, of softmax selection at a temperature and of the arg max among k random "
    "samples; temperature, k and the rule of each fold are selected inside its training problems. The main table and "
    "qprobe rank follow the selected rule; * marks p below .05, corrected for all rows."
)

SMALLEST = 0.005
"""A gain or a fall below this is not worth a sentence."""


def rule_notes(report: Report) -> list[str]:
    """Return the sentences on rules; none without probes."""
    if not report.rules:
        return []
    return [RULES, *_disagreements(report), *_falls(report)]


def _disagreements(report: Report) -> list[str]:
    """Return the probes that gain by one rule and lose by another."""
    listed = []
    for name, rows in report.rules.items():
        best, worst = max(rows, key=lambda row: row.gain), min(rows, key=lambda row: row.gain)
        if best.gain >= SMALLEST and worst.gain <= -SMALLEST:
            listed.append(f"{name} ({best.name} {short(best.gain, '+')}, {worst.name} {short(worst.gain, '+')})")
    if not listed:
        return []
    return [f"Warning: the rules disagree in sign: {'; '.join(listed)}. A gain by one rule is none by another."]


def _falls(report: Report) -> list[str]:
    """Return the probes whose best-of-k curve falls after its peak."""
    ks = report.best_of_k.k
    listed = []
    for line in report.best_of_k.lines:
        values = [value for value in line.value if not math.isnan(value)]
        if line.name not in report.rules or not values:
            continue
        peak = max(range(len(values)), key=values.__getitem__)
        if values[peak] - values[-1] >= SMALLEST:
            listed.append(
                f"{line.name} (highest at k = {ks[peak]}, {short(values[peak])}; {short(values[-1])} at k = "
                f"{ks[len(values) - 1]})"
            )
    if not listed:
        return []
    return [
        f"Warning: the best of k falls as k grows: {'; '.join(listed)}. The highest scores are wrong too often "
        "(over-optimisation): take the arg max among fewer samples, or a softer selection."
    ]
