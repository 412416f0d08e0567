"""Disturb small runs in every way at hand, and compare their reports with that of an undisturbed run, byte by byte.

    python -m scripts.torture                             every fault, 300 kills: an hour or so
    python -m scripts.torture --short                     a few of each, without a model, in less than a minute
    python -m scripts.torture --only kills --kills 50 --sandbox docker --seed 3

Prints one line per fault: how often it was inflicted, and how often the run then ended with the same report. Ends with
status 1 where a report differs, a sample is lost or there twice, a command ends without a sentence, or a process or
container stays behind. Full and read-only disks need a user who may mount,
and an engine to be killed one who may start a second Docker daemon.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.mini import MODEL
from harness.runs.reading import is_held
from scripts.second_engine import SecondEngine, can_start
from scripts.torture_commands import Failure, end, is_sentence, refuse, start, succeed, succeeded
from scripts.torture_processes import containers, descendants, docker, kill, outliving, outliving_containers
from scripts.torture_server import FaultyServer, faulty_server

PAGE = 4096
KILLS_OF_A_RUN = 12
JUMPING_CLOCK = """
import random, time
real, days = time.time, random.Random(0)
time.time = lambda: real() + 86_400 * days.uniform(-3, 3)
"""


@dataclass
class Tally:
    """One fault: how often it was inflicted, and the runs that were compared."""

    inflicted: int = 0
    compared: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass
class Torture:
    """A folder for runs, the command that makes one, and the report of an undisturbed one."""

    folder: Path
    sandbox: str
    rng: random.Random
    server: FaultyServer  # draws the samples of runs without a model
    short: bool = False  # all runs are without a model
    seconds: float = 0.0  # that an undisturbed run takes
    report: bytes = b""
    samples: list[dict[str, object]] = field(default_factory=list)

    def command(self, run: Path) -> list[str]:
        """Return the whole pipeline on the bundled model: a few problems, in blocks, so that resumed runs are equal."""
        if self.short:
            return self.server.command(run, self.sandbox)
        options = {
            "benchmark": "mini", "limit": 6, "model": f"hf:{MODEL}", "k": 4, "max-new-tokens": 40, "block": 8,
            "layers": "-1", "objective": "mse", "preset": "paper", "repeats": 1, "folds": 3,
            "sandbox": self.sandbox, "workers": 2, "regrade": 4,
        }  # fmt: skip
        return ["run", str(run), *(word for name, value in options.items() for word in (f"--{name}", str(value)))]

    def new_run(self, name: str) -> Path:
        """Return a run's folder of the one name that all reports have."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)) / "run"

    def undisturbed(self) -> None:
        """Make the run that others are compared with."""
        run, began = self.new_run("undisturbed"), time.monotonic()
        succeed(self.command(run))
        self.seconds = time.monotonic() - began
        self.report, self.samples = report_of(run), samples_of(run)

    def finish(self, run: Path, command: list[str] | None = None) -> None:
        """Run to the end, and compare. Raises Failure."""
        succeed(command or self.command(run))
        compare(run, self.report, self.samples)


def compare(run: Path, report: bytes, samples: list[dict[str, object]]) -> None:
    """Raise Failure where a run has another report or other samples."""
    if (present := samples_of(run)) != samples:
        raise Failure(f"{run} has {len(present)} samples that are not the {len(samples)} of the undisturbed run")
    if report_of(run) != report:
        raise Failure(f"{run}/report.json differs from the undisturbed run's")


def report_of(run: Path) -> bytes:
    return (run / "report.json").read_bytes()


def samples_of(run: Path) -> list[dict[str, object]]:
    """Return the samples with verdicts and scores; times differ from run to run."""
    rows = [json.loads(line) for line in succeed(["export", str(run), "-o", "-", "--format", "jsonl"]).splitlines()]
    return [{name: value for name, value in row.items() if not name.endswith("seconds")} for row in rows]


# -- faults ------------------------------------------------------------------------------------------------------------


def kills(torture: Torture, wanted: int) -> Tally:
    """Kill the driver, a worker or a container at random moments, over as many runs as that takes."""
    tally, kinds = Tally(), Counter({"driver": 0, "container" if torture.sandbox == "docker" else "worker": 0})
    while tally.inflicted < wanted:
        run = torture.new_run("killed")
        for _ in range(min(KILLS_OF_A_RUN, wanted - tally.inflicted)):
            kind = torture.rng.choice(list(kinds))
            if not kill_one(torture, start(torture.command(run)), kind):
                break
            kinds[kind] += 1
            tally.inflicted += 1
        torture.finish(run)
        tally.compared += 1
        shutil.rmtree(run.parent)
        print(f"kills: {tally.inflicted} of {wanted}, {dict(kinds)}", file=sys.stderr, flush=True)
    tally.notes = [f"{name} {count}" for name, count in kinds.items()]
    return tally


