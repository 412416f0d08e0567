"""PyTorch's threads: they sleep while they wait for one another, also where the machine has other work.

By default, threads of OpenMP spin while they wait. On a machine with other work they then take the time of those that
they wait for, and a model takes 4 to 70 times as long.
"""

import os
import sys
import threading


def set_up_torch() -> None:
    """Let PyTorch's threads sleep while they wait, unless the user has set a policy. Called once, by the package.

    OpenMP reads its policy when PyTorch is first imported; where that has happened already, as in a notebook that
    imports it first, `_crowd` does the same.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        return
    if "torch" in sys.modules:
        _crowd()
    else:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def _crowd() -> None:
    """Start idle threads of OpenMP until they outnumber the processors: all of them then spin for a moment only.

    GNU's OpenMP, which PyTorch uses on Linux, lets threads spin 300 times less where they outnumber the processors
    (GOMP_SPINCOUNT in its manual), and gives each thread of Python separate ones.
    """
    import torch

    threads = torch.get_num_threads()
    if threads == 1 or not sys.platform.startswith("linux"):
        return
    processors = len(os.sched_getaffinity(0))
    for _ in range(max(0, processors - threads) // (threads - 1) + 1):
        started = threading.Event()
        threading.Thread(target=_idle, args=(started,), name="qprobe-idle", daemon=True).start()
        started.wait()


def _idle(started: threading.Event) -> None:
    import torch

    torch.zeros(2**20).add_(1)  # large enough for all threads
    started.set()
    threading.Event().wait()
