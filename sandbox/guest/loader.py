"""Loads the guest from memory. The host sends this file first, then calls `start` with everything else.

The guest travels with each start instead of living in the image, so that any image with a Python interpreter will do.
"""

import importlib
import importlib.machinery
import os
import sys
from types import ModuleType
from typing import Any


class _Sources:
    """Finds the modules of one package in a dict of sources.

    A finder and a loader without their base classes: `importlib.abc` imports fifty modules, and every fork would pay.
    """

    def __init__(self, package: str, sources: dict[str, str]) -> None:
        self._package = package
        self._sources = sources

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != self._package or (name or "__init__") not in self._sources:
            return None
        loader: Any = self
        return importlib.machinery.ModuleSpec(fullname, loader, is_package=not name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.partition(".")[2] or "__init__"
        exec(compile(self._sources[name], f"<guest/{name}.py>", "exec", dont_inherit=True), module.__dict__)


def start(sources: dict[str, str], settings: dict[str, Any]) -> None:
    """Load the guest and serve until the host is gone; or, in a process forked from there, run a whole program."""
    # Never the current folder: a candidate can write there what its examiner would import.
    sys.path[:] = [folder for folder in (*sys.path, *_package_folders()) if folder and os.path.isdir(folder)]  # noqa: PTH112
    finder: Any = _Sources("guest", sources)
    sys.meta_path.insert(0, finder)
    _import_random()
    isolation = importlib.import_module("guest.isolation")
    plain = importlib.import_module("guest.plain")
    runner = importlib.import_module("guest.runner")
    supervisor = importlib.import_module("guest.supervisor")
    importlib.import_module("guest.endless").Finder.present = sys.meta_path.pop(0)
    _stay_on_one_processor(settings["place"])
    inlet, outlet = supervisor.quiet_streams()
    if settings["kind"] == "container":
        chosen = isolation.ContainerIsolation(settings["uid"], settings["folders"])
    else:
        chosen = plain.PlainIsolation(settings["folder"], settings["loopback"])
    programs = []
    try:
        supervisor.serve(inlet, outlet, chosen)
    except runner.StartProgram as program:
        programs.append((program.code, program.names))
    if programs:  # outside of the exception, which holds the frames of the guest
        runner.run_program(programs)


def _stay_on_one_processor(place: int | None) -> None:
    """Its processes take turns anyway, and waking one on another processor costs more than most calls."""
    if place is not None:
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {allowed[place % len(allowed)]})


def _import_random() -> None:
    """Import `random` without its hook, which draws a new seed after every fork.

    That takes longer than most programs run, and a candidate's generator is seeded anyway.
    """
    register = os.register_at_fork
    os.register_at_fork = _register_nothing
    try:
        importlib.import_module("random")
    finally:
        os.register_at_fork = register


def _register_nothing(**_hooks: Any) -> None:
    return None


def _package_folders() -> list[str]:
    """The folders of an image's extra packages; `site`, which would look for them, is not loaded."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [f"{sys.prefix}/lib/{version}/site-packages", f"{sys.prefix}/local/lib/{version}/dist-packages"]
