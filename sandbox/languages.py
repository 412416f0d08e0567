"""Checks that a sandbox can run stdin/stdout programs of a language: the image decides, and a greeting tells."""

from collections.abc import Iterable

from sandbox.cases import Case, program_tests
from sandbox.guest.languages import LANGUAGES
from sandbox.job import Job, Sandbox, SandboxError, Status


def check_languages(sandbox: Sandbox, names: Iterable[str]) -> None:
    """Raise SandboxError, saying what to do, where programs of one of these languages cannot be run."""
    tests = program_tests([Case("", "ready")])
    jobs = [Job(name, LANGUAGES[name].greeting, tests, language=name) for name in names]
    for job, outcome in sandbox.run(jobs):
        if outcome.status is not Status.PASSED:
            why = outcome.detail or outcome.status
            raise SandboxError(
                f"Programs in {job.language} cannot be run here ({why}). An image that can is made by qprobe sandbox "
                f"build --language {job.language}, and named with --image."
            )
