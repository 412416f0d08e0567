"""Families that take a list of integers to a list."""

from scripts.mini.families.lists import XS
from scripts.mini.families.numbers import FILTERS, MAPS, SAME, named
from scripts.mini.grammar import Family, Form, Part

ROWS = "list[int]"

COLLECT = Family(
    "collect",
    "lists",
    XS,
    "{map}_{filter}_{form}",
    ("Return the list of the {map} {filter} in xs{form}.",),
    (
        Form(
            "",
            "",
            (
                "result = []\nfor x in xs‹|[1:]›:\n    if {filter}:\n        ‹result.append({map})|result = [{map}]›\n‹return result|result›",
                "return [{map} for x in xs‹|[:-1]› ‹if {filter}|›]",
            ),
            ROWS,
        ),
        Form("reversed", ", in reverse order", ("return [{map} for x in ‹reversed(xs)|xs› ‹if {filter}|›]",), ROWS),
        Form("ascending", ", in ascending order", ("return ‹sorted|list›({map} for x in xs ‹if {filter}|›)",), ROWS),
        Form(
            "descending",
            ", in descending order",
            ("return sorted(({map} for x in xs ‹if {filter}|›)‹, reverse=True|›)",),
            ROWS,
        ),
        Form(
            "once",
            ", each kept only the first time",
            (
                "result = []\nfor x in xs:\n    if {filter}:\n        y = {map}\n        if y ‹not in|in› ‹result|xs›:\n"
                "            result.append(‹y|x›)\n‹return result|result›",
            ),
            ROWS,
        ),
    ),
    {"map": (SAME, *MAPS), "filter": FILTERS},
)

CHANGE = Family(
    "change",
    "lists",
    XS,
    "{form}_{filter}",
    ("Return a copy of xs with the {filter} {form}.",),
    tuple(
        Form(name, words, (f"return [{new} if {{filter}} else ‹x|0› for x in xs‹|[1:]›]", loop.replace("NEW", new)), ROWS)
        for loop in (
            "result = ‹[]|[0]›\nfor x in xs‹|[1:]›:\n    if {filter}:\n        result.append(NEW)\n"
            "    else:\n        result.append(x)\n‹return result|result›",
        )
        for name, words, new in (
            ("zero", "replaced by 0", "‹0|1›"),
            ("square", "squared", "x ‹*|+› x"),
            ("double", "doubled", "‹2 * x|x|x + 2›"),
            ("negate", "negated", "‹-x|x›"),
            ("halve", "halved, rounded down", "x ‹//|%› 2"),
            ("increment", "increased by 1", "x ‹+|-› 1"),
        )
    )
    + (
        Form(
            "front",
            "moved to the front",
            (
                "front = []\nrest = []\nfor x in xs‹|[1:]›:\n    if {filter}:\n        front.append(x)\n    else:\n        rest.append(x)\n"
                "return ‹front + rest|rest + front|front›",
            ),
            ROWS,
        ),
        Form(
            "back",
            "moved to the back",
            (
                "back = []\nrest = []\nfor x in xs‹|[1:]›:\n    if {filter}:\n        back.append(x)\n    else:\n        rest.append(x)\n"
                "return ‹rest + back|back + rest|back›",
            ),
            ROWS,
        ),
        Form("repeat", "repeated twice in a row", ("result = []\nfor x in xs:\n    result.append(x)\n    if {filter}:\n        result.append(‹x|0›)\n‹return result|result›",), ROWS),
    ),
    {"filter": FILTERS},
)

RUNNING = Family(
    "running",
    "lists",
    XS,
    "running_{form}_{map}_{filter}",
    ("Return the running {form} of the {map} {filter} in xs.",),
    tuple(
        Form(
            name,
            words,
            (
                f"result = []\n{start}\nfor x in xs‹|[1:]›:\n    if {{filter}}:\n        {step}\n        result.append(‹{value}|x›)\n"
                "‹return result|result›",
            ),
            ROWS,
        )
        for name, words, start, step, value in (
            ("sum", "sums", "total = ‹0|1›", "total ‹+=|=› {map}", "total"),
            ("product", "products", "total = ‹1|0›", "total ‹*=|+=› {map}", "total"),
            ("maximum", "maxima", "best = None", "best = {map} if best is None else ‹max|min›(best, {map})", "best"),
            ("minimum", "minima", "best = None", "best = {map} if best is None else ‹min|max›(best, {map})", "best"),
        )
    ),
    {"map": named((SAME, *MAPS), "", "squares", "doubles", "sizes", "last_digits"), "filter": FILTERS},
)

