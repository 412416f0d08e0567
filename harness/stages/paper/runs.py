"""The runs that rows of the paper need, each made once in its own folder; a rerun does what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import copytree

from harness.errors import QprobeError
from harness.models.model import Model
from harness.models.sampling import Sampling
from harness.progress import SILENT, Progress
from harness.reports.build import report
from harness.reports.given_scores import with_scores
from harness.reports.inputs import read_inputs
from harness.rewards.scorer import open_scorer
from harness.runs.problem_sets import load_set
from harness.runs.store import Store
from harness.stages.finetune import finetune
from harness.stages.finetune_options import FinetuneOptions
from harness.stages.options import GradeOptions, from_settings, settings_of
from harness.stages.paper.options import PaperOptions
from harness.stages.problems import load_benchmark
from harness.stages.run import Run
from harness.stages.score import score
from harness.stages.transfer import FOLDER as TRANSFER
from harness.stages.transfer import transfer
from sandbox import try_sandbox

TRAIN = "train"
BASE, FEW, SFT, API = "", "few-", "sft-", "api-"
"""The beginnings of the names of the runs of each model and prompt."""
SHOTS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over problems with its 95 % interval."""

    value: float
    low: float
    high: float


def check_model(options: PaperOptions) -> None:
    """Raise QprobeError unless the model can be read too."""
    if not options.model.startswith("hf:"):
        raise QprobeError("--model is a model of transformers, which is read too: hf:FOLDER or hf:HUB_ID.")


