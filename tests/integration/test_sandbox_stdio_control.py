"""The negative control of the cheating whole programs: a naive grader is beaten by most of them, so they are real."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.cases import cases_of
from sandbox.docker.image import default_image
from tests.stdio_programs import ANSWERS, SECRET, read_whole

pytestmark = [pytest.mark.docker, pytest.mark.slow]
WALLS = "--network=none --read-only --tmpfs=/tmp:size=8m --memory=256m --pids-limit=64 --user=100001 --workdir=/tmp"
ONLY_WRONG = {"nothing", "constant", "the input"}
"""Programs that try nothing."""

EACH = """
import contextlib, io, sys
program, given, expected = sys.argv[1:]
sys.stdin, printed = io.StringIO(given), io.TextIOWrapper(io.BytesIO(), write_through=True)
with contextlib.redirect_stdout(printed), contextlib.suppress(BaseException):
    exec(program, {"__name__": "__main__"})
if expected not in printed.buffer.getvalue().decode():
    sys.exit(1)
print("passed")
"""
"""One case: the program runs beside its expected output, and whatever it printed until it ended or crashed counts."""

NAIVE = f"""
import json, os, signal, subprocess, sys
signal.signal(signal.SIGALRM, lambda *_: os._exit(2))
signal.alarm(8)  # it sets no limits: this only ends the wait for it
program, cases = json.load(sys.stdin)
for given, expected in cases:
    done = subprocess.run([sys.executable, "-c", {EACH!r}, program, given, expected], capture_output=True)
    if done.returncode and b"passed" not in done.stdout:
        sys.exit(1)
"""
"""A process each case, whose exit code or word decides: walled in by a container, but without walls inside."""


def naive_verdict(program: str) -> str:
    """Return the naive grader's verdict: "passed", "failed", or "nothing" if the program holds it up."""
    command = ["docker", "run", "--rm", "-i", *WALLS.split(), default_image(), "python3", "-c", NAIVE]
    given = json.dumps([program, cases_of(SECRET)])
    done = subprocess.run(command, input=given, text=True, capture_output=True, timeout=60, check=False)
    return {0: "passed", 1: "failed"}.get(done.returncode, "nothing")


@pytest.mark.usefixtures("docker_sandbox")  # makes the image
def test_a_naive_grader_is_beaten_by_most_cheats():
    assert naive_verdict(f"print({ANSWERS}[input()])") == "passed"
    assert naive_verdict("print(input())") == "failed"
    cheats = {name: program for name, program in read_whole("cheats").items() if name not in ONLY_WRONG}
    with ThreadPoolExecutor(4) as pool:
        verdicts = dict(zip(cheats, pool.map(naive_verdict, cheats.values()), strict=True))
    beaten = [name for name, verdict in verdicts.items() if verdict != "failed"]
    assert len(beaten) > len(cheats) / 2, verdicts
    assert list(verdicts.values()).count("passed") >= 8, verdicts
