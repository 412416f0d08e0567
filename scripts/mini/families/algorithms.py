"""Families of small algorithms: runs, pairs, windows, tables, sorting, recurrences."""

from dataclasses import replace

from scripts.mini.families.lists import OR_NONE, XS
from scripts.mini.families.numbers import FILTERS, named
from scripts.mini.grammar import Family, Form, Part

STREAK = Family(
    "streak",
    "algorithms",
    XS,
    "{form}_{filter}",
    ("Return {form} {filter} in xs.",),
    (
        Form(
            "longest_run",
            "the length of the longest unbroken run of",
            (
                "best = 0\nrun = ‹0|1›\nfor x in xs:\n    if {filter}:\n        run ‹+=|=› 1\n        best = ‹max|min›(best, run)\n"
                "    else:\n        run = ‹0|1›\nreturn ‹best|run›",
            ),
        ),
        Form(
            "runs",
            "the number of unbroken runs of",
            (
                "count = 0\ninside = ‹False|True›\nfor x in xs:\n    if {filter}:\n        if ‹not |›inside:\n            count ‹+=|=› 1\n"
                "        inside = True\n    else:\n        inside = ‹False|True›\nreturn count",
            ),
        ),
        Form(
            "best_run_sum",
            "the largest sum, at least 0, of an unbroken run of",
            (
                "best = 0\ntotal = ‹0|1›\nfor x in xs:\n    if {filter}:\n        total ‹+=|=› x\n        best = ‹max|min›(best, total)\n"
                "    else:\n        total = ‹0|x›\nreturn ‹best|total›",
            ),
        ),
        Form(
            "before",
            "how many numbers come before the first of the",
            ("count = ‹0|1›\nfor x in xs:\n    if {filter}:\n        ‹break|continue›\n    count ‹+=|=› 1\n‹return count|count›",),
        ),
        Form(
            "after",
            "how many numbers come after the last of the",
            ("count = ‹0|1›\nfor x in xs‹[::-1]|›:\n    if {filter}:\n        ‹break|continue›\n    count ‹+=|=› 1\n‹return count|count›",),
        ),
    ),
    {"filter": FILTERS},
)

PAIR_KINDS = (
    Part("even_sum", "have an even sum", "(x + y) % 2 ‹==|!=› 0"),
    Part("odd_product", "have an odd product", "x * y % 2 ‹!=|==› 0"),
    Part("equal", "are equal", "x ‹==|!=› y"),
    Part("rising", "are rising, the first less than the second", "x ‹<|<=|>› y"),
    Part("falling", "are falling, the first greater than the second", "x ‹>|>=|<› y"),
    Part("close", "differ by at most {k}", "abs(x - y) ‹<=|<|>› {k}", ("1", "2", "3", "4")),
    Part("far", "differ by more than {k}", "abs(x - y) ‹>|>=|<› {k}", ("2", "3", "4", "5")),
    Part("sum_n", "add up to n", "x ‹+|-|*› y ‹==|!=› n", parameter="n: int"),
    Part("over_n", "add up to more than n", "x ‹+|-› y ‹>|>=|<› n", parameter="n: int"),
    Part("opposite", "have opposite signs", "x * y ‹<|<=|>› 0"),
)

PAIRS = Family(
    "pairs",
    "algorithms",
    XS,
    "{form}_pairs_{kind}",
    ("Return {form} pairs of numbers at different positions in xs, taken in order, that {kind}{tail}.",),
    (
        Form(
            "count",
            "the number of",
            (
                "count = ‹0|1›\nfor i in range(len(xs)):\n    for j in range(‹i + 1|i|1›, len(xs)):\n        x = xs[i]\n        y = xs[‹j|i›]\n        if {kind}:\n"
                "            count ‹+=|=› 1\n‹return count|count›",
                "count = ‹0|1›\nfor i, x in enumerate(xs):\n    for y in xs[‹i + 1|i›:]:\n        if {kind}:\n            count ‹+=|=› 1\n‹return count|count›",
            ),
        ),
        Form(
            "any",
            "True if there are",
            (
                "for i, x in enumerate(xs):\n    for y in xs[‹i + 1|i›:]:\n        if {kind}:\n            return ‹True|False›\nreturn ‹False|True›",
            ),
            "bool",
            ", otherwise False",
        ),
        Form(
            "first",
            "the first of the",
            (
                "for i, x in enumerate(xs):\n    for y in xs[‹i + 1|i›:]:\n        if {kind}:\n            return [x, ‹y|x›]\nreturn ‹[]|None›",
            ),
            "list[int]",
            ", as a list of two, or an empty list if there are none",
        ),
        Form(
            "largest_sum",
            "the largest sum of the",
            (
                "best = None\nfor i, x in enumerate(xs):\n    for y in xs[‹i + 1|i›:]:\n        if {kind}:\n"
                "            if best is None or x + y ‹>|<› best:\n                best = ‹x + y|x›\n‹return best|best›",
            ),
            "int | None",
            OR_NONE,
        ),
    ),
    {"kind": PAIR_KINDS},
)

