"""The figures of the published runs in one page: `python -m scripts.reference_figures > results/reference/FIGURES.md`.

Reads every `results/reference/*/report.json`. For each run: every objective, baseline and control under selection among
5, 10 and all samples, with 95 % intervals; then which paired differences survive Holm's correction.
"""

import json
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"

Json = dict[str, Any]


HEAD = """\
# Figures of the published runs

Made by `python -m scripts.reference_figures` from the `report.json` of each run. Of k: the expected reward of
selection among k samples, over all subsets of k. Gains are over pass@1, with 95 % intervals, paired by problem;
* is p below .05, for objectives after Holm's correction."""


def main() -> None:
    """Print the page."""
    print(HEAD)
    for path in sorted(REFERENCE.glob("*/report.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        print("\n" + (transfer_section(report) if report["schema"].startswith("qprobe-transfer") else section(report)))


def transfer_section(report: Json) -> str:
    """What probes of one set are worth on others."""
    parts = []
    for test in report["tests"]:
        parts += [
            f"## Transfer: {report['train']} -> {test['name']}",
            f"Trained on {report['problems']} problems of {report['benchmark']}, of which "
            f"{len(report['near_duplicates'])} nearly agree with a test problem; tested on {test['problems']} of "
            f"{test['benchmark']}, {test['samples']:,} samples; {test['no_signal']} carry no ranking signal.",
            table(test),
            "\n".join(f"- {line}" for line in over_pass_at_1(test)),
        ]
    return "\n\n".join(parts)


def section(report: Json) -> str:
    """One run's part of the page."""
    fewest, most = report["samples_per_problem"]
    samples = str(most) if fewest == most else f"{fewest} to {most}"
    parts = [
        f"## {report['run']}",
        f"{report['benchmark']}, {report['problems']} problems x {samples} samples; {report['no_signal']} problems "
        f"carry no ranking signal; {report['distinct']:.0%} of a problem's programs are distinct. "
        f"{said_of_stability(report)}",
        table(report),
        "\n".join(f"- {line}" for line in survivors(report)),
    ]
    return "\n\n".join(parts)


def said_of_stability(report: Json) -> str:
    """How steady the verdicts were."""
    found = report.get("stability")
    return f"Graded twice: {found['programs']} programs, {len(found['changed'])} rewards changed." if found else ""


def table(report: Json) -> str:
    """Every row at every k."""
    parts = parts_of(report)
    lines = ["| selection | " + " | ".join(f"{title} | gain" for title, _ in parts) + " | AUC |"]
    lines.append("| :-- |" + " --: | --: |" * len(parts) + " --: |")
    for row, *others in zip(report["rows"], *(rows for _, rows in parts[:-1]), strict=True):
        cells = [cell for each in (*others, row) for cell in (short(each["value"]), gain(each))]
        name = "pass@k" if row["name"].startswith("pass@") and row["name"] != "pass@1" else row["name"]
        lines.append(f"| {name} | {' | '.join(cells)} | {short(row['auc'])} |")
    return "\n".join(lines)


def parts_of(report: Json) -> list[tuple[str, list[Json]]]:
    """The rows of selection among few samples and among all."""
    return [*((f"of {part['k']}", part["rows"]) for part in report.get("at_k", [])), ("of all", report["rows"])]


def gain(row: Json) -> str:
    """+.012 [-.003, +.027]*, or nothing where no gain is to be judged."""
    if row["name"].startswith("pass@") or row["gain"] is None:
        return ""
    p = row["p"] if row["p_holm"] is None else row["p_holm"]
    star = "*" if p is not None and p < 0.05 else ""
    return f"{short(row['gain'], '+')} [{short(row['gain_low'], '+')}, {short(row['gain_high'], '+')}]{star}"


def short(number: float | None, sign: str = "") -> str:
    """Three places and no leading zero."""
    return (
        ""
        if number is None
        else f"{number:{sign}.3f}".replace("0.", ".", 1)
        if abs(number) < 1
        else f"{number:{sign}.3f}"
    )


def over_pass_at_1(report: Json) -> list[str]:
    """Which objectives gain, and which lose, by more than chance, at each k and among all samples."""
    lines = []
    for among, all_rows in parts_of(report):
        sure = [row for row in all_rows if row["p_holm"] is not None and row["p_holm"] < 0.05]
        gains, losses = ([row for row in sure if sign * row["gain"] > 0] for sign in (1, -1))
        said = [f"gain over pass@1: {listed(gains)}", *([f"lose: {listed(losses)}"] if losses else [])]
        lines.append(f"Objectives that {'; that '.join(said)} ({among}).")
    return lines


def over_foldings(report: Json) -> list[str]:
    """What is left when the draw of the folds is averaged out, and how much it decides."""
    if (found := report.get("repeats")) is None:
        return []
    named = [f"{row['name']} {gain(row)} ({short(found['spread'][row['name']])})" for row in found["rows"]]
    return [f"Gains of all, mean of {len(found['seeds'])} foldings (their spread): {', '.join(named)}."]


def listed(rows: list[Json]) -> str:
    """Names and gains."""
    return ", ".join(f"{row['name']} {short(row['gain'], '+')}" for row in rows) or "none"


def survivors(report: Json) -> list[str]:
    """Which differences are more than chance."""
    lines = over_pass_at_1(report) + over_foldings(report)
    for family, what in (("objectives", "between objectives"), ("baselines", "of an objective from a baseline")):
        if (found := report.get("differences", {}).get(family)) is None:
            continue  # an early report, from before these were in it
        sure = [each for each in found if each["p_holm"] < 0.05]
        named = [f"{each['name']} - {each['other']} {short(each['value'], '+')}" for each in sure]
        tail = f": {', '.join(named)}" if named else ""
        lines.append(f"{len(sure)} of {len(found)} differences {what} survive{tail}.")
    return lines


if __name__ == "__main__":
    main()
