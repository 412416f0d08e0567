"""The line: generate -> grade -> embed -> probe -> report, the run store, the command line."""

from harness.models.torch_setup import set_up_torch

set_up_torch()  # before any module of this package imports torch
