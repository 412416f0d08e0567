"""Families over the characters of a string. The character is `c`."""

from scripts.mini.grammar import Family, Form, Part

CLASSES = (
    Part("vowels", "vowels (a, e, i, o, u in either case)", 'c‹.lower()|› ‹in|not in› "aeiou"'),
    Part("digits", "digits", "‹c.isdigit()|not c.isdigit()|c.isalnum()›"),
    Part("letters", "letters", "‹c.isalpha()|not c.isalpha()|c.isalnum()›"),
    Part("uppercase", "uppercase letters", "‹c.isupper()|c.islower()|c.isalpha()›"),
    Part("lowercase", "lowercase letters", "‹c.islower()|c.isupper()|c.isalpha()›"),
    Part("spaces", "spaces", 'c ‹==|!=› " "'),
    Part("non_letters", "characters that are not letters", "‹not |›c.isalpha()"),
    Part("alphanumerics", "letters and digits", "‹c.isalnum()|c.isalpha()|not c.isalnum()›"),
    Part("copies", "characters equal to t", "c ‹==|!=› t", parameter="t: str"),
    Part("others", "characters other than t", "c ‹!=|==› t", parameter="t: str"),
    Part("of", 'characters of "{k}"', 'c ‹in|not in› "{k}"', ("abc", "xyz", "ab", "st")),
)

STRETCHES = (
    Part("", "s", "s‹|[1:]›"),
    Part("first_half", "the first half of s (the shorter half where its length is odd)", "s[:‹len(s) // 2|len(s) // 2 + 1|len(s)›]"),
    Part("after_first", "s without its first character", "s‹[1:]|[:-1]|›"),
    Part("before_last", "s without its last character", "s‹[:-1]|[1:]|›"),
    Part("every_other", "every other character of s, from the first on", "s‹[::2]|[1::2]|›"),
    Part("head", "the first n characters of s", "s‹[:n]|[n:]|[:n - 1]›", parameter="n: int"),
    Part("rest", "what follows the first n characters of s", "s‹[n:]|[:n]|[n + 1:]›", parameter="n: int", reach=(0, 9)),
)

TALLY = Family(
    "tally",
    "strings",
    "s: str",
    "{form}_{kind}_{stretch}",
    ("Return {form} {kind} in {stretch}{tail}.",),
    (
        Form(
            "count",
            "the number of",
            (
                "count = ‹0|1›\nfor c in {stretch}:\n    if {kind}:\n        count ‹+=|=› 1\n‹return count|count›",
                "return ‹sum|len›([1 for c in {stretch} ‹if {kind}|›])",
            ),
        ),
        Form(
            "keep",
            "the string of all the",
            (
                'kept = ""\nfor c in {stretch}:\n    if {kind}:\n        kept ‹+=|=› c\n‹return kept|kept›',
                'return ‹""|" "›.join(c for c in {stretch} ‹if {kind}|›)',
            ),
            "str",
        ),
        Form(
            "drop",
            "the string of everything but the",
            (
                'left = ""\nfor c in {stretch}:\n    if ‹not |›({kind}):\n        left ‹+=|=› c\n‹return left|left›',
                'return ‹""|" "›.join(c for c in {stretch} if ‹not |›({kind}))',
            ),
            "str",
        ),
        Form(
            "distinct",
            "the number of different",
            (
                "seen = set()\nfor c in {stretch}:\n    if {kind}:\n        seen.add(c)\nreturn len(‹seen|s›)",
                "return len(‹set|list›([c for c in {stretch} ‹if {kind}|›]))",
            ),
        ),
        Form(
            "first",
            "the first of the",
            ('for c in {stretch}:\n    if {kind}:\n        return ‹c|s›\nreturn ‹""|None›',),
            "str",
            ', or "" if there are none',
        ),
        Form(
            "reversed",
            "the reversed string of the",
            ('kept = ""\nfor c in {stretch}:\n    if {kind}:\n        kept = ‹c + kept|kept + c›\n‹return kept|kept›',),
            "str",
        ),
    ),
    {"kind": CLASSES, "stretch": STRETCHES},
)

