"""Commands for the sandbox: build, check, clean."""

import json as jsonlib
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from harness.commands import options as args
from harness.commands.options import with_options
from harness.commands.terminal import Terminal
from harness.stages.options import SandboxOptions

sandbox = typer.Typer(name="sandbox", help="Build, check and clean the sandbox.", no_args_is_help=True)


@sandbox.command()
@with_options(SandboxOptions)
def check(options: SandboxOptions, json: args.Json = False) -> None:
    """Check the sandbox's isolation with hostile programs. Exit status 1 where a check fails."""
    from dataclasses import asdict

    from harness.errors import QprobeError
    from sandbox import open_sandbox
    from sandbox.self_check import check_sandbox, walls

    terminal = Terminal()
    for warning in _old_versions(options):
        terminal.message(f"WARNING: {warning}")
    with (
        open_sandbox(options.sandbox, 1, options.image, runtime=options.runtime) as opened,
        terminal.task("Checking", len(walls())) as advance,
    ):
        rows = []
        for row in check_sandbox(opened):
            rows.append(row)
            advance()
    if json:
        print(jsonlib.dumps([asdict(row) for row in rows], indent=1))
    else:
        table = Table("wall", "holds", "what became of the program", box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(row.name, "yes" if row.holds else "NO", row.detail, style=None if row.holds else "bold red")
        terminal.out.print(table)
    if failed := [row.name for row in rows if not row.holds]:
        raise QprobeError(f"{len(failed)} of {len(rows)} walls do not hold: {', '.join(failed)}.")


def _old_versions(options: SandboxOptions) -> list[str]:
    """Return warnings of the versions of every engine, where programs run in containers of the usual runtime."""
    from contextlib import closing

    from sandbox.docker.engine import connect, hosts
    from sandbox.docker.versions import old_versions

    if options.sandbox != "docker" or options.runtime:
        return []
    warnings: list[str] = []
    for host in hosts():
        with closing(connect(host)) as client:
            warnings += old_versions(client)
    return list(dict.fromkeys(warnings))


@sandbox.command()
def build(
    package: Annotated[list[str] | None, typer.Option(help="package that programs may import; repeat for more")] = None,
    language: Annotated[list[str] | None, typer.Option(help="language besides Python: javascript")] = None,
) -> None:
    """Build an image with extra packages or languages. Prints its name, for grade --image."""
    from sandbox import open_sandbox
    from sandbox.docker.image import build_with
    from sandbox.languages import check_languages

    name = build_with(package or [], language or [])
    if language:
        with open_sandbox("docker", workers=1, image=name) as opened:
            check_languages(opened, language)
    print(name)


@sandbox.command()
def gc() -> None:
    """Remove containers left behind by killed runs."""
    from sandbox.docker.leftovers import collect_leftovers

    removed = collect_leftovers()
    Terminal().message(f"Removed {len(removed)} containers{': ' if removed else '.'}{', '.join(removed)}")
