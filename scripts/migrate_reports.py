"""Rewrite published reports of an earlier layout in the present one: `python -m scripts.migrate_reports [FOLDER ...]`.

Without folders, all of `results/reference`. Fields are renamed; every number stays as it is. The other forms of a
report (Markdown, LaTeX, CSV, SVG, HTML) are then rendered from the `Report` that the new `report.json` gives.
A report of the present layout is only rendered again.
"""

import json
import sys
from pathlib import Path
from typing import Any

from harness.reports.preferences import SCHEMA as PREFERENCES_SCHEMA
from harness.reports.preferences import PreferenceReport
from harness.reports.render.preference_files import write_preferences
from harness.reports.render.transfer_files import write_transfer
from harness.reports.report import SCHEMA, Report
from harness.reports.transfer import SCHEMA as TRANSFER_SCHEMA
from harness.reports.transfer import TransferReport
from scripts.publish_runs import REFERENCE, write_forms, write_json

Json = dict[str, Any]

REPORT_FIELDS = {
    "overlay": "errata",
    "samples_a_problem": "samples_per_problem",
    "distinct": "distinct_share",
    "extraction": "extraction_failures",
    "modes": "grading_modes",
    "no_signal": "problems_without_signal",
    "chosen": "hyperparameters",
    "at_k": "rows_at_k",
    "learning": "learning_curve",
    "shown_tests": "problems_with_visible_test",
}
PROBLEM_FIELDS = {"pick": "best_sample", "pick_passed": "best_sample_passed"}
TRANSFER_FIELDS = {"chosen": "hyperparameters"}
TEST_FIELDS = {"no_signal": "problems_without_signal", "at_k": "rows_at_k"}


def main() -> None:
    """Migrate every folder named, or all published ones."""
    for folder in [Path(name) for name in sys.argv[1:]] or sorted(REFERENCE.iterdir()):
        if (folder / "report.json").is_file():
            migrate(folder)


def migrate(folder: Path) -> None:
    """Rewrite the report in one folder."""
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if data["schema"].startswith("qprobe-transfer/"):
        data = transfer_to_2(data) if data["schema"] == "qprobe-transfer/1" else data
        write_transfer(TransferReport.from_json(data), folder)
    elif data["schema"] == PREFERENCES_SCHEMA:
        write_preferences(PreferenceReport.from_json(data), folder)
    else:
        report = Report.from_json(report_to_2(data) if data["schema"] == "qprobe-report/1" else data)
        write_json(folder, report.as_json())
        write_forms(folder, report)


def report_to_2(data: Json) -> Json:
    """Return a report of the layout qprobe-report/1 in the layout qprobe-report/2."""
    new = {**renamed(data, REPORT_FIELDS), "schema": SCHEMA}
    if "per_problem" in new:
        new["per_problem"] = renamed(new["per_problem"], PROBLEM_FIELDS)
    if new.get("stability"):
        names = ("problem", "sample", "first", "second")
        changed = [dict(zip(names, entry, strict=True)) for entry in new["stability"]["changed"]]
        new["stability"] = {**new["stability"], "changed": changed}
    return new


def transfer_to_2(data: Json) -> Json:
    """Return a report of the layout qprobe-transfer/1 in the layout qprobe-transfer/2."""
    tests = [renamed(test, TEST_FIELDS) for test in data["tests"]]
    return {**renamed(data, TRANSFER_FIELDS), "schema": TRANSFER_SCHEMA, "tests": tests}


def renamed(data: Json, names: dict[str, str]) -> Json:
    """Return the same fields in the same order under their new names."""
    return {names.get(name, name): value for name, value in data.items()}


if __name__ == "__main__":
    main()
