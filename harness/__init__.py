"""The harness: stages from samples to a report, the run store, the command line."""

from harness.models.torch_setup import set_up_torch

__version__ = "0.1.0"
"""The version of qprobe; the package's metadata and CITATION.cff follow."""

set_up_torch()  # before any module of this package imports torch