def kill_one(torture: Torture, started: "subprocess.Popen[str]", kind: str) -> bool:
    """Kill something of a command, then its driver. Returns False where the command has ended before that.

    Raises Failure where the command ends in any other way, or where it leaves a process or a container.
    """
    if kind == "driver":
        wait(started, torture.rng.uniform(0.2, 1.2 * torture.seconds))
    elif hit := kill_below(torture, started, kind):
        wait(started, torture.rng.uniform(0, torture.seconds / 2))
    if started.poll() is not None:
        succeeded(started)
        return kind != "driver" and hit
    family = descendants(started.pid)
    kill(started.pid)
    started.communicate()
    if left := outliving(family) or outliving_containers(started.pid):
        raise Failure(f"{left} outlived their driver")
    return True


def wait(started: "subprocess.Popen[str]", seconds: float) -> None:
    """Wait so long, or until a command has ended."""
    with suppress(subprocess.TimeoutExpired):
        started.wait(seconds)


def kill_below(torture: Torture, started: "subprocess.Popen[str]", kind: str) -> bool:
    """Kill a worker or a container of a command soon after it is there. Returns False where the command ends first."""
    while started.poll() is None:
        if targets(started.pid, kind):
            wait(started, torture.rng.uniform(0, 0.3))
        if (there := targets(started.pid, kind)) and kill_target(torture.rng.choice(there)):
            return True
        time.sleep(0.05)
    return False


def targets(driver: int, kind: str) -> list[int | str]:
    """Return the workers, by their ids, or the containers of a command."""
    return [*containers(driver)] if kind == "container" else [pid for pid, _ in descendants(driver)]


def kill_target(target: int | str) -> bool:
    """Kill a process or a container; False where it has ended already."""
    return kill(target) if isinstance(target, int) else bool(docker("kill", target))


def engines(torture: Torture, wanted: int) -> Tally:
    """Kill a separate Docker daemon while it runs programs, and start it again."""
    if not can_start():
        return Tally(notes=["left out: this user may not start a second Docker daemon"])
    tally, folder, resumed = Tally(), torture.folder / "engine", 0
    folder.mkdir()
    engine = SecondEngine(folder)
    engine.start()
    environment = {"DOCKER_HOST": engine.host}
    try:
        plain = torture.new_run("plain")
        command = torture.server.command(plain, "docker")
        succeed(command, **environment)
        report, samples = report_of(plain), samples_of(plain)
        for _ in range(wanted):
            run = torture.new_run("engine")
            started = start(torture.server.command(run, "docker"), **environment)
            while started.poll() is None and not containers(started.pid, engine.host):
                time.sleep(0.05)
            wait(started, torture.rng.uniform(0, 1))
            tally.inflicted += started.poll() is None
            engine.kill()
            time.sleep(torture.rng.uniform(0, 3))
            engine.start()
            status, out, err = end(started)
            if status:  # the engine was gone before the first program ran
                is_sentence(status, out, err, "engine|sandbox")
                succeed(torture.server.command(run, "docker"), **environment)
            compare(run, report, samples)
            tally.compared += 1
            resumed += status
    finally:
        engine.stop()
    tally.notes = [f"{resumed} commands ended in a sentence and were resumed"]
    return tally