NEXT_TO = Family(
    "next_to",
    "algorithms",
    XS,
    "{form}_neighbours_{kind}",
    ("Return {form} neighbouring numbers in xs that {kind}{tail}.",),
    (
        Form(
            "count",
            "the number of pairs of",
            (
                "count = ‹0|1›\nfor i in range(‹1|0|2›, len(xs)):\n    x = xs[i - 1]\n    y = xs[i]\n    if {kind}:\n        count ‹+=|=› 1\n‹return count|count›",
                "return ‹sum|len›([1 for x, y in zip(xs, xs‹[1:]|›) ‹if {kind}|›])",
            ),
        ),
        Form(
            "all",
            "True if there are only",
            ("return ‹all|any›({kind} for x, y in zip(xs, xs‹[1:]|›))", "for x, y in zip(xs, xs‹[1:]|[2:]›):\n    if not ({kind}):\n        return ‹False|True›\nreturn ‹True|False›"),
            "bool",
            ", otherwise False",
        ),
        Form(
            "index",
            "the index of the first of two",
            (
                "for i in range(‹len(xs) - 1|1, len(xs) - 1|len(xs) - 2›):\n    x = xs[i]\n    y = xs[i + 1]\n    if {kind}:\n        return ‹i|i + 1›\nreturn ‹-1|0›",
            ),
            tail=", or -1 if there are none",
        ),
        Form(
            "longest",
            "the length of the longest stretch of",
            (
                "best = ‹0|1›\nrun = 0\nfor i in range(len(xs)):\n    if i > 0:\n        x = xs[i - 1]\n        y = xs[i]\n        if ‹not |›({kind}):\n            run = ‹0|1›\n"
                "    run ‹+=|=› 1\n    best = ‹max|min›(best, run)\nreturn ‹best|run›",
            ),
            tail=", each next to the one before",
        ),
    ),
    {"kind": PAIR_KINDS},
)

WINDOWS = Family(
    "windows",
    "algorithms",
    "xs: list[int], n: int",
    "{form}_window_{value}",
    ("Return {form} the {value} of all stretches of n neighbouring numbers in xs (n >= 1){tail}.",),
    (
        Form(
            "list",
            "the list of",
            (
                "result = []\nfor i in range(len(xs) - n ‹+ 1|- 1|›):\n    w = xs[i:‹i + n|n|i + n - 1›]\n    result.append({value})\n‹return result|result›",
                "return [{value} for w in [xs[i:‹i + n|n›] for i in range(len(xs) - n ‹+ 1|- 1|›)]]",
            ),
            "list[int]",
        ),
        Form(
            "largest",
            "the largest of",
            (
                "best = None\nfor i in range(len(xs) - n ‹+ 1|- 1|›):\n    w = xs[i:‹i + n|n|i + n - 1›]\n    y = {value}\n    if best is None or y ‹>|<› best:\n        best = y\n‹return best|best›",
            ),
            "int | None",
            OR_NONE,
        ),
        Form(
            "smallest",
            "the smallest of",
            (
                "best = None\nfor i in range(len(xs) - n ‹+ 1|- 1|›):\n    w = xs[i:‹i + n|n|i + n - 1›]\n    y = {value}\n    if best is None or y ‹<|>› best:\n        best = y\n‹return best|best›",
            ),
            "int | None",
            OR_NONE,
        ),
        Form(
            "total",
            "the total of",
            (
                "total = ‹0|1›\nfor i in range(len(xs) - n ‹+ 1|- 1|›):\n    w = xs[i:‹i + n|n|i + n - 1›]\n    total ‹+=|=› {value}\n‹return total|total›",
            ),
        ),
    ),
    {
        "value": (
            Part("sums", "sums", "‹sum|max|len›(w)"),
            Part("maxima", "largest numbers", "‹max|min›(w)"),
            Part("minima", "smallest numbers", "‹min|max›(w)"),
            Part("spreads", "differences of largest and smallest number", "‹max(w) - min(w)|max(w)›"),
            Part("varieties", "numbers of different values", "len(‹set(w)|w›)"),
            Part("ends", "sums of first and last number", "w[0] ‹+|*› w[‹-1|1›]"),
        )
    },
    reach=(1, 4),
)

