"""The pipeline: samples, verdicts, vectors, probes, report. The command line and the library both run this.

Without a model that reads the samples, it ends with the verdicts.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from benchmarks import Problem
from benchmarks.data_files import sha256, user_path
from harness.errors import OneSidedError
from harness.models.engine import Embedder
from harness.models.model import Model
from harness.runs.store import Store
from harness.stages.options import EmbedOptions, GenerateOptions, PipelineOptions, Precision
from harness.stages.problems import Problems, load_benchmark
from harness.stages.run import Run
from harness.stages.shards import shard_of, with_block


def run_pipeline(run: Run, options: PipelineOptions) -> None:
    """Check every option, then do whatever the run does not hold yet; `run.report()` then has the figures.

    Raises QprobeError, BenchmarkError or SandboxError with what to do; everything done until then is kept.
    """
    from harness.stages.preflight import check_pipeline

    with run.on_cluster(options.ray) if options.ray and not run.cluster else nullcontext():
        check_pipeline(run.folder, options, cluster=run.cluster)
        run_stages(run, options)


def run_stages(run: Run, options: PipelineOptions) -> None:
    """Do whatever of the pipeline the run does not hold yet, with options that were checked.

    A shard ends with its vectors: what follows needs all problems.
    """
    problems = problems_of(options)
    if options.samples:
        run.import_samples(problems, options.samples, format=options.format, complete=options.complete)
        if trains_probes(options):
            check_fold_count(run.store.problems(), options)
    else:
        model = reader_of(options).here if run.cluster else reader_of(options)
        reader = model.embedder(options.layers, options.pooling) if trains_probes(options) else None
        draw_samples(run, problems, options, reader, options.precision)
    run.grade(options=replace(options, regrade=0) if options.shard else options)
    learns = trains_probes(options) and (bool(options.shard) or _can_learn(run))
    if learns:
        run.embed(
            reader_of(options),
            layers=options.layers,
            pooling=options.pooling,
            precision=options.precision,
            log_probability=options.log_probability,
        )
    if learns and not options.shard:
        _probe(run, options)


def draw_samples(
    run: Run,
    problems: Problems,
    options: GenerateOptions,
    reader: Embedder | None,
    precision: Precision = EmbedOptions.precision,
) -> None:
    """Draw the samples that the options ask for, and capture what `reader` reads."""
    run.generate(
        problems,
        model_of(options),
        k=options.k,
        seed=options.seed,
        prompt=options.prompt,
        greedy=options.greedy,
        block=with_block(options).block,
        reader=reader,
        precision=precision,
    )


def check_fold_count(problems: Iterable[Problem], options: PipelineOptions) -> None:
    """Raise ProbeError for fewer problems than the folds need."""
    from harness.probes.folds import check_folds

    check_folds(len(list(problems)), options.folds)


def trains_probes(options: PipelineOptions) -> bool:
    """Return True where probes are wanted and a model reads the samples: --embedder, or the hf: model that writes."""
    return options.probes and bool(options.embedder or options.model.startswith("hf:"))


def _can_learn(run: Run) -> bool:
    """Return True where some samples pass and some fail; else say that nothing can be learnt."""
    verdicts = run.store.verdicts(run.store.about.grader or "").values()
    rewards = {outcome.reward for outcome in verdicts} - {None}
    if len(rewards) < 2:
        lack = "No sample fails" if 1.0 in rewards else "No sample passes"
        run.progress.message(f"WARNING: {lack}: probes have nothing to learn from, and none are trained.")
    return len(rewards) == 2


def _probe(run: Run, options: PipelineOptions) -> None:
    """Train probes, unless a fold has nothing to learn from: the report then has the other figures."""
    try:
        run.probe(options=options)
    except OneSidedError as error:
        run.progress.message(f"WARNING: no probes are trained. {error}")


def problems_of(options: PipelineOptions) -> Problems:
    """Return the problems that the options choose; samples from a file may be of any split.

    Raises QprobeError for a benchmark whose replies are no programs.
    """
    from harness.stages.grade import refuse_pairs

    refuse_pairs(options.benchmark)
    split, limit = (None, None) if options.samples else (options.split, options.limit)
    problems = load_benchmark(options.benchmark, split=split, limit=limit, errata=options.errata)
    return problems if options.samples else shard_of(problems, options)


def model_of(options: GenerateOptions) -> Model:
    """Return the model that writes the samples."""
    by_prompt = options.max_new_tokens is None
    return Model(
        options.model,
        options.adapter,
        options.sampling,
        options.batch_size,
        options.device,
        limited_by_prompt=by_prompt,
    )


def reader_of(options: PipelineOptions) -> Model:
    """Return the model whose hidden states are read: the one that writes, unless another is named."""
    model = model_of(options)
    return (replace(model, spec=options.embedder, adapter=None) if options.embedder else model).at(options.location)


def default_folder(options: PipelineOptions) -> Path:
    """Return results/BENCHMARK-SOURCE, named by the last parts of both, and by a digest where another file has it."""
    from harness.models.registry import ENGINES
    from harness.models.spec import parse_spec

    source = options.samples
    name = source.name.split(".")[0] if source else Path(parse_spec(options.model, tuple(ENGINES)).name).name
    folder = Path("results") / f"{Path(options.benchmark.partition(':')[0]).name.split('.')[0]}-{name}"
    return _free_folder(folder, user_path(source)) if source else folder


def _free_folder(folder: Path, samples: Path) -> Path:
    """Return the folder, or one named by the samples' digest too where it holds those of another file."""
    if not (folder / "run.sqlite").is_file() or not samples.exists():
        return folder
    with Store(folder, read_only=True) as store:
        held = store.about.source
    digest = sha256(samples)
    return folder if held and held.sha256 == digest else folder.with_name(f"{folder.name}-{digest[:8]}")
