"""Families that take a list of integers to a number or a truth value."""

from scripts.mini.families.numbers import FILTERS, MAPS, SAME, named
from scripts.mini.grammar import Family, Form, Part

XS = "xs: list[int]"
OR_NONE = ", or None if there are none"


def _extreme(name: str, better: str, worse: str) -> Form:
    loop = (
        "best = None\nfor x in xs‹|[1:]›:\n    if {filter}:\n        y = {map}\n"
        f"        if best is None or y ‹{better}|{worse}› best:\n            best = ‹y|x›\n‹return best|best›"
    )
    builtin = f"return ‹{name}›(({{map}} for x in xs ‹if {{filter}}|›), default=‹None|0›)"
    function, wrong = ("max", "min") if better == ">" else ("min", "max")
    return Form(name, name, (loop, builtin.replace(f"‹{name}›", f"‹{function}|{wrong}|sum›")), "int | None", OR_NONE)


FOLD = Family(
    "fold",
    "lists",
    XS,
    "{form}_{map}_{filter}",
    ("Return the {form} of the {map} {filter} in xs{tail}.", "Find the {form} of the {map} {filter} in xs{tail}."),
    (
        Form(
            "sum",
            "sum",
            (
                "total = ‹0|1›\nfor x in xs‹|[1:]›:\n    if {filter}:\n"
                "        total ‹+=|=|-=› {map}\n‹return total|total›",
                "return ‹sum|max|len›([{map} for x in xs ‹if {filter}|›])",
            ),
        ),
        Form(
            "product",
            "product",
            (
                "result = ‹1|0›\nfor x in xs‹|[:-1]›:\n    if {filter}:\n"
                "        result ‹*=|+=› {map}\n‹return result|result›",
            ),
        ),
        _extreme("largest", ">", "<"),
        _extreme("smallest", "<", ">"),
    ),
    {"map": (SAME, *MAPS), "filter": FILTERS},
)

FIND = Family(
    "find",
    "lists",
    XS,
    "{form}_{filter}",
    ("Return the {form} among the {filter} in xs{tail}.",),
    (
        Form(
            "first",
            "first number",
            ("for x in xs‹|[1:]›:\n    if {filter}:\n        return x\nreturn ‹None|0›",),
            "int | None",
            OR_NONE,
        ),
        Form(
            "last",
            "last number",
            (
                "for x in ‹reversed(xs)|xs›:\n    if {filter}:\n        return x\nreturn ‹None|0›",
                "found = None\nfor x in xs‹|[:-1]›:\n    if {filter}:\n        found = x‹|\n        break›\nreturn found",
            ),
            "int | None",
            OR_NONE,
        ),
        Form(
            "index_of_first",
            "index of the first number",
            (
                "for i, x in enumerate(xs‹|, 1›):\n    if {filter}:\n        return ‹i|x›\nreturn ‹-1|0›",
                "for i in range(‹len(xs)|1, len(xs)|len(xs) - 1›):\n    x = xs[i]\n    if {filter}:\n        return ‹i|x›\n"
                "return -1",
            ),
            tail=", or -1 if there are none",
        ),
        Form(
            "index_of_last",
            "index of the last number",
            (
                "found = ‹-1|0›\nfor i, x in enumerate(xs‹|, 1›):\n    if {filter}:\n        found = ‹i|x›‹|\n        break›\n"
                "return found",
            ),
            tail=", or -1 if there are none",
        ),
        Form(
            "second",
            "second number",
            (
                "seen = ‹0|1›\nfor x in xs:\n    if {filter}:\n        seen ‹+=|=› 1\n        if seen == 2:\n"
                "            return x\nreturn ‹None|0›",
            ),
            "int | None",
            ", or None if there are fewer than two",
        ),
    ),
    {"filter": FILTERS},
)