BETWEEN = (
    Part("sums", "sums", "x ‹+|*› y"),
    Part("products", "products", "x ‹*|+› y"),
    Part("rises", "differences, the later minus the earlier,", "‹y - x|x - y›"),
    Part("distances", "absolute differences", "‹abs(x - y)|x - y›"),
    Part("larger", "larger ones", "‹max|min›(x, y)"),
    Part("smaller", "smaller ones", "‹min|max›(x, y)"),
)

NEIGHBOURS = Family(
    "neighbours",
    "lists",
    XS,
    "{form}_neighbour_{between}",
    ("Return {form} the {between} of neighbouring numbers in xs{tail}.", "Return {form} the {between} of each two neighbours in xs{tail}."),
    (
        Form(
            "list",
            "the list of",
            (
                "return [{between} for x, y in zip(xs, xs‹[1:]|›)]",
                "result = []\nfor i in range(‹1|0|2›, len(xs)):\n    x = xs[i - 1]\n    y = xs[i]\n    result.append({between})\n‹return result|result›",
            ),
            ROWS,
        ),
        Form("sum", "the sum of", ("total = ‹0|1›\nfor x, y in zip(xs, xs‹[1:]|[2:]›):\n    total ‹+=|=› {between}\n‹return total|total›",)),
        Form("largest", "the largest of", ("return ‹max|min›(({between} for x, y in zip(xs, xs‹[1:]|[2:]›)), default=‹None|0›)",), "int | None", ", or None if there are none"),
        Form("smallest", "the smallest of", ("return ‹min|max›(({between} for x, y in zip(xs, xs‹[1:]|›)), default=‹None|0›)",), "int | None", ", or None if there are none"),
        Form("reversed", "the reversed list of", ("result = [{between} for x, y in zip(xs, xs‹[1:]|›)]\nreturn result‹[::-1]|›",), ROWS),
        Form("sorted", "the ascending list of", ("return ‹sorted|list›({between} for x, y in zip(xs, xs‹[1:]|[2:]›))",), ROWS),
    ),
    {"between": BETWEEN},
)

PAIRED = Family(
    "paired",
    "lists",
    "xs: list[int], ys: list[int]",
    "{form}_paired_{between}",
    ("Return {form} the {between} of the numbers of xs and ys at the same positions{tail}.",),
    (
        Form(
            "list",
            "the list of",
            (
                "return [{between} for x, y in zip(xs, ‹ys|xs›)]",
                "result = []\nfor i in range(‹min|max›(len(xs), len(ys))):\n    x = xs[i]\n    y = ‹ys|xs›[i]\n    result.append({between})\n‹return result|result›",
            ),
            ROWS,
        ),
        Form("sum", "the sum of", ("total = ‹0|1›\nfor x, y in zip(xs, ‹ys|xs›):\n    total ‹+=|=› {between}\n‹return total|total›",)),
        Form("largest", "the largest of", ("return ‹max|min›(({between} for x, y in zip(xs, ‹ys|xs|ys[1:]›)), default=‹None|0›)",), "int | None", ", or None if there are none"),
        Form("last", "the last of", ("result = None\nfor x, y in zip(xs, ‹ys|xs›):\n    ‹result = {between}|return {between}›\nreturn ‹result|x›",), "int | None", ", or None if there are none"),
        Form("reversed", "the reversed list of", ("result = [{between} for x, y in zip(xs, ‹ys|ys[1:]›)]\nreturn result‹[::-1]|›",), ROWS),
    ),
    {
        "between": (
            *named(BETWEEN, "sums", "products", "distances", "larger", "smaller"),
            Part("differences", "differences, xs minus ys,", "‹x - y|y - x›"),
        )
    },
)

FAMILIES = (COLLECT, CHANGE, RUNNING, NEIGHBOURS, PAIRED)