KEYS = (
    Part("last_digit", "last digit", "abs(x) ‹%|//› 10"),
    Part("parity", "remainder after division by 2", "x ‹%|//› 2"),
    Part("thirds", "remainder after division by 3", "x ‹%|//› 3"),
    Part("size", "absolute value", "‹abs(x)|x›"),
    Part("square", "square", "x ‹*|+› x"),
    Part("mod_n", "remainder after division by n", "x ‹%|//› n", parameter="n: int", reach=(1, 6)),
    Part("distance", "absolute difference to n", "‹abs(x - n)|x - n›", parameter="n: int"),
    Part("tens", "quotient after division by 10, rounded down", "x ‹//|%› 10"),
)

TABLE = Family(
    "table",
    "algorithms",
    XS,
    "{form}_by_{by}",
    ("Return a dictionary from {by} to {form}, for the numbers in xs.",),
    tuple(
        Form(
            name,
            words,
            (f"table = {{}}\nfor x in xs‹|[1:]›:\n    y = {{by}}\n    {step}\n‹return table|table›",),
            f"dict[int, {value}]",
        )
        for name, words, value, step in (
            ("count", "how many numbers have it", "int", "table[y] = table.get(y, ‹0|1›) ‹+ 1|›"),
            ("sum", "the sum of the numbers that have it", "int", "table[y] = table.get(y, ‹0|1›) ‹+ x|+ 1|›"),
            ("list", "the list of the numbers that have it", "list[int]", "table[y] = table.get(y, []) ‹+ [x]|›"),
            ("last", "the last number that has it", "int", "table[y] = ‹x|y›"),
            ("first", "the first number that has it", "int", "‹if y not in table:|if x not in table:›\n        table[y] = x"),
            ("largest", "the largest number that has it", "int", "table[y] = ‹max|min›(x, table.get(y, ‹x|0›))"),
        )
    ),
    {
        "by": tuple(
            replace(part, words=f"each {part.words} of a number")
            for part in named(KEYS, "last_digit", "parity", "thirds", "size", "square", "mod_n", "distance", "tens")
        )
    },
)

ORDER = Family(
    "order",
    "algorithms",
    XS,
    "{form}_by_{by}",
    ("Return {form} by {by}{tail}.",),
    (
        Form(
            "sorted",
            "the numbers in xs sorted",
            (
                "return sorted(‹xs|xs[1:]›‹, key=lambda x: {by}|›)",
                "result = []\nfor x in sorted(set(xs)‹|, reverse=True›):\n    result += [x] * xs.count(x)\nreturn sorted(result, key=lambda x: {by})",
            )[:1],
            "list[int]",
            ", smallest first, ties in their old order",
        ),
        Form(
            "sorted_falling",
            "the numbers in xs sorted",
            ("return sorted(xs‹, key=lambda x: -({by})|, key=lambda x: {by}|›)",),
            "list[int]",
            ", largest first, ties in their old order",
        ),
        Form(
            "first_largest",
            "the first number in xs that is largest",
            (
                "best = None\nfor x in xs‹|[1:]›:\n    y = {by}\n    if best is None or y ‹>|>=|<› top:\n        best = ‹x|y›\n        top = y\n‹return best|best›",
                "return ‹max|min›(xs‹, key=lambda x: {by}|›, default=None)",
            ),
            "int | None",
            ", or None if xs is empty",
        ),
        Form(
            "first_smallest",
            "the first number in xs that is smallest",
            (
                "best = None\nfor x in xs‹|[1:]›:\n    y = {by}\n    if best is None or y ‹<|<=|>› top:\n        best = ‹x|y›\n        top = y\n‹return best|best›",
                "return ‹min|max›(xs‹, key=lambda x: {by}|›, default=None)",
            ),
            "int | None",
            ", or None if xs is empty",
        ),
        Form(
            "one_each",
            "the numbers in xs, only the first of those that are equal",
            (
                "seen = set()\nresult = []\nfor x in xs:\n    y = {by}\n    if y ‹not in|in› ‹seen|result›:\n        ‹seen.add(y)|seen.add(x)›\n        result.append(‹x|y›)\n‹return result|result›",
            ),
            "list[int]",
        ),
    ),
    {"by": KEYS},
)

