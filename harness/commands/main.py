"""The command line: `qprobe COMMAND`. Every way in which a command can end is decided here.

Exit status: 0 done; 1 for what the user can mend, with one sentence; 3 for a fault of ours, with a log; 130 for ^C.
"""

import errno
import sqlite3
import sys
from typing import Annotated

import typer

from harness.commands import benchmarks as catalogue
from harness.commands import compare as comparison
from harness.commands import probes, stages
from harness.commands import run as experiment
from harness.commands import sandbox as inspection
from harness.errors import USER_ERRORS

app = typer.Typer(
    name="qprobe",
    help="Sample programs from a language model, run their tests in sandboxes, probe its hidden states, report pass@1.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _say_version(asked: bool) -> None:
    """The callback of --version."""
    if asked:
        from importlib.metadata import version

        print(f"qprobe {version('qprobe')}")
        raise typer.Exit


@app.callback()
def everything(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log all there is to know to a file here")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="say the version")
    ] = False,
) -> None:
    """What stands before the command."""
    if verbose:
        from harness.commands.log import open_log

        print(f"Logging to {open_log()}.", file=sys.stderr)


app.command()(experiment.demo)
app.command()(experiment.run)
app.command()(stages.generate)
app.command(name="import")(stages.import_)
app.command()(stages.extract)
app.command()(stages.grade)
app.command()(stages.embed)
app.command()(stages.probe)
app.command()(stages.report)
app.command()(comparison.compare)
app.command()(stages.export)
app.command()(probes.transfer)
app.command()(probes.rank)
app.add_typer(catalogue.benchmarks)
app.add_typer(inspection.sandbox)


RENAMED = {
    "--again": "--regrade",
    "--outputs": "--visible-tests",
    "--overlay": "--errata",
    "--no-overlay": "--no-errata",
    "--cpu-seconds": "--timeout",
    "--time-factor": "--timeout-factor",
    "--min-seconds": "--timeout-min",
    "--max-seconds": "--timeout-max",
}
"""Earlier name of an option -> its name now; scripts written for the earlier names keep working."""


def main() -> None:
    """Run the command line and exit."""
    sys.argv[1:] = [_current(argument) for argument in sys.argv[1:]]
    try:
        app()
    except SystemExit as end:
        sys.exit(_status(end.code))
    except KeyboardInterrupt:
        sys.exit(_status(130))
    except USER_ERRORS as error:
        sys.exit(_complain(str(error)))
    except (OSError, sqlite3.Error) as error:
        sys.exit(_complain(text) if (text := _disk_trouble(error)) else _internal_error(error))
    except Exception as error:  # noqa: BLE001 - the edge: whatever is left is a bug of ours, and is logged
        sys.exit(_internal_error(error))


def _current(argument: str) -> str:
    """Return an argument with the present name of its option."""
    option, equals, value = argument.partition("=")
    return RENAMED.get(option, option) + equals + value


def _status(code: object) -> int:
    if code == 130:
        print("\nInterrupted. What was done is kept: run the same command again to go on.", file=sys.stderr)
    # typer's status for a wrong flag is 2; ours for everything a user can mend is 1
    return 1 if code == 2 or isinstance(code, str) else int(code or 0)  # type: ignore[call-overload]


def _complain(text: str) -> int:
    print(f"qprobe: {text}", file=sys.stderr)
    return 1


def _disk_trouble(error: OSError | sqlite3.Error) -> str:
    """One sentence for a disk that is full or read-only; "" for any other error."""
    if "full" in str(error) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space and run the same command again; what was done is kept."
    if "disk I/O error" in str(error):  # SQLite's word for a full disk too, where it cannot map its index
        return "The disk is full, or fails: mend that and run the same command again; what was done is kept."
    if "readonly" in str(error) or getattr(error, "errno", None) == errno.EROFS:
        return "The run's folder cannot be written to."
    return ""


def _internal_error(error: Exception) -> int:
    from harness.commands.log import log_internal_error

    said = f"{type(error).__name__}: {error}"
    print(f"qprobe: a fault of ours ({said}). Please report it with {log_internal_error(error)}.", file=sys.stderr)
    return 3


if __name__ == "__main__":
    main()
