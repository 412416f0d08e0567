"""The page: a template filled with a report's figures and tables, under a policy that allows nothing else."""

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.mini import ABOUT_MODEL, is_bundled
from harness.reports.browser_data import BrowserData
from harness.reports.json_values import jsonable
from harness.reports.render.guide import guide
from harness.reports.render.headline import sentence
from harness.reports.render.html.figures import figures
from harness.reports.render.html.tiles import tiles
from harness.reports.render.notes import notes
from harness.reports.render.tables import fold_cells, heading, pair_cells, tables
from harness.reports.render.text import TableCells
from harness.reports.render.warnings import warnings
from harness.reports.report import Report

ASSETS = files("harness.reports.render.html") / "assets"

TITLES = {
    "pass@k": "Pass@k",
    "selection": "Probes and baselines",
    "gain by rule": "Rules of selection",
    "selectivity": "Probes against their own controls",
    "gain of selection": "Selection among k samples",
    "composed": "Composed selection against its parts",
    "cost": "Cost of each selection",
    "best of k": "pass@1 by number of samples",
    "scores": "Properties of the scores",
    "training problems": "Learning curve",
    "hyperparameters": "Selected hyperparameters",
    "verdict": "Verdicts by status",
    "extraction failure": "Completions without a complete program",
    "pairs of objectives": "Pairs of objectives",
    "objective": "Selected hyperparameters by fold",
}
"""First cell of a table's header -> the table's title."""

WORDS = {
    "headroom": "share of the possible gain",
    "beyond length": "gain without length",
    "between": "variance between problems",
    "difficulty": "correlation with pass rate",
    "calibration": "calibration error",
}
"""Name of a column in a terminal, where space is short -> its name in the page."""


def page(report: Report, data: BrowserData | None = None, origin: Sequence[tuple[str, str]] = ()) -> str:
    """Return the report as one HTML file, with the problem browser if there is `data` for it, and the run's origin.

    All text from models, benchmarks and users is escaped by the template or packed, and the page's policy allows only
    the style sheet and the script in it: no network, and no script from a completion.
    """
    data = {**jsonable(data), "first": _first(report)} if data else None
    return fill_page(
        report=report,
        lead=heading(report).partition(": ")[2],
        sentence=sentence(report),
        bundled=ABOUT_MODEL if is_bundled(report.source) else "",
        tiles=tiles(report),
        warnings=warnings(report),
        guide=guide(report),
        origin=origin,
        notes=[line for line in notes(report) if line != ABOUT_MODEL],
        figures=figures(report, data),
        tables=[_in_words(cells) for cells in (*tables(report), pair_cells(report), fold_cells(report))],
        title=partial(_title, report),
        data=packed(data) if data else "",
    )


def fill_page(**values: Any) -> str:  # noqa: ANN401 - what the template names
    """Return the template of a page filled with these values, with its style sheet, script and policy."""
    style, script = ((ASSETS / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    templates = Environment(
        loader=PackageLoader("harness.reports.render.html", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html").render(
        **values,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        markup=Markup,
    )


def _first(report: Report) -> str:
    """Return the objective that the browser opens with, the one of the highest pass@1; "" without probes."""
    values = {row.name: row.value for row in report.rows if row.name in report.hyperparameters}
    return max(values, key=lambda name: values[name], default="")


def _in_words(cells: TableCells) -> TableCells:
    header, rows = cells
    return tuple(WORDS.get(name, name) for name in header), rows


def _title(report: Report, cell: str) -> str:
    """Return the title of the table whose header begins with this cell, which may name an objective or a number."""
    if cell == "selection" and not report.has_probes:
        return "Baselines"
    if cell.startswith("probe ") and cell.endswith(" minus"):
        return "One probe against every baseline"
    if cell.endswith(" minus"):
        return "Best objective against the others"
    return "Repeated cross-validation" if cell.endswith(" repeats") else TITLES[cell]


def packed(data: BrowserData) -> str:
    """Return the data as text that is safe anywhere in a page: JSON, gzipped, in base64. Equal data give equal text."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("ascii"), 6, mtime=0)).decode("ascii")


def _policy(style: str, script: str) -> str:
    allowed = {"style-src": _digest(style), "script-src": _digest(script), "img-src": "data:"}
    refused = dict.fromkeys(("default-src", "base-uri", "form-action"), "'none'")
    return "; ".join(f"{directive} {source}" for directive, source in {**refused, **allowed}.items())


def _digest(text: str) -> str:
    """Return the source by which a policy allows an inline style sheet or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
