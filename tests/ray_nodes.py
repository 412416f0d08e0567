"""A Ray cluster of several nodes on this machine, by Ray's own test cluster, for tests that kill some of them.

It runs in another process: `python -m tests.ray_nodes` starts it, prints its address, and kills a node for each line of
its input. It ends with its input.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[1]
TRIES = 4
"""Ray waits 30 s for a node's processes, and then gives up: too little on a machine with other work."""

SMALL = {"object_store_memory": 100 * 2**20}


class RayNodes:
    """A head without processors, and nodes with one each."""

    def __init__(self, nodes: int = 2, **environment: str) -> None:
        """Start them with further environment variables, and wait until they are there."""
        variables = {"RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), **environment}
        for _ in range(TRIES):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.ray_nodes", str(nodes)],
                cwd=REPOSITORY,
                env={**os.environ, **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert self._process.stdout is not None
            self.address = self._process.stdout.readline().strip()
            if self.address:
                return
            self._process.communicate(timeout=60)
        raise TimeoutError("no Ray cluster was started")

    @property
    def pid(self) -> int:
        """The process above all of the cluster's."""
        return self._process.pid

    def kill_a_node(self) -> None:
        """End a node as a failing machine does."""
        assert self._process.stdin is not None
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()


def main() -> None:
    """Run the cluster."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **SMALL})
    nodes = [cluster.add_node(num_cpus=1, wait=False, **SMALL) for _ in range(int(sys.argv[1]))]
    cluster.wait_for_nodes(timeout=120)
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    cluster.shutdown()


if __name__ == "__main__":
    main()
