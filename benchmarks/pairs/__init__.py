"""Pair sets: pairs of replies to one prompt, of which people preferred one, to train and measure probes on."""

from benchmarks.pairs.doctor import examine_pairs
from benchmarks.pairs.pair import Pair, PairSet, pairs_digest
from benchmarks.pairs.registry import PAIR_SETS, open_pairs

__all__ = ["PAIR_SETS", "Pair", "PairSet", "examine_pairs", "open_pairs", "pairs_digest"]
