"""Settings of the environment that PyTorch reads when it is first imported."""

import os
import sys


def set_up_torch() -> None:
    """Let PyTorch's threads sleep while they wait, unless it is imported already or the user has set another policy.

    Threads that spin while they wait for one another take 4 to 20 times as long on a machine with other work. Called
    when this package is imported, for its commands and as a library.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