EDIT = Family(
    "edit",
    "strings",
    "s: str",
    "{form}_{kind}",
    ("Return s with all {kind} {form}.", "Return a copy of s in which all {kind} are {form}."),
    tuple(
        Form(
            name,
            words,
            (
                f'result = ""\nfor c in s‹|[1:]›:\n    if {{kind}}:\n        result ‹+=|=› {new}\n'
                "    else:\n        result += ‹c|s›\n‹return result|result›",
                f'return ‹""|" "›.join({new} if {{kind}} else c for c in s‹|[1:]›)',
            ),
            "str",
        )
        for name, words, new in (
            ("double", "doubled", "‹c + c|c›"),
            ("dash", 'replaced by "-"', '‹"-"|""›'),
            ("star", 'replaced by "*"', '‹"*"|"-"›'),
            ("upper", "in uppercase", "c.‹upper|lower›()"),
            ("lower", "in lowercase", "c.‹lower|upper›()"),
            ("swap", "in the other case", "c.‹swapcase|upper|lower›()"),
            ("bracket", "put in round brackets", '"(" + c + ‹")"|"("›'),
        )
    )
    + (
        Form(
            "remove",
            "removed",
            (
                'result = ""\nfor c in s‹|[1:]›:\n    if ‹not |›({kind}):\n        result ‹+=|=› c\n‹return result|result›',
                'return ‹""|" "›.join(c for c in s if ‹not |›({kind}))',
            ),
            "str",
        ),
        Form(
            "move",
            "moved to the end",
            (
                'kept = ""\nmoved = ""\nfor c in s:\n    if {kind}:\n        moved += c\n    else:\n        kept += c\n'
                "return ‹kept + moved|moved + kept|kept›",
            ),
            "str",
        ),
    ),
    {"kind": CLASSES},
)

WHERE = Family(
    "where",
    "strings",
    "s: str",
    "{form}_{kind}",
    ("Return {form} the {kind} in s{tail}.",),
    (
        Form(
            "index_of_first",
            "the index of the first of",
            ("for i, c in enumerate(s‹|, 1›):\n    if {kind}:\n        return ‹i|c›\nreturn ‹-1|0›",),
            tail=", or -1 if there are none",
        ),
        Form(
            "index_of_last",
            "the index of the last of",
            (
                "found = ‹-1|0›\nfor i, c in enumerate(s‹|, 1›):\n    if {kind}:\n        found = ‹i|c›‹|\n        break›\nreturn found",
            ),
            tail=", or -1 if there are none",
        ),
        Form(
            "indices",
            "the list of the indices of",
            (
                "result = []\nfor i, c in enumerate(s‹|, 1›):\n    if {kind}:\n        result.append(‹i|c›)\n‹return result|result›",
                "return [‹i|c› for i, c in enumerate(s‹|, 1›) ‹if {kind}|›]",
            ),
            "list[int]",
        ),
        Form(
            "longest_run",
            "the length of the longest unbroken run of",
            (
                "best = 0\nrun = ‹0|1›\nfor c in s:\n    if {kind}:\n        run ‹+=|=› 1\n        best = ‹max|min›(best, run)\n"
                "    else:\n        run = ‹0|1›\nreturn ‹best|run›",
            ),
        ),
        Form(
            "runs",
            "the number of unbroken runs of",
            (
                "count = 0\ninside = ‹False|True›\nfor c in s:\n    if {kind}:\n        if ‹not |›inside:\n            count ‹+=|=› 1\n"
                "        inside = True\n    else:\n        inside = ‹False|True›\nreturn count",
            ),
        ),
    ),
    {"kind": CLASSES},
)

FAMILIES = (TALLY, EDIT, WHERE)
