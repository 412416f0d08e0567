"""Probes: small functions of a frozen model's hidden states that score its samples."""

from benchmarks.duplicates import group_near_duplicates
from harness.probes.crossvalidation import CrossValidation, cross_validate, cross_validations
from harness.probes.hyperparameters import Hyperparameters, Schedule
from harness.probes.learning_curve import learning_curves
from harness.probes.model_selection import Selected
from harness.probes.plans import PRESETS, Grid, GridOverrides, TrainingPlan
from harness.probes.probe import Card, Probe, load_probe
from harness.probes.registry import DEFAULT_OBJECTIVES, OBJECTIVES, find_objective, objective_names
from harness.probes.samples import ProbeError, SampleKey, Samples, View
from harness.probes.transfer import Transfer, train_and_test, train_probes

__all__ = [
    "DEFAULT_OBJECTIVES",
    "OBJECTIVES",
    "PRESETS",
    "Card",
    "CrossValidation",
    "Grid",
    "GridOverrides",
    "Hyperparameters",
    "Probe",
    "ProbeError",
    "SampleKey",
    "Samples",
    "Schedule",
    "Selected",
    "TrainingPlan",
    "Transfer",
    "View",
    "cross_validate",
    "cross_validations",
    "find_objective",
    "group_near_duplicates",
    "learning_curves",
    "load_probe",
    "objective_names",
    "train_and_test",
    "train_probes",
]
