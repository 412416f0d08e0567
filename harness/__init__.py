"""The pipeline (generate, grade, embed, probe, report), the run store and the command line."""

from harness.models.torch_setup import set_up_torch

__version__ = "0.1.0"
"""The version of qprobe; the package's metadata and CITATION.cff follow."""

set_up_torch()  # before any module of this package imports torch
