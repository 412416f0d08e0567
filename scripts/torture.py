"""Disturb small runs in every way at hand, and compare their reports with that of an undisturbed run, byte by byte.

    python -m scripts.torture                             every fault, 300 kills: an hour or so
    python -m scripts.torture --short                     a few of each, without a model, in less than a minute
    python -m scripts.torture --only kills --kills 50 --sandbox docker --seed 3

Prints one line per fault: how often it was inflicted, and how often the run then ended with the same report. Ends with
status 1 where a report differs, a sample is lost or there twice, a command ends without a sentence, or a process or
container stays behind. Full and read-only disks need a user who may mount.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.mini import MODEL
from harness.runs.reading import is_held
from scripts.torture_processes import containers, descendants, docker, kill, outliving
from scripts.torture_server import FaultyServer, faulty_server

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = 4096
JUMPING_CLOCK = """
import random, time
real, days = time.time, random.Random(0)
time.time = lambda: real() + 86_400 * days.uniform(-3, 3)
"""


class Failure(Exception):  # noqa: N818 - what the script looks for
    """A run did not bear a fault."""


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
            return self.server.command(run)
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


# -- commands ----------------------------------------------------------------------------------------------------------


def start(command: list[str], **environment: str) -> "subprocess.Popen[str]":
    """Start a command of qprobe."""
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (environment.pop("FIRST", ""), str(REPOSITORY))))
    return subprocess.Popen(
        [sys.executable, "-m", "qprobe", *command], env={**variables, **environment}, cwd=REPOSITORY, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(started: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for a command: its status and what it printed. Raises Failure where it hangs."""
    try:
        out, err = started.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        started.kill()
        raise Failure("a command did not end within ten minutes") from None
    return started.returncode, out, err


def succeed(command: list[str], **environment: str) -> str:
    """Run a command to its end and return its output. Raises Failure where it fails."""
    status, out, err = end(start(command, **environment))
    if status:
        raise Failure(f"qprobe {command[0]} ended with {status}: {err.strip()[-400:]}")
    return out


def refuse(command: list[str], says: str, **environment: str) -> None:
    """Run a command that must end with one sentence. Raises Failure for any other end."""
    is_sentence(*end(start(command, **environment)), says)


def is_sentence(status: int, _: str, err: str, says: str) -> None:
    """Raise Failure unless a command ended with status 1 and a sentence that holds one of some words."""
    last = err.strip().splitlines()[-1:] or [""]
    if status != 1 or "Traceback" in err or not any(word in last[0] for word in says.split("|")):
        raise Failure(f"expected a sentence with {says!r}, got status {status}: {err.strip()[-400:]}")


# -- faults ------------------------------------------------------------------------------------------------------------


def kills(torture: Torture, wanted: int) -> Tally:
    """Kill the driver, a worker or a container at random moments, over as many runs as that takes."""
    tally, kinds = Tally(), {"driver": 0, "worker": 0, "container": 0}
    while tally.inflicted < wanted:
        run = torture.new_run("killed")
        for _ in range(min(12, wanted - tally.inflicted)):
            started = start(torture.command(run))
            time.sleep(torture.rng.uniform(0.2, torture.seconds))
            kind, family = kill_one(torture, started)
            kinds[kind] += 1
            tally.inflicted += 1
            if left := outliving(family):
                raise Failure(f"the processes {left} outlived their driver")
        torture.finish(run)
        tally.compared += 1
        shutil.rmtree(run.parent)
    tally.notes = [f"{name} {count}" for name, count in kinds.items()]
    return tally


def kill_one(torture: Torture, started: "subprocess.Popen[str]") -> tuple[str, list[tuple[int, str]]]:
    """Kill something of a command, then its driver. Returns what was killed first, and all processes that it had."""
    family, kind = descendants(started.pid), torture.rng.choice(["driver", "worker", "container"])
    boxes = containers(started.pid) if torture.sandbox == "docker" and kind == "container" else []
    if kind == "worker" and family:
        kill(torture.rng.choice(family)[0])
    elif boxes:
        docker("kill", torture.rng.choice(boxes))
    else:
        kind = "driver"
    if kind != "driver":
        time.sleep(torture.rng.uniform(0, torture.seconds / 4))
    family += descendants(started.pid)
    kill(started.pid)
    started.communicate()
    return kind, family


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
