"""The figures of a transfer as SVG files: gains by layer, and over the number of training problems."""

from collections.abc import Sequence

from harness.reports.render.html.figure import BASE, COLOURS
from harness.reports.render.html.page import ASSETS
from harness.reports.render.html.plot import Plot, margin
from harness.reports.render.html.scale import padded
from harness.reports.transfer import Gains, TransferReport

SIZE, LONGEST = (620, 380), 14


def transfer_figures(report: TransferReport) -> dict[str, str]:
    """Return the figures by the name of their file without its ending, those of the n-th test set ending in n."""
    figures = {}
    for number, test in enumerate(report.tests, start=1):
        for name, title, gains in (
            ("learning-curve", "training problems", test.learning),
            ("by-layer", "layer", test.by_layer),
        ):
            if gains:
                heading = (f"{test.name}, trained on {report.train}", "gain over pass@1, 95 % interval")
                figures[f"{name}-{number}"] = _drawn(gains, title, heading)
    return figures


def _drawn(gains: Sequence[Gains], title: str, heading: Sequence[str]) -> str:
    """A line per objective over the settings, one step apart, with intervals."""
    rows = [row for part in gains for row in part.rows]
    names = [row.name for row in gains[0].rows]
    plot = Plot(
        (0, max(len(gains) - 1, 1)),
        padded(min(0.0, *(row.gain_low for row in rows)), max(0.0, *(row.gain_high for row in rows))),
        titles=(title, "gain"),
        size=SIZE,
        right=margin(names, LONGEST),
        top=44,
        x_ticks=[(place, part.setting) for place, part in enumerate(gains)],
        heading=heading,
    )
    plot.rule(BASE, y=0.0, name="pass@1")
    ends = []
    for turn, name in enumerate(names):
        own = [row for part in gains for row in part.rows if row.name == name]
        css = f"c{turn % COLOURS} always"
        places = [float(place) for place in range(len(own))]
        for place, row in zip(places, own, strict=True):
            plot.whisker((place, row.gain_low), (place, row.gain_high), css, name)
        points = [(place, row.gain) for place, row in zip(places, own, strict=True)]
        plot.line(points, css, name, dots=True)
        ends.append((points[-1], name, css))
    plot.ends(ends, LONGEST)
    style = (ASSETS / "page.css").read_text(encoding="utf-8")
    return (
        str(plot)
        .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        .replace(">", f"><style>{style}</style>", 1)
    )
