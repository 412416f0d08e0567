"""A run: its samples, verdicts, vectors and probes, made stage by stage in a folder or in memory.

Every stage does what the run does not hold yet, and leaves its settings and provenance in the folder.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from harness.errors import QprobeError
from harness.models.engine import Engine
from harness.models.model import Model
from harness.progress import SILENT, Progress
from harness.reports.render.warnings import CUT_SHARE, cut_warning
from harness.runs.config_file import keep_config
from harness.runs.provenance import IMAGE, WORK_OF, count, is_noted, note_stage
from harness.runs.samples_table import SamplesTable, samples_table
from harness.runs.scores import scores_if_current
from harness.runs.store import Store
from harness.stages.options import EmbedOptions, GenerateOptions, GradeOptions, ImportOptions, ProbeOptions, settings_of
from harness.stages.problems import PART, Problems
from harness.stages.shards import BLOCK
from sandbox import Sandbox, open_sandbox

if TYPE_CHECKING:  # only the stages that need torch import it
    from harness.cluster.parts import Cluster, ClusterEmbedder
    from harness.models.engine import Embedder
    from harness.probes import CrossValidation
    from harness.reports.report import Report
    from harness.runs.vector_file import Precision
    from harness.stages.embed import Embedded
    from harness.stages.grade import Graded
    from harness.stages.import_samples import Imported
    from harness.stages.probe import Probed
    from harness.stages.shared_vectors import SharedVectors


@dataclass(frozen=True, slots=True)
class GradedRun:
    """The outcome of grading a run."""

    graded: "Graded"
    passed: int  # samples that pass
    solved: int  # problems with a passing sample
    problems: int  # problems with a verdict
    without_visible_test: bool  # visible tests were asked for, and no prompt shows one


@dataclass(slots=True)
class _Work:
    """The work of a stage while it is done."""

    is_done: bool = False  # the run held all of it


class Run:
    """A run folder, held by one process at a time. Use it in a `with` statement, or call `close`."""

    def __init__(
        self,
        folder: str | Path,
        *,
        create: bool = True,
        read_only: bool = False,
        progress: Progress = SILENT,
        cluster: "Cluster | None" = None,
    ) -> None:
        """Open or create the run. Raises QprobeError where the folder is no run or another process holds it.

        With `read_only` the run must exist, and may be in use: `report` and `samples_table` show its present state.
        The nodes of a `cluster` draw, grade and embed; this process alone writes.
        """
        self.progress, self.cluster = progress, cluster
        self.store = Store(Path(folder), create=create and not read_only, read_only=read_only)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def in_memory(cls, *, progress: Progress = SILENT) -> "Run":
        """Return a run that leaves nothing behind: its files live in memory where the system has a place for that."""
        shared = Path("/dev/shm")
        scratch = tempfile.TemporaryDirectory(prefix="qprobe-run-", dir=shared if shared.is_dir() else None)
        run = cls(scratch.name, progress=progress)
        run._scratch = scratch
        return run

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.store.folder

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the run; one that an error ended before it had a problem is removed."""
        self.store.__exit__(kind, error, trace)
        self.close()

    def close(self) -> None:
        """Release the folder; a run in memory is gone."""
        self.store.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    @contextmanager
    def on_cluster(self, address: str) -> Iterator[None]:
        """Let the nodes of a Ray cluster draw, grade and embed within the block. Raises QprobeError."""
        from harness.cluster.parts import open_cluster

        before = self.cluster
        with open_cluster(address, self.progress) as self.cluster:
            try:
                yield
            finally:
                self.cluster = before

    # -- stages --------------------------------------------------------------------------------------------------

    def import_samples(
        self,
        problems: Problems,
        samples: str | Path,
        *,
        format: str = ImportOptions.format,  # noqa: A002
        complete: bool = ImportOptions.complete,
        vectors: str | Path | None = None,
    ) -> "Imported":
        """Add existing samples from a file or folder; with `complete`, they must cover all problems of their splits.

        `vectors` is a file of their vectors, as `export` writes it, in place of a model that reads them. Raises
        QprobeError where no sample can be used, or some cannot.
        """
        from harness.stages.import_samples import import_samples
        from harness.stages.shared_vectors import read_vectors

        path = Path(samples)
        shared = read_vectors(Path(vectors)) if vectors else None
        with self._recorded("import", {**problems.settings, "samples": str(path), "format": format}):
            imported = import_samples(self.store, problems.benchmark, path, format, complete=complete)
            self.progress.message(
                f"Imported {imported.new:,} samples of {imported.problems} problems; {imported.kept:,} existed already."
            )
            for warning in imported.warnings:
                self.progress.message(f"WARNING: {warning}")
            if shared:
                self._add_vectors(shared)
            if imported.bad:
                raise QprobeError(imported.complaint(path))
        return imported

    def _add_vectors(self, shared: "SharedVectors") -> None:
        from harness.stages.shared_vectors import import_vectors

        lacking = import_vectors(self.store, shared)
        views = " + ".join(map(str, shared.by_view))
        self.progress.message(f"Imported vectors of {shared.embedder}: {views}.")
        if lacking:
            self.progress.message(f"WARNING: {lacking:,} samples have no vectors in the file; qprobe embed gives them.")

    def generate(
        self,
        problems: Problems,
        model: Model,
        *,
        k: int = GenerateOptions.k,
        seed: int = GenerateOptions.seed,
        prompt: str = GenerateOptions.prompt,
        greedy: bool = GenerateOptions.greedy,
        block: int = GenerateOptions.block,
        reader: "Embedder | None" = None,
        precision: "Precision" = EmbedOptions.precision,
    ) -> int:
        """Draw the samples of each problem that are missing, and return how many were drawn. Raises QprobeError.

        Where `reader` (`model.embedder(layers, pooling)`) reads the model that writes, its vectors are kept on the
        way, and `embed` need not read the samples again. With a `block` of about so many samples, a run that was
        interrupted equals one that was not to the last bit; a cluster draws in blocks only.
        """
        from harness.finetuning.card import trained_warning
        from harness.stages.api_cost import drawing_cost
        from harness.stages.generate import count_cut, generate, plan
        from harness.stages.import_samples import left_out

        block = block or (BLOCK if self.cluster else 0)
        work = plan(problems, k=k, seed=seed, prompt=prompt, greedy=greedy, block=block)
        model = model.for_prompt(chat=work.prompt.chat)
        settings = {**problems.settings, **model.settings, "k": k, "seed": seed, "prompt": prompt, "greedy": greedy}
        settings["block"] = block
        for warning in left_out(problems.benchmark):
            self.progress.message(f"WARNING: {warning}")
        if warning := trained_warning([model.name], problems):
            self.progress.message(f"WARNING: {warning}")
        if cost := drawing_cost(self.store, model.name, work, model.sampling.max_new_tokens):
            self.progress.message(cost)
        with self._recorded("generate", settings), self._engine(model, reader) as engine:
            self.store.settle(PART, problems.part)
            drawn = generate(self.store, engine, work, self.progress, reader, precision)
        self.progress.message(f"Generated {drawn:,} samples.")
        samples, cut = self.store.count_samples(), count_cut(self.store)
        if cut > CUT_SHARE * samples:
            self.progress.message(f"WARNING: {cut_warning(cut, samples, model.sampling.max_new_tokens)}")
        return drawn

    @contextmanager
    def _engine(self, model: Model, reader: "Embedder | None") -> Iterator[Engine]:
        """Yield the engine of a model, which draws on the nodes of the cluster, if there is one."""
        if self.cluster and model.is_local:
            with self.cluster.engine(model, reader) as engine:
                yield engine
        else:
            yield model.engine()

    def grade(self, sandbox: str | Sandbox | None = None, options: GradeOptions | None = None) -> GradedRun:
        """Run every ungraded program in a sandbox: "docker", "process", or an open one.

        Raises SandboxError where the sandbox cannot run, QprobeError where it failed on some programs.
        """
        options = options or GradeOptions()
        if isinstance(sandbox, str):
            options = replace(options, sandbox=sandbox)  # type: ignore[arg-type] # the options check the name
        _ = options.budget  # which raises where the limits contradict each other
        settings = settings_of(options, GradeOptions)
        del settings["ray"]  # where it was graded says nothing about the verdicts
        with self._recorded("grade", settings):
            if isinstance(sandbox, str | None):
                with self._sandbox(options) as opened:
                    graded = self._grade(opened, options)
            else:
                graded = self._grade(sandbox, options)
            if graded.graded.broken:
                raise QprobeError(
                    f"The sandbox failed on {graded.graded.broken:,} programs, which stay ungraded: grade again."
                )
        return graded

    def _sandbox(self, options: GradeOptions) -> Sandbox:
        if self.cluster is None:
            return open_sandbox(options.sandbox, options.workers, options.image, runtime=options.runtime)
        return self.cluster.sandbox(options.choice)

    def _grade(self, sandbox: Sandbox, options: GradeOptions) -> GradedRun:
        from harness.stages.generated_tests import run_generated_tests
        from harness.stages.grade import grade
        from harness.stages.regrade import regrade
        from harness.stages.visible_tests import run_visible_tests

        budget = options.budget
        if image := getattr(sandbox, "image", ""):  # a sandbox of the caller's own may have none
            self.store.note(IMAGE, image)
        graded = grade(self.store, sandbox, budget, self.progress)
        regrade(self.store, sandbox, budget, self.progress, options.regrade)
        without = options.visible_tests and not run_visible_tests(self.store, sandbox, budget, self.progress)
        if options.generated_tests is not None:
            tests = run_generated_tests(self.store, sandbox, budget, options.generated_tests, self.progress)
            self.progress.message(
                f"Ran the programs of {len(tests.weights)} problems on {sum(map(len, tests.weights.values())):,} tests "
                f"of {tests.file}."
            )
        passes = self.store.passes(graded.grader)
        solved = sum(count > 0 for count in passes.values())
        self.progress.message(f"Graded {graded.new:,} programs; {graded.reused:,} verdicts existed already.")
        passed = sum(passes.values())
        self.progress.message(f"{passed:,} samples pass; {solved:,} of {len(passes):,} problems are solved.")
        if without:
            self.progress.message("No prompt of this benchmark shows a test: there are no answers to compare.")
        return GradedRun(graded, passed, solved, len(passes), without)

    def embed(
        self,
        model: Model,
        *,
        layers: str | Sequence[float] | None = None,
        pooling: str | None = None,
        precision: str = EmbedOptions.precision,
        log_probability: bool = EmbedOptions.log_probability,
    ) -> "Embedded":
        """Read the hidden states of samples that lack vectors of these layers and poolings. Raises QprobeError.

        A causal model of transformers also gives their log-probabilities to samples that have none.
        """
        from harness.stages.api_cost import embedding_cost
        from harness.stages.log_probabilities import embed_samples

        EmbedOptions(pooling=pooling, precision=precision)  # type: ignore[arg-type] # which raises where they are wrong
        reader = (model.here if self.cluster else model).embedder(layers, pooling)
        text = layers if layers is None or isinstance(layers, str) else ",".join(str(layer) for layer in layers)
        settings = {"embedder": model.name, "layers": text, "pooling": pooling, "precision": precision}
        if cost := embedding_cost(self.store, model.name, reader.identity, precision):
            self.progress.message(cost)
        with self._recorded("embed", {**settings, "device": model.device}), ExitStack() as stack:
            embedded = embed_samples(
                self.store,
                reader,
                self.progress,
                precision,  # type: ignore[arg-type]
                log_probability=log_probability,
                elsewhere=self._reading(model, stack),
            )
        self.progress.message(f"Embedded {embedded.new:,} samples; {embedded.reused:,} had vectors already.")
        if embedded.cut:
            self.progress.message(
                f"{embedded.cut:,} samples exceed the model's context: the beginning of their prompt was cut."
            )
        return embedded

    def _reading(self, model: Model, stack: ExitStack) -> "Callable[[Embedder], ClusterEmbedder] | None":
        """Return what puts an embedder on the nodes of the cluster, until the stack closes; None without a cluster."""
        cluster = self.cluster
        if cluster is None or not model.is_local:
            return None
        return lambda embedder: stack.enter_context(cluster.embedder(embedder, model.device))

    def probe(self, objectives: Sequence[str] = (), options: ProbeOptions | None = None) -> "CrossValidation":
        """Cross-validate probes by problem, and keep one per objective. Raises QprobeError where a stage is missing."""
        from harness.probes.folds import DEFAULT_FOLDS

        options = options or ProbeOptions()
        if objectives:
            options = replace(options, objectives=tuple(objectives))
        with self._recorded("probe", settings_of(options, ProbeOptions)) as work:
            probed = self._probe(options)
            work.is_done = probed.reused
        result = probed.result
        folds = int(result.fold_P.max()) + 1
        if options.folds is None and folds < DEFAULT_FOLDS:
            self.progress.message(
                f"So few problems make {folds} folds instead of {DEFAULT_FOLDS}: the figures are not certain."
            )
        verb = "Probes exist already:" if probed.reused else "Trained"
        self.progress.message(f"{verb} {len(result.objectives)} objectives on {folds} folds.")
        return result

    def _probe(self, options: ProbeOptions) -> "Probed":
        from harness.stages.probe import probe_by

        return probe_by(self.store, options, options.named_objectives, progress=self.progress)

    def report(
        self,
        ks: Sequence[int] | None = None,
        *,
        greedy: str | Path | None = None,
        scores: Sequence[str | Path] = (),
    ) -> "Report":
        """Return the figures of the run. Raises QprobeError.

        `greedy` is a run of one greedy sample per problem, `scores` are files with a score per sample, for more rows.
        """
        from harness.reports.build import report
        from harness.reports.given_scores import with_scores
        from harness.reports.inputs import read_inputs
        from harness.reports.render.display import PrintableReport

        inputs = with_scores(read_inputs(self.store), [Path(file) for file in scores])
        return PrintableReport.of(report(inputs, ks, self._greedy_rewards(greedy)))

    def write_report(
        self,
        ks: Sequence[int] | None = None,
        *,
        greedy: str | Path | None = None,
        scores: Sequence[str | Path] = (),
    ) -> Path:
        """Write the report into the run's folder in every format, and return the page. Raises QprobeError."""
        from harness.reports.build import report_and_page
        from harness.reports.render.files import write_report

        files = [Path(file) for file in scores]
        result, data = report_and_page(self.store, ks, self._greedy_rewards(greedy), files)
        write_report(result, data, self.folder)
        return self.folder / "report.html"

    def _greedy_rewards(self, run: str | Path | None) -> dict[str, float] | None:
        from harness.reports.greedy_baseline import greedy_rewards

        return greedy_rewards(Path(run), self.store.about.benchmark) if run else None

    def samples_table(self) -> SamplesTable:
        """Return one row per sample: verdict, cost, text, program, and the scores where there are current probes."""
        return samples_table(self.store, scores_if_current(self.store))

    @contextmanager
    def _recorded(self, stage: str, settings: Mapping[str, Any]) -> Iterator["_Work"]:
        """Leave a stage's settings and provenance in the run when it has ended well, unless it had nothing to do."""
        before, started, work = count(self.store, stage), time.monotonic(), _Work()
        yield work
        idle = work.is_done or (stage in WORK_OF and count(self.store, stage) == before)
        if not (idle and is_noted(self.store, stage, settings)):
            note_stage(self.store, stage, settings, seconds=time.monotonic() - started, before=before)
        keep_config(self.folder, settings)
