"""The command line: `qprobe COMMAND`. This file decides how every command ends.

Exit status: 0 done; 1 user error, with a one-line fix; 3 internal error, with a log; 130 interrupted by ^C.
"""

import errno
import sqlite3
import sys
from typing import Annotated

import typer

from harness import __version__
from harness.commands import benchmarks as catalogue
from harness.commands import compare as comparison
from harness.commands import look, merging, preferences, probes, stages, training
from harness.commands import pairs as preference_data
from harness.commands import reproduce as reproduction
from harness.commands import run as experiment
from harness.commands import sandbox as inspection
from harness.commands import win_rate as best_of_k
from harness.commands.config import RENAMED
from harness.commands.options import GroupedCommand
from harness.errors import QprobeError
from harness.secrets import redacted

app = typer.Typer(
    name="qprobe",
    help="Sample programs from a language model, run their tests in sandboxes, probe its hidden states, report pass@1.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    """The callback of --version."""
    if wanted:
        print(f"qprobe {__version__}")
        raise typer.Exit


@app.callback()
def everything(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="write a detailed log into this folder")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="print the version")
    ] = False,
) -> None:
    """Options before the command."""
    if verbose:
        from harness.commands.log import open_log

        print(f"Logging to {open_log()}.", file=sys.stderr)


app.command()(experiment.demo)
app.command(cls=GroupedCommand)(experiment.run)
app.command(name="eval", cls=GroupedCommand)(experiment.evaluate)
app.command(cls=GroupedCommand)(stages.generate)
app.command(name="import", cls=GroupedCommand)(stages.import_)
app.command(cls=GroupedCommand)(stages.extract)
app.command(cls=GroupedCommand)(stages.grade)
app.command(cls=GroupedCommand)(stages.embed)
app.command(cls=GroupedCommand)(stages.probe)
app.command(cls=GroupedCommand)(stages.report)
app.command()(look.show)
app.command()(comparison.compare)
app.command(cls=GroupedCommand)(stages.export)
app.command()(merging.merge)
app.command(cls=GroupedCommand)(probes.transfer)
app.command(cls=GroupedCommand)(probes.rank)
app.command(cls=GroupedCommand)(training.finetune)
app.command()(training.score)
app.command(cls=GroupedCommand)(preferences.preferences)
app.command()(best_of_k.win_rate)
app.add_typer(catalogue.benchmarks)
app.add_typer(preference_data.pairs)
app.add_typer(reproduction.reproduce)
app.add_typer(inspection.sandbox)


def main() -> None:
    """Run the command line and exit."""
    sys.argv[1:] = [_current(argument) for argument in sys.argv[1:]]
    try:
        app()
    except SystemExit as end:
        sys.exit(_status(end.code))
    except KeyboardInterrupt:
        sys.exit(_status(130))
    except QprobeError as error:
        sys.exit(_complain(str(error)))
    except (OSError, sqlite3.Error) as error:
        sys.exit(_complain(text) if (text := _disk_trouble(error) or _damage(error)) else _internal_error(error))
    except Exception as error:  # noqa: BLE001 - the edge: anything else is a bug in qprobe, and is logged
        sys.exit(_internal_error(error))


def _current(argument: str) -> str:
    """Return an argument with the present name of its option."""
    option, equals, value = argument.partition("=")
    prefix = "--no-" if option.startswith("--no-") else "--"
    name = option.removeprefix(prefix).replace("-", "_") if option.startswith("--") else ""
    return (prefix + RENAMED[name].replace("_", "-") if name in RENAMED else option) + equals + value


def _status(code: object) -> int:
    if code == 130:
        print("\nInterrupted. Finished work is kept: rerun the same command to resume.", file=sys.stderr)
    # typer's status for a wrong flag is 2; the one for user errors is 1
    return 1 if code == 2 or isinstance(code, str) else int(code or 0)  # type: ignore[call-overload]


def _complain(text: str) -> int:
    print(f"qprobe: {redacted(text)}", file=sys.stderr)
    return 1


def _disk_trouble(error: OSError | sqlite3.Error) -> str:
    """One sentence for a disk that is full or read-only; "" for any other error."""
    if "full" in str(error) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space and rerun the same command; finished work is kept."
    if "disk I/O error" in str(error):  # SQLite's word for a full disk too, where it cannot map its index
        return "The disk is full or failing: fix it and rerun the same command; finished work is kept."
    if "readonly" in str(error) or getattr(error, "errno", None) == errno.EROFS:
        return "The run's folder cannot be written to."
    return ""


def _damage(error: OSError | sqlite3.Error) -> str:
    """One sentence for a database that is damaged; "" for any other error."""
    from harness.runs.untrusted import damage

    reason = damage(error) if isinstance(error, sqlite3.Error) else ""
    return reason and f"The run's database is damaged ({reason}): put a copy in its place, or use another run folder."


def _internal_error(error: Exception) -> int:
    from harness.commands.log import log_internal_error

    text = redacted(f"{type(error).__name__}: {error}")
    print(f"qprobe: internal error ({text}). Please report it with {log_internal_error(error)}.", file=sys.stderr)
    return 3


if __name__ == "__main__":
    main()
