"""A stage leaves behind in the run's folder what it was asked and what did it."""

import time
import tomllib
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec

from harness.commands.config import settings_of
from harness.commands.toml import toml_text
from harness.runs.atomic import atomic_write
from harness.runs.provenance import CONFIG_FILE, count, note_stage

Arguments = ParamSpec("Arguments")
HEAD = "# What made this run. qprobe run THIS_FILE goes on with it; --set folder=NEW does it all again there.\n"


def recorded(stage: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Make a stage's command add its settings to the run's config.toml, and a line to its provenance, when done."""

    @wraps(stage)
    def run_and_record(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        bound = signature(stage).bind(*args, **kwargs)
        bound.apply_defaults()
        run, name = bound.arguments["run"], stage.__name__.rstrip("_")
        before, started = count(run, name), time.monotonic()
        stage(*args, **kwargs)
        settings = settings_of(stage, bound.arguments)
        settings.pop("run")
        note_stage(run, name, settings, seconds=time.monotonic() - started, before=before)
        keep_config(run, settings)

    return run_and_record


def keep_config(run: Path, settings: Mapping[str, Any]) -> None:
    """Write settings into the run's config.toml, over those of an earlier command."""
    path = run / CONFIG_FILE
    known = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"folder": str(run)}
    text = HEAD + toml_text({**known, **settings})
    with atomic_write(path) as draft:
        draft.write_text(text, encoding="utf-8")
