"""Families over the words of a string, which are what `split()` makes of it. The word is `w`."""

from scripts.mini.grammar import Family, Form, Part

PICKS = (
    Part("longer", "words of s longer than {k} characters", "len(w) ‹>|>=|<› {k}", ("2", "3", "4", "5")),
    Part("shorter", "words of s shorter than {k} characters", "len(w) ‹<|<=|>› {k}", ("3", "4", "5")),
    Part("long_enough", "words of s with at least n characters", "len(w) ‹>=|>|<› n", parameter="n: int", reach=(0, 7)),
    Part("even_length", "words of s of even length", "len(w) % 2 ‹==|!=› 0"),
    Part("odd_length", "words of s of odd length", "len(w) % 2 ‹==|!=› 1"),
    Part("capitalised", "words of s that start with an uppercase letter", "w[‹0|-1›].‹isupper|islower›()"),
    Part("starting", "words of s that start with t", "w.‹startswith|endswith›(t)", parameter="t: str"),
    Part("ending", "words of s that end with t", "w.‹endswith|startswith›(t)", parameter="t: str"),
    Part("containing", "words of s that contain t", "t ‹in|not in|==› w", parameter="t: str"),
    Part("lacking", "words of s that do not contain t", "t ‹not in|in|!=› w", parameter="t: str"),
    Part("symmetric", "words of s that read the same backwards", "w ‹==|!=› w[::-1]"),
)

FORMS = (
    Part("", "", "w"),
    Part("reversed", ", each reversed", "w‹[::-1]|›"),
    Part("uppercase", ", each in uppercase", "w.‹upper|lower|title›()"),
    Part("lowercase", ", each in lowercase", "w.‹lower|upper›()"),
    Part("headless", ", each without its first character", "w‹[1:]|[:-1]|[0]›"),
    Part("tailless", ", each without its last character", "w‹[:-1]|[1:]|[-1]›"),
    Part("doubled", ", each written twice in a row", "w ‹+ w|+ s|›"),
)

WORDS = Family(
    "words",
    "strings",
    "s: str",
    "{form}_{pick}_{how}",
    ("Return {form} the {pick}{how}.",),
    (
        Form(
            "list",
            "the list of",
            (
                "result = []\nfor w in s.split()‹|[1:]›:\n    if {pick}:\n        result.append({how})\n‹return result|result›",
                "return [{how} for w in ‹s.split()|s› ‹if {pick}|›]",
            ),
            "list[str]",
        ),
        Form(
            "join",
            "the string, joined by a single space, of",
            (
                'return ‹" "|""|", "›.join({how} for w in s.split() ‹if {pick}|›)',
                'result = []\nfor w in s.split()‹|[1:]›:\n    if {pick}:\n        result.append({how})\nreturn ‹" "|""›.join(result)',
            ),
            "str",
        ),
        Form(
            "dashed",
            'the string, joined by "-", of',
            ('return ‹"-"|""|" "›.join({how} for w in s.split() ‹if {pick}|›)',),
            "str",
        ),
        Form("sorted", "the alphabetical list of", ("return ‹sorted|list›({how} for w in s.split() ‹if {pick}|›)",), "list[str]"),
        Form("backwards", "the list, last one first, of", ("return [{how} for w in s.split()‹[::-1]|› ‹if {pick}|›]",), "list[str]"),
    ),
    {"pick": PICKS, "how": FORMS},
)

MEASURE = Family(
    "measure",
    "strings",
    "s: str",
    "{form}_{pick}",
    ("Return {form} the {pick}{tail}.",),
    (
        Form(
            "count",
            "the number of",
            (
                "count = ‹0|1›\nfor w in ‹s.split()|s›:\n    if {pick}:\n        count ‹+=|=› 1\n‹return count|count›",
                "return len([w for w in ‹s.split()|s› ‹if {pick}|›])",
            ),
        ),
        Form(
            "length",
            "the total length of",
            (
                "total = ‹0|1›\nfor w in s.split()‹|[1:]›:\n    if {pick}:\n        total ‹+=|=› ‹len(w)|1›\n‹return total|total›",
                "return sum(‹len(w)|1› for w in s.split() ‹if {pick}|›)",
            ),
        ),
        Form(
            "longest",
            "the first longest of",
            (
                'best = ""\nfor w in s.split()‹|[1:]›:\n    if {pick} and len(w) ‹>|>=|<› len(best):\n        best = ‹w|s›\n‹return best|best›',
                'return ‹max|min›((w for w in s.split() ‹if {pick}|›)‹, key=len|›, default="")',
            ),
            "str",
            ', or "" if there are none',
        ),
        Form(
            "shortest",
            "the first shortest of",
            (
                'best = ""\nfor w in s.split()‹|[1:]›:\n    if {pick} and (best == "" or len(w) ‹<|<=|>› len(best)):\n        best = w\n‹return best|best›',
                'return ‹min|max›((w for w in s.split() ‹if {pick}|›)‹, key=len|›, default="")',
            ),
            "str",
            ', or "" if there are none',
        ),
        Form(
            "first",
            "the first of",
            ('for w in s.split()‹|[1:]›:\n    if {pick}:\n        return ‹w|s›\nreturn ‹""|None›',),
            "str",
            ', or "" if there are none',
        ),
        Form(
            "last",
            "the last of",
            (
                'found = ‹""|None›\nfor w in s.split()‹|[:-1]›:\n    if {pick}:\n        found = w‹|\n        break›\nreturn found',
            ),
            "str",
            ', or "" if there are none',
        ),
        Form(
            "initials",
            "the string of the first characters of",
            ('result = ""\nfor w in s.split()‹|[1:]›:\n    if {pick}:\n        result ‹+=|=› w[‹0|-1|1›]\n‹return result|result›',),
            "str",
        ),
    ),
    {"pick": PICKS},
)

FAMILIES = (WORDS, MEASURE)
