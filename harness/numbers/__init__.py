"""Numbers: exact expectations from stored samples and scores, and how sure they are."""

from harness.numbers.baselines import SampleFeatures, agreement, baseline_scores, distinct_samples
from harness.numbers.calibration import Calibration, Difficulty, calibrate, relate_to_difficulty
from harness.numbers.curves import Point, Tradeoff, best_of_k_curve, points, reward_against_kl
from harness.numbers.estimates import best_of_k, pass_at_1, pass_at_k
from harness.numbers.intervals import holm
from harness.numbers.ranks import within_problem_auc, without_length
from harness.numbers.selection import chances_of_k, softmax_chances, softmax_of_k, softmax_selection
from harness.numbers.summary import Summary, summarise
from harness.numbers.table import Difference, Row, differences, tabulate

__all__ = [
    "Calibration",
    "Difference",
    "Difficulty",
    "Point",
    "Row",
    "SampleFeatures",
    "Summary",
    "Tradeoff",
    "agreement",
    "baseline_scores",
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
    "softmax_chances",
    "softmax_of_k",
    "softmax_selection",
    "summarise",
    "tabulate",
    "within_problem_auc",
    "without_length",
]