JUDGE = Family(
    "judge",
    "lists",
    XS,
    "{form}_{filter}",
    ("Return True if {form} of the numbers in xs is among the {filter}, otherwise False.",),
    (
        Form(
            "all",
            "every one",
            (
                "for x in xs‹|[1:]›:\n    if not ({filter}):\n        return ‹False|True›\nreturn ‹True|False›",
                "return ‹all|any›({filter} for x in xs‹|[1:]›)",
            ),
            "bool",
        ),
        Form(
            "any",
            "at least one",
            (
                "for x in xs‹|[1:]›:\n    if {filter}:\n        return ‹True|False›\nreturn ‹False|True›",
                "return ‹any|all›({filter} for x in xs‹|[:-1]›)",
            ),
            "bool",
        ),
        Form("none", "none", ("return ‹not |›‹any|all›({filter} for x in xs‹|[:-1]›)",), "bool"),
        Form(
            "exactly_one",
            "exactly one",
            (
                "count = ‹0|1›\nfor x in xs:\n    if {filter}:\n        count ‹+=|=› 1\nreturn count ‹==|>=› 1",
                "return ‹sum|len›(1 for x in xs ‹if {filter}|›) ‹==|>=› 1",
            ),
            "bool",
        ),
        Form(
            "more_than_half",
            "more than half",
            ("count = 0\nfor x in xs:\n    if {filter}:\n        count ‹+=|=› 1\nreturn ‹2 * |›count ‹>|>=|<› len(xs)",),
            "bool",
        ),
    ),
    {"filter": FILTERS},
)

COUNT = Family(
    "count",
    "lists",
    XS,
    "count_{first}_{form}_{second}",
    (
        "Return how many of the {first} in xs are {form} among the {second}.",
        "Count those of the {first} in xs that are {form} among the {second}.",
    ),
    (
        Form(
            "and",
            "also",
            (
                "count = ‹0|1›\nfor x in xs‹|[1:]›:\n    if {first} ‹and|or› {second}:\n        count ‹+=|=› 1\n"
                "‹return count|count›",
            ),
        ),
        Form(
            "not",
            "not",
            (
                "count = ‹0|1›\nfor x in xs‹|[1:]›:\n    if {first} and ‹not |›({second}):\n        count ‹+=|=› 1\n"
                "‹return count|count›",
            ),
        ),
    ),
    {
        "first": named(FILTERS, "even", "odd", "positive", "negative", "multiple", "over"),
        "second": named(FILTERS, "even", "odd", "positive", "multiple", "above", "at_most", "single_digit", "small"),
    },
)

PLACES = (
    Part("at_even", "at even positions of xs, counted from 0", "‹[::2]|[1::2]|›"),
    Part("at_odd", "at odd positions of xs, counted from 0", "‹[1::2]|[::2]|›"),
    Part("after_first", "of xs without its first one", "‹[1:]|[:-1]|›"),
    Part("before_last", "of xs without its last one", "‹[:-1]|[1:]|›"),
    Part("inside", "of xs without its first and its last one", "‹[1:-1]|[1:]|[:-1]›"),
    Part("first_n", "among the first n of xs", "‹[:n]|[n:]|[:n - 1]›", parameter="n: int", reach=(0, 6)),
    Part("after_n", "of xs after its first n", "‹[n:]|[:n]|[n + 1:]›", parameter="n: int", reach=(0, 6)),
    Part("every_third", "at positions 0, 3, 6 and so on of xs", "[::‹3|2›]"),
)

PLACED = Family(
    "placed",
    "lists",
    XS,
    "{form}_{map}_{place}",
    ("Return the {form} of the {map} numbers {place}{tail}.",),
    (
        Form(
            "sum",
            "sum",
            (
                "total = ‹0|1›\nfor x in xs{place}:\n    total ‹+=|=|-=› {map}\n‹return total|total›",
                "return ‹sum|max|len›([{map} for x in xs{place}])",
            ),
        ),
        Form("product", "product", ("result = ‹1|0›\nfor x in xs{place}:\n    result ‹*=|+=› {map}\n‹return result|result›",)),
        Form("largest", "largest", ("return ‹max|min|sum›([{map} for x in xs{place}], default=‹None|0›)",), "int | None", OR_NONE),
        Form("smallest", "smallest", ("return ‹min|max|sum›([{map} for x in xs{place}], default=‹None|0›)",), "int | None", OR_NONE),
    ),
    {"map": (SAME, *MAPS), "place": PLACES},
)

FAMILIES = (FOLD, FIND, JUDGE, COUNT, PLACED)
