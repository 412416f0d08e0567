"""Groups of the samples of a problem whose programs are the same, as `program_hash` has it.

Most programs are told apart without a parser, which takes ten times as long: programs that are the same have the same
names, keywords and numbers, in nearly the same order. Only those that share them with another of their problem are
parsed.
"""

import ast
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import chain

from harness.runs.completion import SampleId
from harness.runs.join import group_numbers
from harness.runs.program_hash import fingerprints

NESTED_QUOTES = sys.version_info >= (3, 12)
"""A formatted string may hold its own quotes, so that only a parser finds its end."""

_QUOTED = (
    r"(?:'{3}[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'{3}|\"{3}[^\"\\]*(?:(?:\\.|\"(?!\"\"))[^\"\\]*)*\"{3}"
    r"|'(?!'')[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"(?!\"\")[^\"\\\n]*(?:\\.[^\"\\\n]*)*\")"
)
_NEVER_ENDED = r"['\"].*"  # no program: one that is the same has the same text, and all of it is read just once
_FORMATTED = r"(?:[fFtT][rR]?|[rR][fFtT])['\"]|" if NESTED_QUOTES else ""
_NAME = r"(?![rRbBuUfFtT]{1,2}['\"])[A-Za-z_\u0080-\U0010ffff][0-9A-Za-z_\u0080-\U0010ffff]*"  # beyond ASCII, all names
_NUMBER = (
    r"[0-9]+(?![0-9A-Za-z_.])|0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+"
    r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?[jJ]?"
)
_TOKEN = re.compile(rf"({_FORMATTED}{_NAME}|{_NUMBER})|#[^\n]*|[rRbBuUfFtT]{{0,2}}{_QUOTED}|{_NEVER_ENDED}", re.DOTALL)
_PLAIN = re.compile(r"0|[1-9][0-9]*|(?!elif\b)[A-Za-z_][0-9A-Za-z_]*")


def program_groups(programs: Mapping[SampleId, str]) -> dict[SampleId, int]:
    """Return a number per sample, counted from 0 in each problem: samples with the same program share one.

    Raises QprobeError where no process to parse programs can be started.
    """
    distinct: defaultdict[str, dict[str, None]] = defaultdict(dict)  # by problem, in the order of the samples
    for sample, program in programs.items():
        distinct[sample.problem_id][program] = None
    doubtful = list({program: None for own in distinct.values() for program in _doubtful(own)})
    digests = dict(zip(doubtful, fingerprints(doubtful), strict=True))
    keys: dict[SampleId, Hashable] = {
        sample: (program in digests, digests.get(program, program)) for sample, program in programs.items()
    }
    return group_numbers(keys)


def _doubtful(programs: Iterable[str]) -> Iterator[str]:
    """Iterate over the programs that have their skeleton in common with another."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for program in programs:
        alike[skeleton(program)].append(program)
    return chain.from_iterable(some for some in alike.values() if len(some) > 1)


def skeleton(program: str) -> str:
    """Return the sorted names, keywords and numbers of a program, which those that are the same have in common.

    Comments, strings, operators and layout are left out, and numbers written as Python prints them. Sorted, since
    `f(x=1, *a)` is the same as `f(*a, x=1)`.
    """
    tokens = [token for token in _TOKEN.findall(program.strip()) if token]
    odd = {token: _canonical(token) for token in set(tokens) if not _PLAIN.fullmatch(token)}
    if NESTED_QUOTES and any(token[-1] in "'\"" for token in odd):
        return ""
    if odd:
        tokens = [part for token in tokens for part in odd.get(token, [token])]
    return " ".join(sorted(tokens))


def _canonical(token: str) -> list[str]:
    """Return the tokens that a program of the same tree may have in the place of one."""
    if token == "elif":
        return ["else", "if"]
    if not token.isascii():
        return [unicodedata.normalize("NFKC", token)]
    try:
        return [repr(ast.literal_eval(token))]
    except (SyntaxError, ValueError):  # no number of Python
        return [token]
