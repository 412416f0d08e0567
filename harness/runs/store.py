"""The store of a run: one folder, one SQLite file, safe against `kill -9` at any moment.

Problems, completions and verdicts are rows that are only ever added (an extraction alone replaces programs); a row is
there whole or not at all (WAL), and a stage's work is what has no row yet. Settings are written down by the first
command that needs them; a later command with others is refused, because its rows would not compare.

One command at a time writes. Commands that only read need no lock: they see the run as it was when they opened it.
"""

import json
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import Problem
from harness.errors import QprobeError
from harness.runs.completion import GREEDY, Completion, SampleId, TokenScores
from harness.runs.reading import hold, is_read_only, open_read_only, open_writable
from harness.runs.schema import (
    ADD_TOKEN_SCORES,
    COMPLETIONS,
    SCHEMA,
    SCHEMA_VERSION,
    UNGRADED,
    WITHOUT_TOKEN_SCORES,
    WITHOUT_VECTORS,
)
from harness.runs.settings import RunSettings, difference
from harness.runs.untrusted import COMPLETION, VERDICT, check_folder, checked, readable
from sandbox import Outcome, Status
from sandbox.grading_mode import GradingPlan


class Store:
    """A run's folder, held by one command at a time; other commands may read it meanwhile."""

    def __init__(self, folder: Path, *, create: bool = False, read_only: bool = False) -> None:
        """Open the run in `folder`. Raises QprobeError where it is missing, or another command holds it.

        With `read_only` no other command is in the way, and the run stays as it is now, whatever is added to it.
        """
        self.folder = folder
        self._path = folder / "run.sqlite"
        self._joined = False  # True in a block of `together`
        self._is_new = create and not self._path.is_file()
        self._prepare_folder(create)
        check_folder(folder)
        self._lock = None if read_only or (not create and is_read_only(folder)) else hold(folder / ".lock")
        try:
            self._db = (open_read_only if self._lock is None else open_writable)(self._path, SCHEMA)
            self._check_schema()
        except BaseException:
            self._release()
            raise

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.folder.resolve().name

    def _prepare_folder(self, create: bool) -> None:
        if not create and not (self.folder / "run.sqlite").is_file():
            raise QprobeError(f"{self.folder} is not a run: make one with qprobe import, run or demo.")
        if not create:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QprobeError(f"The run folder {self.folder} cannot be made: {error.strerror}.") from error

    def _check_schema(self) -> None:
        version = self.settings().get("schema")
        if version is None:
            self.settle("schema", SCHEMA_VERSION)
        elif version != SCHEMA_VERSION:
            raise QprobeError(f"{self.folder} was made by another version of qprobe (store {version}); use that one.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._is_new and not self.problems():
            self._db.close()
            self._remove()  # before the lock is released: the next holder's files are its own
        self.close()

    def close(self) -> None:
        """Close the database and release the folder."""
        self._db.close()
        self._release()

    def _remove(self) -> None:
        """Remove what a command made that an error ended before it kept anything: the next one finds no run."""
        for file in (self._path, self.folder / ".lock"):
            file.unlink(missing_ok=True)
        with suppress(OSError):  # other files are in it
            self.folder.rmdir()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep all that a block adds, or nothing of it."""
        with self._transaction():
            self._joined = True
            try:
                yield
            finally:
                self._joined = False

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._joined:
            yield
            return
        if self._lock is None:
            raise QprobeError(f"{self.folder} cannot be written to: it is open for reading only.")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- settings ------------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Return the settings that earlier stages wrote down, by name."""
        with readable(self._path):
            return {name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM settings")}

    @property
    def about(self) -> RunSettings:
        """The same, typed."""
        with readable(self._path):
            return RunSettings.of(self.settings())

    def note(self, name: str, value: object) -> None:
        """Write down a setting, over an earlier one. The same value leaves the file as it is."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value "
                "WHERE value IS NOT excluded.value",
                (name, json.dumps(value)),
            )

    def settle(self, name: str, value: object) -> None:
        """Write a setting down once. Raises QprobeError where the run was made with another."""
        value = json.loads(json.dumps(value))
        stored = self.settings().get(name, value)
        if stored != value:
            raise QprobeError(difference(self.folder, name, stored, value))
        self.note(name, value)

    # -- problems and completions --------------------------------------------------------------------------------

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Add problems. Raises QprobeError where the run holds one of the same id that reads differently."""
        stored = {problem.id: problem for problem in self.problems()}
        new = []
        for problem in problems:
            if stored.get(problem.id, problem) != problem:
                raise QprobeError(
                    f"{self.folder} was made from other data: its {problem.id} reads differently. "
                    "Use another run folder for the new data."
                )
            if problem.id not in stored:
                new.append({**asdict(problem), "stop": json.dumps(problem.stop)})
        marks = ", ".join(f":{name}" for name in _PROBLEM)
        with self._transaction():
            self._db.executemany(f"INSERT INTO problems ({', '.join(_PROBLEM)}) VALUES ({marks})", new)

    def problems(self) -> list[Problem]:
        """The run's problems, in the order they were added."""
        present = {name for _, name, *_ in self._db.execute("PRAGMA table_info(problems)")}
        columns = [name for name in _PROBLEM if name in present]  # a run of an earlier version may lack some
        kinds = [(float,) if name.endswith("timeout") else (str,) for name in columns]
        with readable(self._path):
            rows = self._db.execute(f"SELECT {', '.join(columns)} FROM problems ORDER BY rowid")
            named = (dict(zip(columns, checked(row, kinds), strict=True)) for row in rows)
            return [Problem(**{**row, "stop": tuple(json.loads(row["stop"]))}) for row in named]

    def add_completions(self, completions: Iterable[Completion]) -> int:
        """Add completions in one transaction; those whose problem and index are there already are left as they are.

        Returns how many were new.
        """
        rows = [astuple(completion) for completion in completions]
        drawn = [(*row[:2], array("I", ids).tobytes()) for row in rows if (ids := row[_COLUMNS])]
        certainties = [(*row[:2], *row[-2:]) for row in rows if row[-2:] != (None, None)]
        with self._transaction():
            before = self._db.total_changes
            marks, columns = _marks(_COLUMNS), [row[:_COLUMNS] for row in rows]
            self._db.executemany(f"INSERT OR IGNORE INTO completions VALUES ({marks})", columns)
            new = self._db.total_changes - before
            self._db.executemany("INSERT OR IGNORE INTO tokens VALUES (?, ?, ?)", drawn)
            self._db.executemany("INSERT OR IGNORE INTO certainties VALUES (?, ?, ?, ?)", certainties)
        return new

    def replace_programs(self, programs: Mapping[SampleId, str]) -> None:
        """Put other programs in the places of some, and drop what was made of the earlier ones, in one transaction."""
        scored = self.about.scorer is not None
        with self._transaction():
            for sample, program in programs.items():
                self._db.execute(
                    "UPDATE completions SET program = ? WHERE problem_id = ? AND idx = ?", (program, *sample)
                )
                for table in ("verdicts", "vectors"):
                    self._db.execute(f"DELETE FROM {table} WHERE problem_id = ? AND idx = ?", sample)
            if scored:
                self._drop_token_scores(programs)

    def add_token_scores(self, values: Mapping[SampleId, TokenScores]) -> None:
        """Add the log-probabilities of samples that have none; those that have all of them keep theirs."""
        scored = [(one.tokens, one.logprob, *sample) for sample, one in values.items()]
        certainties = [(*sample, one.least_logprob, one.self_certainty) for sample, one in values.items()]
        with self._transaction():
            self._db.executemany(ADD_TOKEN_SCORES, scored)
            self._db.executemany("INSERT OR IGNORE INTO certainties VALUES (?, ?, ?, ?)", certainties)

    def drop_token_scores(self) -> None:
        """Drop the log-probabilities of all samples."""
        with self._transaction():
            self._drop_token_scores(self.sample_ids())

    def _drop_token_scores(self, samples: Iterable[SampleId]) -> None:
        for sample in samples:
            self._db.execute(
                "UPDATE completions SET logprob = NULL, tokens = NULL WHERE problem_id = ? AND idx = ?", sample
            )
            self._db.execute("DELETE FROM certainties WHERE problem_id = ? AND idx = ?", sample)

    def has_log_probabilities(self) -> bool:
        """Return whether some sample has a log-probability."""
        (known,) = self._db.execute("SELECT EXISTS (SELECT 1 FROM completions WHERE logprob IS NOT NULL)").fetchone()
        return bool(known)

    def count_without_token_scores(self) -> int:
        """Return the number of samples that lack log-probabilities, the greedy ones left out."""
        (count,) = self._db.execute(
            f"SELECT COUNT(*) FROM completions WHERE idx >= 0 AND {WITHOUT_TOKEN_SCORES}"
        ).fetchone()
        return int(count)

    def completions(self, problem_id: str | None = None, index: int | None = None) -> Iterator[Completion]:
        """Iterate over the completions but the greedy ones, by problem (in the order they were added) and index.

        `problem_id` takes one problem's alone, `index` those of that index alone.
        """
        wanted = {"c.problem_id": problem_id, "c.idx": index}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(["c.idx >= 0", *(f"{column} = ?" for column in given)])
        return self._completions(where, tuple(given.values()))

    def _completions(self, where: str, values: tuple[object, ...]) -> Iterator[Completion]:
        with readable(self._path):
            for row in self._db.execute(COMPLETIONS.format(where=where), values):
                checked(row, COMPLETION)
                yield Completion(*(*row[:_COLUMNS], tuple(array("I", row[_COLUMNS] or b"")), *row[-2:]))

    def sample_ids(self, *, greedy: bool = False) -> list[SampleId]:
        """Return the ids of the samples, in the order of `completions`; with `greedy` the greedy ones too."""
        with readable(self._path):
            rows = self._db.execute(
                "SELECT c.problem_id, c.idx FROM completions c JOIN problems p ON p.id = c.problem_id "
                "WHERE c.idx >= ? ORDER BY p.rowid, c.idx",
                (GREEDY if greedy else 0,),
            )
            return [SampleId(*row) for row in rows if checked(row, ((str,), (int,)))]

    def counts(self, *, greedy: bool = True) -> dict[str, int]:
        """Return the numbers of completions, verdicts and vectors, of all graders and views, greedy ones on request."""
        first = GREEDY if greedy else 0
        return {table: self._count(table, first) for table in ("completions", "verdicts", "vectors")}

    def count_samples(self) -> int:
        """Return the number of samples, which is that of `completions`: the greedy ones are left out."""
        return self._count("completions", 0)

    def _count(self, table: str, first: int) -> int:
        (count,) = self._db.execute(f"SELECT COUNT(*) FROM {table} WHERE idx >= ?", (first,)).fetchone()
        return int(count)

    def copy_rows(self, other: "Store", table: str) -> None:
        """Add another run's rows of a table."""
        with readable(other._path):
            rows = other._db.execute(f"SELECT * FROM {table}")
            with self._transaction():
                marks = _marks(len(rows.description))
                self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)

    # -- verdicts ------------------------------------------------------------------------------------------------

    def add_verdicts(self, grader: str, outcomes: Mapping[SampleId, Outcome]) -> None:
        """Add the outcomes of some samples, in one transaction."""
        rows = [
            (grader, *sample, *(getattr(outcome, name) for name in _OUTCOME)) for sample, outcome in outcomes.items()
        ]
        with self._transaction():
            self._db.executemany(f"INSERT OR IGNORE INTO verdicts VALUES ({_marks(3 + len(_OUTCOME))})", rows)

    def verdicts(self, grader: str, *, greedy: bool = False) -> dict[SampleId, Outcome]:
        """Return the outcomes by this grader; with `greedy` those of the greedy samples too."""
        with readable(self._path):
            rows = self._db.execute(
                f"SELECT problem_id, idx, {', '.join(_OUTCOME)} FROM verdicts WHERE grader = ? AND idx >= ?",
                (grader, GREEDY if greedy else 0),
            )
            return {SampleId(*row[:2]): Outcome(Status(row[2]), *row[3:]) for row in rows if checked(row, VERDICT)}

    def count_verdicts(self, grader: str) -> int:
        """Return the number of samples with a verdict of this grader, the greedy ones left out."""
        rows = self._db.execute("SELECT COUNT(*) FROM verdicts WHERE grader = ? AND idx >= 0", (grader,))
        return int(rows.fetchone()[0])

    def passes(self, grader: str) -> dict[str, int]:
        """Return the number of passing samples of each problem with a verdict of this grader."""
        rows = self._db.execute(
            "SELECT problem_id, SUM(status = ?) FROM verdicts WHERE grader = ? AND idx >= 0 GROUP BY problem_id",
            (Status.PASSED.value, grader),
        )
        return dict(rows.fetchall())

    def ungraded(self, grader: str) -> Iterator[Completion]:
        """Iterate over the completions without a verdict of this grader, greedy ones too, problem by problem."""
        for (problem_id,) in self._db.execute("SELECT id FROM problems ORDER BY rowid").fetchall():
            yield from list(self._completions(UNGRADED, (problem_id, grader)))

    def add_plans(self, grader: str, plans: Mapping[str, GradingPlan]) -> None:
        """Add the grading plans of some problems under this grader, in one transaction."""
        rows = [(grader, problem_id, json.dumps(asdict(plan))) for problem_id, plan in plans.items()]
        with self._transaction():
            self._db.executemany(f"INSERT OR IGNORE INTO plans VALUES ({_marks(3)})", rows)

    def plans(self, grader: str) -> dict[str, GradingPlan]:
        """Return the grading plan of each problem under this grader, by the problem's id."""
        with readable(self._path):
            rows = self._db.execute("SELECT problem_id, plan FROM plans WHERE grader = ?", (grader,))
            return {problem_id: GradingPlan(**json.loads(plan)) for problem_id, plan in rows}

    # -- vectors (the index; the numbers are in files, see harness/runs/vector_file.py) ----------------------------

    def add_vector_rows(self, rows: Mapping[str, Mapping[SampleId, int]]) -> None:
        """Add the rows of each shard's file that hold the samples' vectors, all in one transaction."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?, ?)",
                [(shard, *sample, row) for shard, some in rows.items() for sample, row in some.items()],
            )

    def vector_rows(self, shard: str, problem_id: str | None = None) -> dict[SampleId, int]:
        """The row of every sample (of one problem, where it is named) that has vectors on this shard."""
        where, values = ("", ()) if problem_id is None else (" AND problem_id = ?", (problem_id,))
        with readable(self._path):
            rows = self._db.execute(f"SELECT problem_id, idx, row FROM vectors WHERE view = ?{where}", (shard, *values))
            return {SampleId(*row[:2]): row[2] for row in rows if checked(row, ((str,), (int,), (int,)))}

    def next_vector_row(self, shard: str) -> int:
        """Return the first row of a shard's file that no sample refers to or beyond."""
        (last,) = self._db.execute("SELECT MAX(row) FROM vectors WHERE view = ?", (shard,)).fetchone()
        return 0 if last is None else int(last) + 1

    def count_without_vectors(self, shards: Sequence[str]) -> int:
        """Return the number of samples that lack vectors on any of these shards, the greedy ones left out."""
        (count,) = self._db.execute(
            WITHOUT_VECTORS.format(shards=_marks(len(shards))), (*shards, len(shards))
        ).fetchone()
        return int(count)


_COLUMNS = 9
"""Fields of a completion that are columns of its table; its tokens come next, then its certainties."""

_PROBLEM = tuple(field.name for field in fields(Problem))
_OUTCOME = tuple(field.name for field in fields(Outcome))


def _marks(count: int) -> str:
    return ", ".join("?" * count)
