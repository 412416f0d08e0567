"""Probes: small functions of a frozen model's hidden states that say which sample to prefer."""

from harness.probes.crossvalidation import CrossValidation, cross_validate
from harness.probes.samples import ProbeError, Samples, View

__all__ = ["CrossValidation", "ProbeError", "Samples", "View", "cross_validate"]
