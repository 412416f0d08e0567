"""`--ray`: the cluster that a command's stages work on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import QprobeError
from harness.progress import Progress

if TYPE_CHECKING:
    from harness.cluster.parts import Cluster


@contextmanager
def cluster_of(address: str, progress: Progress) -> "Iterator[Cluster | None]":
    """Join the cluster, and leave it at the end of the block; None without an address. Raises QprobeError.

    What Ray prints about nodes that die is left out: it is pages long, and standard output is for results.
    """
    if not address:
        yield None
        return
    from harness.cluster.parts import open_cluster

    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), open_cluster(address, progress) as cluster:
        yield cluster


def refuse_server(is_local: bool, address: str) -> None:
    """Raise QprobeError for a server's model with --ray, which would do nothing."""
    if address and not is_local:
        raise QprobeError(
            "--ray is for models that run on the nodes: leave it out, since the server is asked from here."
        )
