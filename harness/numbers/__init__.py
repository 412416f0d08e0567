"""Numbers: exact expectations from stored samples and scores, and how sure they are."""

from harness.numbers.estimates import best_of_k, pass_at_1, pass_at_k
from harness.numbers.selection import softmax_selection
from harness.numbers.summary import Row, summarise

__all__ = ["Row", "best_of_k", "pass_at_1", "pass_at_k", "softmax_selection", "summarise"]
