"""The pipeline (generate, grade, embed, probe, report), the run store and the command line."""

from harness.models.torch_setup import set_up_torch

set_up_torch()  # before any module of this package imports torch