RULES = (
    Part("sum", "the sum of the two before it", "a ‹+|-› b"),
    Part("difference", "the one before it minus the one before that", "‹b - a|a - b›"),
    Part("double_plus", "twice the one before it plus the one before that", "‹2 * b + a|2 * a + b|b + a›"),
    Part("sum_plus", "the sum of the two before it plus {k}", "a + b ‹+|-› {k}", ("1", "2", "3")),
    Part("skip", "the one before it plus twice the one before that", "‹b + 2 * a|a + 2 * b|b + a›"),
    Part("ones", "the last digit of the sum of the two before it", "(a + b) ‹%|//› 10"),
    Part("product", "the last digit of the product of the two before it", "a ‹*|+› b % 10"),
    Part("plus_n", "the one before it plus {k}", "‹b|a› + {k}", ("2", "3", "4", "5")),
)

STARTS = (
    Part("zero_one", "0 and 1", "a, b = ‹0, 1|1, 1|1, 0›"),
    Part("one_two", "1 and 2", "a, b = ‹1, 2|1, 1|2, 1›"),
    Part("two_one", "2 and 1", "a, b = ‹2, 1|1, 2›"),
    Part("one_three", "1 and 3", "a, b = ‹1, 3|1, 1|3, 1›"),
    Part("three_two", "3 and 2", "a, b = ‹3, 2|2, 3›"),
    Part("a_b", "a and b", "‹|a, b = b, a›", parameter="a: int, b: int"),
)

SEQUENCE = Family(
    "sequence",
    "algorithms",
    "n: int",
    "{form}_{rule}_from_{start}",
    ("Return {form} that starts with {start} and in which each further number is {rule}{tail}.",),
    (
        Form(
            "nth",
            "number n, counted from 0, of the sequence",
            ("{start}\nfor _ in range(‹n|n - 1|n + 1›):\n    a, b = ‹b|a›, {rule}\nreturn ‹a|b›",),
        ),
        Form(
            "list",
            "the list of the first n numbers of the sequence",
            ("{start}\nresult = []\nfor _ in range(‹n|n - 1|n + 1›):\n    result.append(‹a|b›)\n    a, b = ‹b|a›, {rule}\n‹return result|result›",),
            "list[int]",
        ),
        Form(
            "total",
            "the sum of the first n numbers of the sequence",
            ("{start}\ntotal = ‹0|1›\nfor _ in range(‹n|n - 1|n + 1›):\n    total ‹+=|=› ‹a|b›\n    a, b = ‹b|a›, {rule}\n‹return total|total›",),
        ),
        Form(
            "evens",
            "how many of the first n numbers are even in the sequence",
            ("{start}\ncount = ‹0|1›\nfor _ in range(‹n|n - 1|n + 1›):\n    if ‹a|b› % 2 ‹==|!=› 0:\n        count ‹+=|=› 1\n    a, b = ‹b|a›, {rule}\n‹return count|count›",),
        ),
    ),
    {"rule": RULES, "start": STARTS},
    reach=(0, 9),
)

FAMILIES = (STREAK, PAIRS, NEXT_TO, WINDOWS, TABLE, ORDER, SEQUENCE)
