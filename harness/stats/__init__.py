"""Statistics: exact expectations from stored samples and scores, with their uncertainty."""

from harness.stats.baselines import SampleFeatures, agreement, baseline_scores, baseline_selectors, distinct_samples
from harness.stats.calibration import CALIBRATED, Calibration, Difficulty, calibrate, relate_to_difficulty
from harness.stats.curves import Point, Tradeoff, best_of_k_curve, points, reward_against_kl
from harness.stats.estimators import best_of_k, pass_at_1, pass_at_k
from harness.stats.intervals import Design, holm
from harness.stats.ranks import within_problem_auc, without_length
from harness.stats.rule_table import RuledScores, rule_rows
from harness.stats.rules import ARG_MAX, KINDS, UNLIMITED, SelectionRule, selected_values, selection_by_limits
from harness.stats.selection import chances_of_k, softmax_chances, softmax_of_k, softmax_selection
from harness.stats.selectors import Selector
from harness.stats.summary import CONTROL, RANDOM, WITHIN, Control, Summary, summarise
from harness.stats.table import Difference, TableRow, differences, tabulate

__all__ = [
    "ARG_MAX",
    "CALIBRATED",
    "CONTROL",
    "KINDS",
    "RANDOM",
    "UNLIMITED",
    "WITHIN",
    "Calibration",
    "Control",
    "Design",
    "Difference",
    "Difficulty",
    "Point",
    "RuledScores",
    "SampleFeatures",
    "SelectionRule",
    "Selector",
    "Summary",
    "TableRow",
    "Tradeoff",
    "agreement",
    "baseline_scores",
    "baseline_selectors",
    "best_of_k",
    "best_of_k_curve",
    "calibrate",
    "chances_of_k",
    "differences",
    "distinct_samples",
    "holm",
    "pass_at_1",
    "pass_at_k",
    "points",
    "relate_to_difficulty",
    "reward_against_kl",
    "rule_rows",
    "selected_values",
    "selection_by_limits",
    "softmax_chances",
    "softmax_of_k",
    "softmax_selection",
    "summarise",
    "tabulate",
    "within_problem_auc",
    "without_length",
]
