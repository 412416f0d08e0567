"""Bars of values with their intervals, one for each row of a table."""

import math
from collections.abc import Callable, Mapping, Sequence

from harness.reports.render.html.figure import BARS, BASE, BROAD, NARROW, PLAIN
from harness.reports.render.html.plot import CHARACTER, Plot
from harness.reports.render.numbers import short
from harness.stats import TableRow


def bars(
    rows: Sequence[TableRow],
    title: str,
    base: tuple[float, str],
    css: Mapping[str, str],
    tooltip: Callable[[TableRow], str],
) -> tuple[str, str]:
    """Return bars of shares for a broad page and for a narrow one, with a line at the value and name of `base`."""

    def panel(width: int, css_of_width: str) -> str:
        places = [(len(rows) - 1 - place, row) for place, row in enumerate(rows)]
        high = max(row.value if math.isnan(row.high) else row.high for row in rows)
        plot = Plot(
            (0, min(1.0, high * 1.02) or 1.0),
            (-0.6, len(rows) - 0.4),
            titles=(title, ""),
            size=(width, 46 + 25 * len(rows)),
            left=math.ceil(14 + CHARACTER * max(len(row.name) for row in rows)),
            right=46,
            y_ticks=[(at, row.name) for at, row in places],
            css=css_of_width,
        )
        plot.rule(BASE, x=base[0], name=base[1])
        for at, row in places:
            plot.bar(at, row.value, css.get(row.name, PLAIN), tooltip(row))
            end = row.value if math.isnan(row.high) else min(row.high, 1.0)  # one that allows for folds may exceed 1
            plot.label(end, at, short(row.value), dx=7)
            if math.isfinite(row.low):
                plot.whisker((max(row.low, 0.0), at), (end, at))
        return str(plot)

    return panel(BARS, BROAD.css), panel(NARROW.width, NARROW.css)
