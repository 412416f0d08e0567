"""Probes: small functions of a frozen model's hidden states that say which sample to prefer."""

from benchmarks.duplicates import group_near_duplicates
from harness.probes.choosing import Choice
from harness.probes.crossvalidation import CrossValidation, cross_validate, cross_validations
from harness.probes.learning import learning_curve
from harness.probes.plan import PRESETS, Choices, Grid, Plan
from harness.probes.probe import Card, Probe, load_probe
from harness.probes.registry import DEFAULT_OBJECTIVES, OBJECTIVES, find_objective, objective_names
from harness.probes.samples import ProbeError, SampleId, Samples, View
from harness.probes.setting import Schedule, Setting
from harness.probes.transfer import Transfer, train_and_test, train_probes

__all__ = [
    "DEFAULT_OBJECTIVES",
    "OBJECTIVES",
    "PRESETS",
    "Card",
    "Choice",
    "Choices",
    "CrossValidation",
    "Grid",
    "Plan",
    "Probe",
    "ProbeError",
    "SampleId",
    "Samples",
    "Schedule",
    "Setting",
    "Transfer",
    "View",
    "cross_validate",
    "cross_validations",
    "find_objective",
    "group_near_duplicates",
    "learning_curve",
    "load_probe",
    "objective_names",
    "train_and_test",
    "train_probes",
]
