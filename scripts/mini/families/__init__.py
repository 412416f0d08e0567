"""Every family of problems, in the benchmark's order."""

from scripts.mini.families import algorithms, arithmetic, lists, strings, transforms, words
from scripts.mini.grammar import Family

FAMILIES: tuple[Family, ...] = (
    *strings.FAMILIES,
    *words.FAMILIES,
    *lists.FAMILIES,
    *transforms.FAMILIES,
    *arithmetic.FAMILIES,
    *algorithms.FAMILIES,
)
