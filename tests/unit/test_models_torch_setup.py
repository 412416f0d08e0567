"""Torch's threads sleep while they wait, in the library as well as in the command."""

import os
import subprocess
import sys

import pytest

CHECK = """
import importlib, os, sys

class Seen:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"))
            sys.exit()

sys.meta_path.insert(0, Seen())
importlib.import_module(sys.argv[1])
print("no torch")
"""


@pytest.mark.parametrize(
    "module", ["harness.probes", "harness.models.sampling", "harness.models.hf.engine", "harness.stages.rank"]
)
@pytest.mark.parametrize("own", ["", "ACTIVE"])
def test_the_policy_is_set_before_torch_is_imported(module: str, own: str):
    """Unless the user has set one."""
    env = {**os.environ, "OMP_WAIT_POLICY": own} if own else dict(os.environ)
    if not own:
        env.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run([sys.executable, "-c", CHECK, module], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == (own or "PASSIVE"), done.stderr


SPIN = """
import sys, time
first, second = sys.argv[1:]
__import__(first)
__import__(second)
import torch
numbers = torch.zeros(2**20)
numbers.add_(1)
busy = time.process_time()
for _ in range(200):
    numbers.add_(1)
    time.sleep(0.002)
print(time.process_time() - busy)
"""


def cpu_seconds(*order: str) -> float:
    """The processor time of 200 short sums with pauses between them, with two threads, as the modules are imported."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-c", SPIN, *order]
    done = subprocess.run(command, env={**env, "OMP_NUM_THREADS": "2"}, capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="two threads need two cores")
def test_threads_sleep_whichever_is_imported_first():
    """A notebook imports torch before qprobe as often as after it. Threads that spin use about 0.4 s and more here."""
    spinning = cpu_seconds("torch", "numpy")
    for order in (("torch", "harness"), ("harness", "torch")):
        assert cpu_seconds(*order) < spinning / 3, order
