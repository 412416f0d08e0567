"""The command for preferences: probes on pairs of replies, and their report."""

from typing import TYPE_CHECKING

from harness.commands import options as args
from harness.commands.options import with_options
from harness.commands.terminal import Terminal
from harness.errors import QprobeError
from harness.stages.options import PreferenceOptions

if TYPE_CHECKING:
    from harness.reports.preferences import PreferenceReport
    from harness.runs.store import Store


@with_options(PreferenceOptions, required=False)
def preferences(
    run: args.Run,
    options: PreferenceOptions,
    json: args.Json = False,
    quiet: args.Quiet = False,
    format_name: args.Format = "table",
    full: args.Full = False,
) -> None:
    """Train probes on pairs of replies that people preferred, with cross-validation by prompt, and report accuracy."""
    from harness.runs.store import Store
    from harness.stages.preferences import run_preferences

    terminal = Terminal(quiet=quiet)
    if options.pairs is None and not run.exists():
        raise QprobeError(f"There is no run {run}: give --pairs SET and --embedder MODEL to make one.")
    with Store(run, create=options.pairs is not None) as store:
        run_preferences(store, options, terminal)
        show_preferences(store, terminal, "json" if json else format_name, full=full)


def show_preferences(store: "Store", terminal: Terminal, form: str, *, full: bool = False) -> None:
    """Print the report of a run of pairs in one of the forms of `--format`, and write all of them into the run."""
    from harness.reports.preferences import preference_report
    from harness.reports.render.preference_files import write_preferences
    from harness.runs.reading import is_read_only

    report = preference_report(store)
    print_preferences(report, terminal, form, full=full)
    if is_read_only(store.folder):
        terminal.message(f"{store.folder} cannot be written to, so there is no report.html.")
        return
    write_preferences(report, store.folder)
    if form == "table":
        terminal.message(f"To look at: {store.folder}/report.html. As files: report.json, .md, .tex, .csv, .svg.")


def print_preferences(report: "PreferenceReport", terminal: Terminal, form: str, *, full: bool = False) -> None:
    """Print a report on pairs in one of the forms of `--format`."""
    from harness.reports.render.preferences import FORMATS
    from harness.reports.render.preferences import terminal as terminal_text

    if form == "table":
        terminal.out.print(terminal_text(report, full=full))
    else:
        print(FORMATS[form](report).rstrip("\n"))