class PaperRuns:
    """The runs of a reproduction in a folder."""

    def __init__(self, folder: Path, options: PaperOptions, progress: Progress = SILENT) -> None:
        self.folder, self.options, self.progress = folder, options, progress
        self.test_names = tuple(Path(name.partition(":")[0]).name.split(".")[0] for name in options.test_benchmarks)
        # each result is made once per command
        self.run = cache(self._run)
        self.adapter = cache(self._adapter)
        self.figures = cache(self._figures)
        self.transferred = cache(self._transferred)

    def check(self) -> None:
        """Raise an error for what every row would fail at: the model, the data, or the sandbox."""
        options = self.options
        check_model(options)
        options.refuse_unread()
        for split in options.train_splits:
            load_benchmark(options.train_benchmark, split=split)
        for benchmark in options.test_benchmarks:
            load_benchmark(benchmark)
        self.model(BASE).engine()
        self.reader(BASE, "res").embedder(options.layers, None)
        try_sandbox(options.sandbox, options.image, runtime=options.runtime)

    @property
    def facts(self) -> list[str]:
        """The lines that a reader needs before those of the rows."""
        options = self.options
        return [
            f"Ours: {options.model}, {options.k} samples per test problem and {options.train_k} per training problem"
            f"{'' if options.limit is None else f', the first {options.limit} problems of each test set'}"
            f"{'' if options.train_limit is None else f', the first {options.train_limit} of each training split'}. "
            "Paper: Code-LLaMA-7B; the rows of an API gpt-3.5-turbo; 48 and 200 samples.",
            "The difference is between two models; its interval is over our problems, the paper's figure taken as "
            "exact.",
            "Code: whether the paper's public code has the row. In parentheses: what the paper and its code leave "
            "open, so that it had to be chosen. No API: give --api-model, and --api-embedder. No files: give "
            "--codet-samples and --codet-tests.",
        ]

    # -- models and prompts --------------------------------------------------------------------------------------

    def model(self, kind: str) -> Model:
        """Return the model that writes the runs of a kind. Raises QprobeError where it was not given."""
        options = self.options
        if kind == API and not options.api_model:
            raise QprobeError("no API")
        sampling = Sampling(max_new_tokens=options.max_new_tokens)
        spec = options.api_model if kind == API else options.model
        adapter = str(self.adapter("sft")) if kind == SFT else None
        return Model(spec, adapter, sampling, options.batch_size, options.device)

    def prompt(self, kind: str) -> str:
        """Return the prompt of the runs of a kind; few-shot prompts show passing samples of the training run."""
        if kind == API:
            return self.options.api_prompt
        return f"successes-{SHOTS}:{self.run(BASE + TRAIN)}" if kind == FEW else "paper"

    def reader(self, kind: str, location: str) -> Model:
        """Return the model whose hidden states are read; `location` "server" is that of an embeddings API."""
        if location == "server":
            if not self.options.api_embedder:
                raise QprobeError("no API")
            return Model(self.options.api_embedder, device=self.options.device)
        return (self.model(BASE) if kind == API else self.model(kind)).at(location)

    # -- stages --------------------------------------------------------------------------------------------------

    def _run(self, name: str) -> Path:
        """Draw and grade the samples of a run, greedy ones too, and return its folder."""
        kind = next((kind for kind in (FEW, SFT, API) if name.startswith(kind)), BASE)
        what, options = name.removeprefix(kind), self.options
        is_train = what == TRAIN
        benchmark = options.train_benchmark if is_train else options.test_benchmarks[self.test_names.index(what)]
        model, prompt = self.model(kind), self.prompt(kind)
        reader = None if kind == API else self.reader(kind, "res").embedder(options.layers, None)
        limit = options.train_limit if is_train else options.limit
        with Run(self.folder / name, progress=self.progress) as run:
            for split in options.train_splits if is_train else ("test",):
                self.progress.message(f"{name}: {benchmark}, {split}.")
                run.generate(
                    load_benchmark(benchmark, split=split, limit=limit),
                    model,
                    k=options.train_k if is_train else options.k,
                    seed=options.seed,
                    prompt=prompt,
                    greedy=not is_train,
                    reader=reader,
                )
            run.grade(options=from_settings(GradeOptions, settings_of(options)))
        return self.folder / name

    def _adapter(self, method: str) -> Path:
        """Train the adapter of a method on the training run, and return its folder."""
        options = FinetuneOptions(
            method=method,
            model=self.options.model,
            epochs=self.options.epochs,
            seed=self.options.seed,
            device=self.options.device,
        )
        with Store(self.run(BASE + TRAIN)) as store:
            return finetune(store, options, self.progress)[0]

    def scores(self, test: str, method: str) -> Path:
        """Score the samples of a test run by a reward model, and return the file."""
        model = self.options.judge or self.options.model
        if method == "classifier":
            model = f"{self.options.model},adapter={self.adapter('reward')}"
        with Store(self.run(test)) as store:
            scorer = open_scorer(method, model, device=self.options.device)
            return score(store, scorer, method, model, progress=self.progress)[0]

    # -- figures -------------------------------------------------------------------------------------------------

    def figure(self, name: str, row: str) -> Figure:
        """Return one row of a test run's report. Raises QprobeError where the run has too few samples for it."""
        figures = self.figures(name)
        if row not in figures:
            raise QprobeError(f"no {row}: k is {self.options.k}")
        return figures[row]

    def _figures(self, name: str, methods: Sequence[str] = ()) -> Mapping[str, Figure]:
        """Return the rows of a test run's report, those of reward models among them, and pass@k at the paper's k."""
        folder = self.run(name)
        files = [self.scores(name, method) for method in methods]
        with Store(folder, read_only=True) as store:
            inputs = with_scores(read_inputs(store, probes=False), files)
            most = inputs.samples_per_problem[1]
            made = report(inputs, [k for k in (1, 10, 48) if k <= most])
        rows = {row.name: Figure(row.value, row.low, row.high) for row in made.rows}
        return rows | {f"pass@{one.k}": Figure(one.value, one.low, one.high) for one in made.pass_at_k}

    def _transferred(self, kind: str, location: str = "res") -> Mapping[str, Mapping[str, Figure]]:
        """Train probes on the training run of a kind, and return their figures by test and objective."""
        reader = self.reader(kind, location)
        names = [kind + name for name in (TRAIN, *self.test_names)]
        for name in names:
            with Run(self.run(name), create=False, progress=self.progress) as run:
                run.embed(reader, layers=None if location == "server" else self.options.layers)
        train, *tests = (load_set(str(self.folder / name)) for name in names)
        made = transfer(
            train,
            tests,
            ("mse", "ce", "pg"),
            preset=self.options.preset,
            seed=self.options.seed,
            progress=self.progress,
        )
        # the next location's probes are written over these
        copytree(train.folder / TRANSFER, self.folder / "probes" / f"{kind}{location}", dirs_exist_ok=True)
        return {
            name: {row.name: Figure(row.value, row.low, row.high) for row in test.rows}
            for name, test in zip(self.test_names, made.tests, strict=True)
        }

    def codet(self, name: str) -> Figure:
        """Return the figure of CodeT's selection from its authors' samples and tests."""
        samples, tests = self.options.codet_samples, self.options.codet_tests
        if name != "humaneval":
            raise QprobeError("no samples")
        if samples is None or tests is None:
            raise QprobeError("no files")
        problems = load_benchmark("humaneval", split=None)
        with Run(self.folder / "codet", progress=self.progress) as run:
            run.import_samples(problems, samples)
            grading = settings_of(self.options) | {"generated_tests": str(tests)}
            run.grade(options=from_settings(GradeOptions, grading))
            rows = {row.name: row for row in report(read_inputs(run.store, probes=False)).rows}
        return Figure(rows["CodeT"].value, rows["CodeT"].low, rows["CodeT"].high)
