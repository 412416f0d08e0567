"""Families over integers: digits, ranges, divisors, choices."""

from scripts.mini.families.numbers import ALL, FILTERS, MAPS, SAME, called, named
from scripts.mini.grammar import Family, Form, Part

DIGIT_KINDS = called(
    "d",
    (
        Part("even", "even digits", "x % 2 ‹==|!=› 0"),
        Part("odd", "odd digits", "x % 2 ‹!=|==› 0"),
        Part("nonzero", "nonzero digits", "x ‹!=|==|>=› 0"),
        Part("above", "digits greater than {k}", "x ‹>|>=|<› {k}", ("2", "3", "4", "5", "6")),
        Part("below", "digits less than {k}", "x ‹<|<=|>› {k}", ("3", "4", "5", "6", "7")),
        Part("unlike", "digits other than {k}", "x ‹!=|==› {k}", ("0", "1", "2", "3", "7")),
        Part("multiples", "digits divisible by {k}", "x % {k} ‹==|!=› 0", ("3", "4")),
    ),
)

DIGITS = Family(
    "digits",
    "arithmetic",
    "n: int",
    "{form}_{map}_{kind}",
    ("Return the {form} of the {map} {kind} of n (n >= 0){tail}.",),
    (
        Form(
            "sum",
            "sum",
            (
                "total = ‹0|1›\nfor c in str(n)‹|[1:]›:\n    d = int(c)\n    if {kind}:\n        total ‹+=|=› {map}\n‹return total|total›",
                "total = ‹0|1›\nwhile n > ‹0|9›:\n    d = n % 10\n    if {kind}:\n        total ‹+=|=|-=› {map}\n    n //= 10\n‹return total|total›",
            ),
        ),
        Form(
            "product",
            "product",
            (
                "result = ‹1|0›\nfor c in str(n)‹|[1:]›:\n    d = int(c)\n    if {kind}:\n        result ‹*=|+=› {map}\n‹return result|result›",
            ),
        ),
        Form(
            "list",
            "list",
            (
                "result = []\nfor c in ‹str(n)|str(n)[::-1]|str(n)[1:]›:\n    d = int(c)\n    if {kind}:\n        result.append(‹{map}|c›)\n‹return result|result›",
            ),
            "list[int]",
        ),
        Form(
            "largest",
            "largest",
            (
                "best = ‹-1|0›\nfor c in str(n):\n    d = int(c)\n    if {kind}:\n        best = ‹max|min›(best, {map})\n‹return best|best›",
            ),
            tail=", or -1 if there are none",
        ),
        Form(
            "number_of_different",
            "number of different ones",
            (
                "seen = set()\nfor c in str(n)‹|[1:]›:\n    d = int(c)\n    if {kind}:\n        seen.add({map})\nreturn len(‹seen|str(n)›)",
            ),
        ),
    ),
    {"map": called("d", (SAME, *named(MAPS, "squares", "cubes", "doubles", "halves"))), "kind": DIGIT_KINDS},
    reach=(0, 99999),
)

SPANS = (
    Part("to_n", "from 1 to n", "range(‹1|0›, ‹n + 1|n›)", parameter="n: int"),
    Part("below_n", "from 0 up to but not including n", "range(‹n|n + 1|1, n + 1›)", parameter="n: int"),
    Part("from_a_to_b", "from a to b, both included,", "range(‹a|a + 1›, ‹b + 1|b›)", parameter="a: int, b: int"),
    Part("between", "strictly between a and b", "range(‹a + 1|a›, ‹b|b + 1›)", parameter="a: int, b: int"),
)

SPAN = Family(
    "span",
    "arithmetic",
    "",
    "{form}_{map}_{filter}_{span}",
    ("Return the {form} of the {map} {filter} {span}{tail}.",),
    (
        Form(
            "sum",
            "sum",
            (
                "total = ‹0|1›\nfor x in {span}:\n    if {filter}:\n        total ‹+=|=› {map}\n‹return total|total›",
                "return ‹sum|len›([{map} for x in {span} ‹if {filter}|›])",
            ),
        ),
        Form(
            "list",
            "list",
            (
                "return [{map} for x in {span} ‹if {filter}|›]",
                "result = []\nfor x in {span}:\n    if {filter}:\n        result.append({map})\n‹return result|result›",
            ),
            "list[int]",
        ),
        Form("falling", "descending list", ("return ‹[{map} for x in {span} ‹if {filter}|›][::-1]|[{map} for x in {span} ‹if {filter}|›]›",), "list[int]"),
    ),
    {
        "map": (SAME, *named(MAPS, "squares", "cubes", "doubles", "successors")),
        "filter": (*named(FILTERS, "even", "odd", "multiple", "indivisible", "above", "at_most"), ALL),
        "span": SPANS,
    },
)

