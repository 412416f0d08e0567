"""A report as tables: for the terminal (rich) and as Markdown."""

import math
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.numbers import Row
from harness.reporting import Report

Cells = tuple[str, ...]

_PRESETS = {
    "nested": "its temperature and the training chosen inside the training folds",
    "paper": "trained and selected as in the Q-Probe paper (beta 0.1)",
}


def heading(report: Report) -> str:
    """What was run, in one line."""
    fewest, most = report.samples_a_problem
    each = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{report.run}: {report.benchmark}, {report.problems} problems x {each} samples of {report.source}"


def notes(report: Report) -> list[str]:
    """What a reader must know to judge the table."""
    settings = report.settings
    lines = [
        f"Probes: vectors of {report.embedder}; {settings['folds']}-fold cross-validation by problem, "
        f"seed {settings['seed']}; softmax selection among all samples, {_PRESETS[settings['preset']]}.",
        "Intervals: 95 %, bootstrap over problems; gains and p-values paired by problem, p corrected by Holm.",
        f"Verdicts: {', '.join(f'{count:,} {name}' for name, count in report.statuses.items())}; "
        f"{report.distinct:.0%} of a problem's programs are distinct.",
        f"{report.no_signal} of {report.problems} problems carry no ranking signal (all samples pass, or all fail).",
    ]
    if report.overlay:
        lines.append(
            f"Problems known to be wrong: overlay {report.overlay}, see benchmarks/overlays; --no-overlay is without."
        )
    if trusting := {mode: count for mode, count in report.modes.items() if mode != "separate"}:
        listed = ", ".join(f"{count} {mode}" for mode, count in trusting.items())
        lines.append(f"Problems whose tests must trust the program's own objects or process: {listed}.")
    return lines


def selection_cells(report: Report) -> tuple[Cells, list[Cells]]:
    """The main table: header and rows."""
    return ("selection", "pass@1", "95 % interval", "gain", "95 % interval", "p"), [_cells(row) for row in report.rows]


def _cells(row: Row) -> Cells:
    value = (row.name, short(row.value), interval(row.low, row.high))
    if row.name == "pass@1":
        return (*value, "", "", "")
    gain = (short(row.gain, "+"), interval(row.gain_low, row.gain_high, "+"))
    return (*value, *gain, "" if row.name.startswith("pass@") else p_value(row))


def short(number: float, sign: str = "") -> str:
    """Three places and no leading zero: .221, +.028, 1.000."""
    return f"{number:{sign}.3f}".replace("0.", ".", 1) if abs(number) < 0.9995 else f"{number:{sign}.3f}"


def interval(low: float, high: float, sign: str = "") -> str:
    """[.204, .241]"""
    return f"[{short(low, sign)}, {short(high, sign)}]"


def p_value(row: Row) -> str:
    """The row's p-value, the corrected one where it has one."""
    p = row.p if math.isnan(row.p_holm) else row.p_holm
    return "<.001" if p < 0.001 else short(p)


def curve_cells(report: Report) -> tuple[Cells, list[Cells]]:
    """Best of k: header and rows."""
    rows = [(curve.name, *("" if v is None else short(v) for v in curve.values)) for curve in report.curves]
    return ("best of k", *(f"k = {k}" for k in report.ks)), rows


def chosen_cells(report: Report) -> tuple[Cells, list[Cells]]:
    """What was chosen for every objective in every fold: header and rows."""
    rows = [
        (
            name,
            str(fold + 1),
            " ".join(choice["views"]),
            choice["form"],
            *(f"{choice[part]:g}" for part in ("l2", "learning_rate", "temperature", "epochs")),
            "" if choice["inner_figure"] is None else short(choice["inner_figure"]),
        )
        for name, choices in report.chosen.items()
        for fold, choice in enumerate(choices)
    ]
    header = ("objective", "fold", "reads", "form", "l2", "learning rate", "temperature", "epochs", "inner folds")
    return header, rows


def terminal(report: Report) -> RenderableType:
    """The report for a terminal, 80 columns wide or more."""
    return Group(
        Text(heading(report), style="bold"),
        _table(*selection_cells(report)),
        _table(*curve_cells(report)),
        *(Text(line, style="dim") for line in notes(report)),
    )


def _table(header: Cells, rows: Iterable[Cells]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="bold" if _is_gain(row) else None)
    return table


def _is_gain(row: Cells) -> bool:
    """Whether a row is a gain whose whole interval lies above zero."""
    return len(row) == 6 and row[4].startswith("[+") and not row[0].startswith("pass@")


def markdown(report: Report) -> str:
    """The report as Markdown."""
    parts = [f"## {heading(report)}", _markdown_table(*selection_cells(report)), _markdown_table(*curve_cells(report))]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in notes(report))]) + "\n"


def _markdown_table(header: Cells, rows: Sequence[Cells]) -> str:
    rule = (":--", *("--:" for _ in header[1:]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