def disks(torture: Torture, wanted: int) -> Tally:
    """Fill the disk at random moments, and make it read-only, with the run half done."""
    tally = Tally()
    with small_disk(torture.folder / "disk") as disk:
        if disk is None:
            return Tally(notes=["left out: this user may not mount"])
        for _ in range(wanted):
            run = disk / "run"
            started = start(torture.command(run))
            time.sleep(torture.rng.uniform(0.3, 1) * torture.seconds)
            fill = shutil.disk_usage(disk).free
            (disk / "ballast").write_bytes(b"x" * max(0, fill - torture.rng.choice([0, PAGE, 10 * PAGE])))
            status, out, err = end(started)
            if status:
                is_sentence(status, out, err, "disk|written")
            (disk / "ballast").unlink()
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            refuse(torture.command(run), "cannot be written|cannot be made|disk")
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            torture.finish(run)
            shutil.rmtree(run)
            tally.inflicted, tally.compared = tally.inflicted + 2, tally.compared + 1
    return tally


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A separate file system in memory; None where this user may not mount."""
    folder.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(size, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def clocks(torture: Torture, wanted: int) -> Tally:
    """Let the clock of Python jump by up to three days at each look."""
    place = torture.folder / "clock"
    place.mkdir()
    (place / "sitecustomize.py").write_text(JUMPING_CLOCK)
    for _ in range(wanted):
        run = torture.new_run("clock")
        succeed(torture.command(run), FIRST=str(place))
        compare(run, torture.report, torture.samples)
    return Tally(wanted, wanted)


def pages(torture: Torture, wanted: int) -> Tally:
    """Damage the last page of the log that a killed run left, and of a finished run's database."""
    tally, logs = Tally(), 0
    for _ in range(wanted):
        run = torture.new_run("pages")
        started = start(torture.command(run))
        time.sleep(torture.rng.uniform(0.5, 1) * torture.seconds)
        kill(started.pid)
        started.communicate()
        log = run / "run.sqlite-wal"
        if log.is_file() and log.stat().st_size > PAGE:
            damage_last_page(log, torture.rng)
            logs += 1
        torture.finish(run)
        whole = (run / "run.sqlite").read_bytes()
        damage_last_page(run / "run.sqlite", torture.rng)
        status, out, err = end(start(["report", str(run), "--json"]))
        if status:
            is_sentence(status, out, err, "run.sqlite|database")
        elif report_of(run) != torture.report:
            raise Failure(f"{run}: a damaged database gave another report")
        (run / "run.sqlite").write_bytes(whole)
        torture.finish(run)
        tally.inflicted, tally.compared = tally.inflicted + 1, tally.compared + 2
    tally.inflicted += logs
    tally.notes = [f"{logs} logs"]
    return tally


def damage_last_page(file: Path, rng: random.Random) -> None:
    with file.open("r+b") as opened:
        opened.seek(-PAGE, os.SEEK_END)
        opened.write(rng.randbytes(PAGE))


def seconds(torture: Torture, wanted: int) -> Tally:
    """Start a second command on a run that is being made: it is refused, and the first does not mind."""
    for _ in range(wanted):
        run = torture.new_run("two")
        first = start(torture.command(run))
        while not is_held(run) and first.poll() is None:
            time.sleep(0.02)
        refuse(["grade", str(run), "--sandbox", "process"], "Another qprobe command is at work")
        if status := end(first)[0]:
            raise Failure(f"the first command ended with {status}")
        compare(run, torture.report, torture.samples)
    return Tally(wanted, wanted)


def servers(torture: Torture, wanted: int) -> Tally:
    """Draw from a server that stalls, cuts its answers, sends garbage or errors, at every third request."""
    server, plain = torture.server, torture.new_run("plain")
    succeed(server.command(plain))
    report, samples = report_of(plain), samples_of(plain)
    for _ in range(wanted):
        run = torture.new_run("server")
        with server.faults(torture.rng.randrange(2**32)):
            insist(server.command(run))
        compare(run, report, samples)
    inflicted = server.inflicted
    return Tally(sum(inflicted.values()), wanted, [f"{name} {count}" for name, count in sorted(inflicted.items())])


def insist(command: list[str]) -> None:
    """Run a command until it succeeds. Raises Failure where it ends without a sentence, or never succeeds."""
    for _ in range(100):
        status, out, err = end(start(command))
        if not status:
            return
        is_sentence(status, out, err, "server")
    raise Failure("a hundred attempts were not enough")


FAULTS: dict[str, tuple[Callable[[Torture, int], Tally], int, int]] = {
    "kills": (kills, 300, 3),
    "engines": (engines, 10, 1),
    "disks": (disks, 10, 1),
    "clocks": (clocks, 3, 1),
    "pages": (pages, 20, 1),
    "seconds": (seconds, 5, 1),
    "servers": (servers, 20, 1),
}
"""Name -> function, how often, and how often with --short."""


def main(words: list[str] | None = None) -> int:
    """Inflict the faults, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--short", action="store_true", help="a few of each")
    parser.add_argument("--only", default=",".join(FAULTS), help=f"some of {', '.join(FAULTS)}")
    parser.add_argument("--kills", type=int, help="how many kills")
    parser.add_argument("--sandbox", default="process", choices=["docker", "process"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="qprobe-torture-") as folder,
        faulty_server(Path(folder) / "numbers.jsonl") as server,
    ):
        torture = Torture(Path(folder), options.sandbox, random.Random(options.seed), server, options.short)
        if options.only != "servers":
            torture.undisturbed()
        for name in options.only.split(","):
            inflict, often, few = FAULTS[name]
            wanted = options.kills if name == "kills" and options.kills else few if options.short else often
            began = time.monotonic()
            try:
                tally = inflict(torture, wanted)
                outcome = f"{tally.inflicted} faults, {tally.compared} equal reports {'; '.join(tally.notes)}"
            except Failure as error:
                failed, outcome = 1, f"FAILED: {error}"
            print(f"{name:8} {outcome} ({time.monotonic() - began:.0f} s)", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
