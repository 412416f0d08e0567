"""The pipeline: samples, verdicts, vectors, probes, report. The command line and the library both run this."""

from dataclasses import replace
from pathlib import Path

from harness.models.model import Model
from harness.probes.folds import check_folds
from harness.stages.options import GenerateOptions, PipelineOptions
from harness.stages.problems import Problems, load_benchmark
from harness.stages.run import Run


def run_pipeline(run: Run, options: PipelineOptions) -> None:
    """Check every option, then do whatever the run does not hold yet; `run.report()` then has the figures.

    Raises QprobeError, BenchmarkError or SandboxError with what to do; everything done until then is kept.
    """
    from harness.stages.preflight import check_pipeline

    check_pipeline(run.folder, options)
    run_stages(run, options)


def run_stages(run: Run, options: PipelineOptions) -> None:
    """Do whatever of the pipeline the run does not hold yet, with options that were checked."""
    problems, model = problems_of(options), model_of(options)
    if options.samples:
        run.import_samples(problems, options.samples, format=options.format)
        prompts = {problem.id: problem.prompt for problem in run.store.problems()}
        check_folds(prompts, options.folds, group_duplicates=options.group_duplicates)
    else:
        run.generate(problems, model, k=options.k, seed=options.seed, prompt=options.prompt, greedy=options.greedy)
    run.grade(options=options)
    run.embed(reader_of(options), layers=options.layers, pooling=options.pooling, precision=options.precision)
    run.probe(options=options)


def problems_of(options: PipelineOptions) -> Problems:
    """Return the problems that the options choose; samples from a file may be of any split."""
    split, limit = (None, None) if options.samples else (options.split, options.limit)
    return load_benchmark(options.benchmark, split=split, limit=limit, errata=options.errata)


def model_of(options: GenerateOptions) -> Model:
    """Return the model that writes the samples."""
    return Model(options.model, options.adapter, options.sampling, options.batch_size, options.device)


def reader_of(options: PipelineOptions) -> Model:
    """Return the model whose hidden states are read: the one that writes, unless another is named."""
    model = model_of(options)
    return replace(model, spec=options.embedder, adapter=None) if options.embedder else model


def default_folder(options: PipelineOptions) -> Path:
    """Return results/BENCHMARK-SOURCE, named by the last parts of both."""
    from harness.models.registry import ENGINES
    from harness.models.spec import parse_spec

    source = options.samples
    name = source.name.split(".")[0] if source else Path(parse_spec(options.model, tuple(ENGINES)).name).name
    return Path("results") / f"{Path(options.benchmark.partition(':')[0]).name.split('.')[0]}-{name}"