DIVISOR_KINDS = (
    Part("", "divisors of n", "n % d ‹==|!=› 0"),
    Part("even", "even divisors of n", "n % d ‹==|!=› 0 ‹and|or› d % 2 ‹==|!=› 0"),
    Part("odd", "odd divisors of n", "n % d ‹==|!=› 0 ‹and|or› d % 2 ‹!=|==› 0"),
    Part("above", "divisors of n greater than {k}", "n % d ‹==|!=› 0 ‹and|or› d ‹>|>=|<› {k}", ("2", "3", "4", "5")),
    Part("below", "divisors of n less than {k}", "n % d ‹==|!=› 0 ‹and|or› d ‹<|<=|>› {k}", ("5", "6", "8", "9")),
    Part("common", "common divisors of n and m", "n % d ‹==|!=› 0 ‹and|or› m % d ‹==|!=› 0", parameter="m: int"),
    Part("unshared", "divisors of n that do not divide m", "n % d ‹==|!=› 0 ‹and|or› m % d ‹!=|==› 0", parameter="m: int"),
)

DIVISORS = Family(
    "divisors",
    "arithmetic",
    "n: int",
    "{form}_{map}_{kind}_divisors",
    ("Return the {form} of the {map} {kind} (n >= 1){tail}.",),
    (
        Form(
            "sum",
            "sum",
            (
                "total = ‹0|1›\nfor d in range(‹1|2›, ‹n + 1|n›):\n    if {kind}:\n        total ‹+=|=› {map}\n‹return total|total›",
                "return ‹sum|len›([{map} for d in range(1, ‹n + 1|n›) ‹if {kind}|›])",
            ),
        ),
        Form(
            "list",
            "list",
            (
                "result = []\nfor d in range(‹1|2›, ‹n + 1|n›):\n    if {kind}:\n        result.append({map})\n‹return result|result›",
                "return [{map} for d in range(1, ‹n + 1|n›) ‹if {kind}|›]",
            ),
            "list[int]",
        ),
        Form(
            "largest",
            "largest",
            ("best = ‹0|n›\nfor d in range(1, ‹n + 1|n›):\n    if {kind}:\n        best = ‹max|min›(best, {map})\n‹return best|best›",),
            tail=", or 0 if there are none",
        ),
        Form("falling", "descending list", ("return [{map} for d in range(‹n|n - 1›, ‹0|1›, -1) ‹if {kind}|›]",), "list[int]"),
    ),
    {"map": called("d", (SAME, *named(MAPS, "squares", "doubles", "successors"))), "kind": DIVISOR_KINDS},
    reach=(1, 48),
)

VALUES = (
    Part("sum", "a plus b", "a ‹+|-› b"),
    Part("difference", "a minus b", "‹a - b|b - a›"),
    Part("product", "a times b", "a ‹*|+› b"),
    Part("larger", "the larger of a and b", "‹max|min›(a, b)"),
    Part("smaller", "the smaller of a and b", "‹min|max›(a, b)"),
    Part("square", "the square of a", "a ‹*|+› a"),
    Part("distance", "the absolute difference of a and b", "‹abs(a - b)|a - b›"),
    Part("double", "twice b", "‹2 * b|2 * a|b›"),
)

CASES = (
    Part("a_even", "a is even", "a % 2 ‹==|!=› 0"),
    Part("b_odd", "b is odd", "b % 2 ‹!=|==› 0"),
    Part("ordered", "a is less than b", "a ‹<|<=|>› b"),
    Part("both_positive", "both a and b are positive", "a ‹>|>=› 0 ‹and|or› b ‹>|>=› 0"),
    Part("one_negative", "a or b is negative", "a ‹<|<=› 0 ‹or|and› b ‹<|<=› 0"),
    Part("same_parity", "a and b are both even or both odd", "a % 2 ‹==|!=› b % 2"),
    Part("close", "a and b differ by at most {k}", "abs(a - b) ‹<=|<|>› {k}", ("2", "3", "4")),
    Part("big_sum", "the sum of a and b is greater than {k}", "a ‹+|*› b ‹>|>=|<› {k}", ("5", "6", "8")),
)

CHOOSE = Family(
    "choose",
    "arithmetic",
    "a: int, b: int",
    "{yes}_if_{case}_else_{no}",
    ("Return {yes} if {case}, otherwise {no}.",),
    (
        Form(
            "",
            "",
            (
                "if {case}:\n    ‹return |›{yes}\nreturn {no}",
                "return {yes} if {case} else {no}",
                "if {case}:\n    result = {yes}\nelse:\n    result = {no}\n‹return result|result›",
            ),
        ),
    ),
    {"case": CASES, "yes": VALUES, "no": VALUES},
)

FAMILIES = (DIGITS, SPAN, DIVISORS, CHOOSE)
