"""Copy the reports of runs to `results/reference`, small enough for git.

    python -m scripts.publish_runs results/RUN ...

`report.json` goes without what it has of each problem. A run that another was tested with (`RUN/transfer`) is published
as `transfer-RUN` beside it.
"""

import json
import shutil
import sys
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"


def main() -> None:
    """Publish every run named."""
    for run in map(Path, sys.argv[1:]):
        publish(run, REFERENCE / run.name)
        if (run / "transfer" / "report.json").is_file():
            publish(run / "transfer", REFERENCE / f"transfer-{run.name}")


def publish(made: Path, published: Path) -> None:
    """Copy one folder's reports."""
    published.mkdir(exist_ok=True)
    report = json.loads((made / "report.json").read_text(encoding="utf-8"))
    report.pop("per_problem", None)
    (published / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name in ("report.md", "report.svg"):
        if (made / name).is_file():  # a transfer has no picture
            shutil.copy(made / name, published / name)


if __name__ == "__main__":
    main()
