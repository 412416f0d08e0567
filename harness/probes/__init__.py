"""Probes: small functions of a frozen model's hidden states that say which sample to prefer."""

from harness.probes.crossvalidation import CrossValidation, cross_validate, cross_validations
from harness.probes.plan import PRESETS, Grid, Plan
from harness.probes.probe import Card, Probe, load_probe
from harness.probes.registry import DEFAULT_OBJECTIVES, OBJECTIVES, find_objective, objective_names
from harness.probes.samples import ProbeError, SampleId, Samples, View
from harness.probes.setting import Schedule, Setting

__all__ = [
    "DEFAULT_OBJECTIVES",
    "OBJECTIVES",
    "PRESETS",
    "Card",
    "CrossValidation",
    "Grid",
    "Plan",
    "Probe",
    "ProbeError",
    "SampleId",
    "Samples",
    "Schedule",
    "Setting",
    "View",
    "cross_validate",
    "cross_validations",
    "find_objective",
    "load_probe",
    "objective_names",
]
