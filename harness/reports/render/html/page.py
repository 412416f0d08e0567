"""The page: a template filled with a report's figures and tables, and a policy that lets nothing else in."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.reports.render.html.browser import Data, packed
from harness.reports.render.html.figures import figures
from harness.reports.render.html.tiles import tiles
from harness.reports.render.tables import chosen_cells, heading, notes, pair_cells, tables
from harness.reports.report import Report

ASSETS = files("harness.reports.render.html") / "assets"

TITLES = {
    "selection": "Probed against baseline",
    "gain, selection among": "Selection among k samples",
    "best of k": "Best of k",
    "scores": "What the scores know",
    "trained on problems": "Learning curve",
    "chosen in the folds": "What nested selection took",
    "verdict": "Verdicts by status",
    "extraction": "Completions without a whole program",
    "pairs of objectives": "Objectives compared, every pair",
    "objective": "What nested selection took, fold by fold",
}
"""The first word of a table's header -> its title."""


def page(report: Report, data: Data) -> str:
    """The report as one HTML file; `data` is what `browser_data` gives.

    Whatever comes from models, benchmarks and users is escaped by the template or packed, and the page's own policy
    allows the one style sheet and the one script that stand in it: no network, and no script from a completion.
    """
    style, script = ((ASSETS / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    templates = Environment(
        loader=PackageLoader("harness.reports.render.html", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html").render(
        report=report,
        lead=heading(report).partition(": ")[2],
        tiles=tiles(report),
        notes=notes(report),
        figures=figures(report, data),
        tables=[*tables(report), pair_cells(report), chosen_cells(report)],
        titles=TITLES,
        data=packed(data),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        markup=Markup,
    )


def _policy(style: str, script: str) -> str:
    allowed = {"style-src": _digest(style), "script-src": _digest(script), "img-src": "data:"}
    refused = dict.fromkeys(("default-src", "base-uri", "form-action"), "'none'")
    return "; ".join(f"{kind} {what}" for kind, what in {**refused, **allowed}.items())


def _digest(text: str) -> str:
    """The name by which a policy allows an inline style sheet or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
