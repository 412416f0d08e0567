"""LiveCodeBench: contest problems with their dates (Jain et al. 2024, arXiv 2403.07974), CC-BY-4.0.

The rows have the columns of `livecodebench/code_generation_lite`. They are read from a file of JSON lines, as the
authors publish them (`livecodebench:test6.jsonl`), the cached copy or the hub. There are no references.
"""

import base64
import pickletools
from typing import Any, cast

from benchmarks.contests import Call, Contest, Statement, function_problem, program_problem, text
from benchmarks.data_files import ReaderLimitError, parse_json, unpack_zlib
from benchmarks.hub import HubData, JsonRow
from benchmarks.problem import Problem
from sandbox.cases import Case

MAX_CASES = 2**28
"""The most bytes of a field with cases, unpacked."""

_COLUMNS = ("public_test_cases", "private_test_cases")
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_FRAMING = ("PROTO", "FRAME", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "STOP")
"""The parts of a pickle that hold a text, and those around them."""


TIMEOUT = 6.0
"""CPU seconds per case, as the benchmark's published grader allows."""


class LiveCodeBench(Contest):
    """The problems, public and private cases together. Outputs are compared as numbers where they are numbers."""

    name = "livecodebench"
    licence = "CC-BY-4.0"
    data = HubData(
        "livecodebench",
        "livecodebench/code_generation_lite",
        otherwise="name the authors' file with --benchmark livecodebench:FILE.jsonl",
    )

    def problem(self, row: JsonRow, split: str) -> Problem | None:
        """See `Contest.problem`."""
        cases = [case for name in _COLUMNS for case in _cases(row, name)]
        kinds = {case["testtype"] for case in cases}
        if not cases:
            return None
        if len(kinds) > 1:
            raise ValueError(f"its cases are of different kinds: {', '.join(sorted(kinds))}")
        starter = text(row, "starter_code")
        prompt = _prompt(text(row, "question_content"), starter)
        statement = Statement(f"LCB/{text(row, 'question_id')}", prompt, "", split, TIMEOUT)
        if kinds == {"functional"}:
            return function_problem(statement, _function(row), _calls(cases))
        return program_problem(statement, [Case(case["input"], case["output"]) for case in cases], "numbers")


def _prompt(question: str, starter: str) -> str:
    request = (
        f"Complete this code and give all of it:\n```python\n{starter}\n```"
        if starter.strip()
        else "Write a Python program that reads standard input and writes standard output."
    )
    return f"{question}\n\n{request}\n\n"


def _cases(row: JsonRow, name: str) -> list[dict[str, str]]:
    cases = _decoded(text(row, name), name)
    if not isinstance(cases, list):
        raise ValueError(f"the field {name!r} is not a list of cases")
    for number, case in enumerate(cases, start=1):
        if not isinstance(case, dict) or not all(isinstance(case.get(key), str) for key in ("input", "output")):
            raise ValueError(f"case {number} of the field {name!r} lacks a text 'input' or 'output'")
        if case.setdefault("testtype", "stdin") not in ("stdin", "functional"):
            raise ValueError(f"case {number} of the field {name!r}: the testtype is {case['testtype']!r}")
    return cases


def _decoded(value: str, name: str) -> Any:  # noqa: ANN401 - JSON's own types
    """The value of plain JSON, or of JSON as the authors pack it: in a pickled text, compressed, in base64."""
    if not value.strip():
        return []
    if value.lstrip().startswith("["):
        return _loaded(value, name)
    try:
        inner = _pickled_text(unpack_zlib(base64.b64decode(value, validate=True), MAX_CASES))
    except ReaderLimitError as error:
        raise ReaderLimitError(f"the field {name!r}: {error}") from error
    except ValueError as error:
        raise ValueError(f"the field {name!r} is neither JSON nor packed as the authors pack it ({error})") from error
    return _loaded(inner, name)


def _pickled_text(data: bytes) -> str | bytes:
    """Return the one text in a pickle, which is taken apart and never loaded: loading one can run anything.

    Raises ValueError for a pickle of anything else.
    """
    texts = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _TEXTS:
            texts.append(argument)
        elif opcode.name not in _FRAMING:
            raise ValueError(f"its pickle holds more than a text: {opcode.name}")
    if len(texts) != 1:
        raise ValueError(f"its pickle holds {len(texts)} texts, not one")
    return cast(str | bytes, texts[0])


def _loaded(value: str | bytes, name: str) -> Any:  # noqa: ANN401
    try:
        return parse_json(value)
    except ReaderLimitError as error:
        raise ReaderLimitError(f"the field {name!r}: {error}") from error
    except ValueError as error:
        raise ValueError(f"the field {name!r} does not hold JSON ({error})") from error


def _function(row: JsonRow) -> str:
    metadata = _loaded(text(row, "metadata") or "{}", "metadata")
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    if not isinstance(name, str):
        raise ValueError("the field 'metadata' has no 'func_name', which its functional cases need")
    return name


def _calls(cases: list[dict[str, str]]) -> list[Call]:
    """The calls of functional cases, whose inputs hold one argument per line."""
    calls = []
    for number, case in enumerate(cases, start=1):
        try:
            arguments = [parse_json(line) for line in case["input"].split("\n") if line.strip()]
            calls.append(Call(arguments, parse_json(case["output"])))
        except ReaderLimitError as error:
            raise ReaderLimitError(f"case {number}: {error}") from error
        except ValueError as error:
            raise ValueError(f"case {number}: its arguments or its result are not JSON ({error})") from error
    return calls
