"""qprobe: sample programs from a language model, grade them in sandboxes, probe its hidden states, report pass@1.

    import qprobe as qp

    problems = qp.load_benchmark("mini", limit=30)
    model = qp.load_model("hf:Qwen/Qwen2.5-Coder-1.5B")
    with qp.Run("results/first") as run:
        run.generate(problems, model, k=8)
        run.grade(sandbox="docker")
        run.embed(model, layers=[0.8])
        run.probe(["mse", "pg"])
        print(run.report())

Names are imported when they are first used, so that `import qprobe` loads neither torch nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from qprobe._packages import claim_packages

if TYPE_CHECKING:
    from benchmarks.problem import Benchmark as Benchmark
    from benchmarks.problem import BenchmarkError as BenchmarkError
    from benchmarks.problem import Problem as Problem
    from harness.errors import QprobeError as QprobeError
    from harness.models.engine import View as View
    from harness.models.model import Model as Model
    from harness.models.model import load_model as load_model
    from harness.probes.crossvalidation import cross_validate as cross_validate
    from harness.probes.probe import Probe as Probe
    from harness.probes.probe import load_probe as load_probe
    from harness.probes.samples import Samples as Samples
    from harness.reports.compare import compare as compare
    from harness.reports.report import Report as Report
    from harness.runs.completion import Completion as Completion
    from harness.stages.options import GradeOptions as GradeOptions
    from harness.stages.options import PipelineOptions as PipelineOptions
    from harness.stages.options import ProbeOptions as ProbeOptions
    from harness.stages.pipeline import run_pipeline as run_pipeline
    from harness.stages.problems import load_benchmark as load_benchmark
    from harness.stages.run import Run as Run
    from harness.stages.values import embed as embed
    from harness.stages.values import generate as generate
    from harness.stages.values import grade as grade
    from sandbox.factory import open_sandbox as open_sandbox
    from sandbox.job import Outcome as Outcome
    from sandbox.job import SandboxError as SandboxError

_MODULES = {
    "Benchmark": "benchmarks.problem",
    "BenchmarkError": "benchmarks.problem",
    "Completion": "harness.runs.completion",
    "GradeOptions": "harness.stages.options",
    "Model": "harness.models.model",
    "Outcome": "sandbox.job",
    "PipelineOptions": "harness.stages.options",
    "Probe": "harness.probes.probe",
    "ProbeOptions": "harness.stages.options",
    "Problem": "benchmarks.problem",
    "QprobeError": "harness.errors",
    "Report": "harness.reports.report",
    "Run": "harness.stages.run",
    "Samples": "harness.probes.samples",
    "SandboxError": "sandbox.job",
    "View": "harness.models.engine",
    "compare": "harness.reports.compare",
    "cross_validate": "harness.probes.crossvalidation",
    "embed": "harness.stages.values",
    "generate": "harness.stages.values",
    "grade": "harness.stages.values",
    "load_benchmark": "harness.stages.problems",
    "load_model": "harness.models.model",
    "load_probe": "harness.probes.probe",
    "open_sandbox": "sandbox.factory",
    "run_pipeline": "harness.stages.pipeline",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_MODULES)

claim_packages()


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'qprobe' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__]
