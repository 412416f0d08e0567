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
