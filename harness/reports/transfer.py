"""The report of a transfer: probes trained on one set of problems and tested on others."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from harness.reports.json_values import from_report_json, jsonable
from harness.reports.report import RowsAtK
from harness.reports.seed_table import SeedTable
from harness.stats import TableRow

SCHEMA = "qprobe-transfer/2"


@dataclass(frozen=True, slots=True)
class Gains:
    """The rows of every objective at one point of a curve."""

    setting: str  # a number of training problems, or a layer with its pooling
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """The figures of the probes on one test set."""

    name: str
    benchmark: str
    problems: int
    samples: int
    problems_without_signal: int  # problems whose samples all pass or all fail
    rows: tuple[TableRow, ...]  # as in a report's main table
    rows_at_k: tuple[RowsAtK, ...]
    rules: dict[str, tuple[TableRow, ...]] = field(default_factory=dict)  # by objective: a row per rule of selection
    by_seed: SeedTable | None = None  # None for one seed without a k
    learning: tuple[Gains, ...] = ()  # over the number of training problems
    by_layer: tuple[Gains, ...] = ()  # of probes that read one layer alone


@dataclass(frozen=True, slots=True)
class TransferReport:
    """The numbers of training on one set and testing on others."""

    train: str
    benchmark: str
    problems: int  # trained on
    near_duplicates: tuple[str, ...]  # training problems whose description or reference a test problem nearly has
    left_out: bool  # True if these were left out of training
    settings: dict[str, Any]
    hyperparameters: dict[str, dict[str, Any]]  # selected inside the training problems, by objective
    tests: tuple[Tested, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report in JSON's own types; numbers that do not exist are null. `schema` names the layout."""
        fields = asdict(self)
        for test in fields["tests"]:
            for name in ("rules", "by_seed", "learning", "by_layer"):
                if not test[name]:
                    del test[name]
        return {"schema": SCHEMA, **jsonable(fields)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the report that `as_json` wrote. Raises QprobeError for another schema or a field of another type."""
        return from_report_json(cls, data, SCHEMA)
