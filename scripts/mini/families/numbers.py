"""Which numbers, and what of them: the parts that families of lists and of arithmetic share. The number is `x`."""

import re
from dataclasses import replace

from scripts.mini.grammar import Part

FILTERS = (
    Part("even", "even numbers", "x % 2 ‹==|!=› 0"),
    Part("odd", "odd numbers", "x % 2 ‹!=|==› 0"),
    Part("positive", "positive numbers", "x ‹>|>=|<› 0"),
    Part("negative", "negative numbers", "x ‹<|<=|>› 0"),
    Part("nonzero", "nonzero numbers", "x ‹!=|==|>› 0"),
    Part("multiple", "multiples of {k}", "x % {k} ‹==|!=› 0", ("3", "4", "5")),
    Part("indivisible", "numbers not divisible by {k}", "x % {k} ‹!=|==› 0", ("3", "4", "5")),
    Part("above", "numbers greater than {k}", "x ‹>|>=|<› {k}", ("2", "3", "4", "5", "6")),
    Part("below", "numbers less than {k}", "x ‹<|<=|>› {k}", ("2", "3", "4", "5", "6")),
    Part("at_least", "numbers that are at least {k}", "x ‹>=|>|<=› {k}", ("2", "3", "4", "5", "6")),
    Part("at_most", "numbers that are at most {k}", "x ‹<=|<|>=› {k}", ("2", "3", "4", "5", "6")),
    Part("over", "numbers greater than n", "x ‹>|>=|<› n", parameter="n: int"),
    Part("under", "numbers less than n", "x ‹<|<=|>› n", parameter="n: int"),
    Part("unlike", "numbers other than n", "x ‹!=|==› n", parameter="n: int"),
    Part("single_digit", "numbers from 0 to 9", "0 ‹<=|<› x ‹<=|<› 9"),
    Part("small", "numbers from -{k} to {k}", "abs(x) ‹<=|<|>› {k}", ("3", "4", "5", "6")),
)

ALL = Part("", "numbers", "True")

SAME = Part("", "", "x")

MAPS = (
    Part("squares", "squares of the", "x ‹*|+› x"),
    Part("cubes", "cubes of the", "x ** ‹3|2›"),
    Part("doubles", "doubles of the", "‹2 * x|x|x + 2›"),
    Part("halves", "halves (rounded down) of the", "x ‹//|%› 2"),
    Part("negatives", "negatives of the", "‹-x|x›"),
    Part("sizes", "absolute values of the", "‹abs(x)|x›"),
    Part("successors", "successors of the", "x ‹+|-› 1"),
    Part("last_digits", "last digits of the", "abs(x) ‹%|//› 10"),
)


def called(variable: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts with the number under another name than `x`."""
    return tuple(replace(part, code=re.sub(r"\bx\b", variable, part.code)) for part in parts)


def named(parts: tuple[Part, ...], *names: str) -> tuple[Part, ...]:
    """The parts with these names, in this order."""
    by_name = {part.name: part for part in parts}
    return tuple(by_name[name] for name in names)
