"""Pictures for people who would rather look than read: lines with bands, bars with intervals, steps. Pure.

In: numbers and the words that go with them. Out: an SVG drawn here, with a title, a description and, beside it, the
same numbers as a table. No scripts, no styles, no requests: it shows in a strict page, in an e-mail and on paper.
Series differ by colour, by dash and by marker, and each is named where it ends, so that no colour need be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shopify_upsell.reports.chart import (
    Bar,
    BarChart,
    Chart,
    Point,
    Series,
    Words,
    known_numbers,
    require_drawable,
    require_words,
)
from shopify_upsell.reports.chart_paper import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    Paper,
    Span,
    attributes,
    escaped,
    marker,
    nice_ticks,
    path_of,
    text_at,
    ticks_between,
)
from shopify_upsell.reports.chart_tables import chart_table

MOST_MARKED = 16
"""Points up to which each gets its marker; more would hide the line."""


def line_chart(chart: Chart) -> str:
    """Draw lines, each with the band between its points' low and high; steps when `is_step`.

    Raises: InvalidInput for a number that is none, more series than can be told apart, or a malformed chart_id.
    """
    require_drawable(chart)
    paper = _paper_for(chart)
    if paper is None:
        return _empty(chart.words, chart.width, chart.height)
    body = [paper.grid(chart.x.label, chart.y.label, chart.x.write, chart.y.write)]
    if chart.target is not None:
        body.append(paper.level(chart.target, f"Target {chart.y.write(chart.target)}"))
    for place, series in enumerate(chart.series):
        body.append(_drawn(paper, series, place, is_step=chart.is_step))
    body.append(paper.end_labels(_ends(chart.series)))
    return _svg(chart.words, chart.width, chart.height, body)


def step_chart(chart: Chart) -> str:
    """Draw curves that hold until the next x, as survival curves do."""
    return line_chart(replace(chart, is_step=True))


def bar_chart(chart: BarChart) -> str:
    """Draw horizontal bars with their intervals and values.

    Raises: InvalidInput for a number that is none, or a malformed chart_id.
    """
    require_words(chart.words)
    known = [number for bar in chart.bars for number in known_numbers(bar.value, bar.low, bar.high)]
    if not known:
        return _empty(chart.words, chart.width, 160)
    height = 80 + 44 * len(chart.bars)
    reach = [*known, 0.0, *known_numbers(chart.target)]
    ticks = nice_ticks(_or(chart.value.low, min(reach)), _or(chart.value.high, max(reach)))
    left = min(240, 24 + 8 * max(len(bar.name) for bar in chart.bars))
    paper = Paper(
        Span(ticks[0], ticks[-1], left, chart.width - 150), Span(0, len(chart.bars), 24, height - 56), ticks, ()
    )
    body = [paper.value_grid(chart.value.label, chart.value.write)]
    if chart.target is not None:
        body.append(paper.upright(chart.target, f"Target {chart.value.write(chart.target)}"))
    body += [_bar(paper, bar, place, chart) for place, bar in enumerate(chart.bars)]
    return _svg(chart.words, chart.width, height, body)


def figure(chart: Chart | BarChart) -> str:
    """Draw the chart under its title, and put its table below it, folded."""
    drawn = bar_chart(chart) if isinstance(chart, BarChart) else line_chart(chart)
    caption = f"<figcaption>{escaped(chart.words.title)}</figcaption>"
    table = f"<details><summary>Show the numbers</summary>{chart_table(chart)}</details>"
    return f"<figure>{caption}{drawn}{table}</figure>"


def _paper_for(chart: Chart) -> Paper | None:
    points = [point for series in chart.series for point in series.points]
    places = known_numbers(*(point.x for point in points))
    levels = known_numbers(*(value for point in points for value in (point.y, point.low, point.high)), chart.target)
    if not places or all(point.y is None for point in points):
        return None
    # Room for the names at the lines' ends; as much as they need, and never more than a third.
    right = min(chart.width / 3, 24 + 7.5 * max(len(series.name) for series in chart.series))
    y = nice_ticks(_or(chart.y.low, min([0.0, *levels])), _or(chart.y.high, max(levels)), is_whole=chart.y.is_whole)
    x_low, x_high = _or(chart.x.low, min(places)), _or(chart.x.high, max(places))
    x = ticks_between(x_low, x_high, is_whole=chart.x.is_whole)
    left = 24 + 7.5 * max(len(chart.y.write(tick)) for tick in y)
    return Paper(Span(x_low, x_high, left, chart.width - right), Span(y[-1], y[0], 32, chart.height - 56), x, y)


def _or(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


def _ends(series: Sequence[Series]) -> list[tuple[float, float, str, str]]:
    ends = []
    for place, one in enumerate(series):
        known = [(point.x, point.y) for point in one.points if point.y is not None]
        ends += [(x, y, one.name, COLOURS[place]) for x, y in known[-1:]]
    return ends


def _drawn(paper: Paper, series: Series, place: int, *, is_step: bool) -> str:
    colour, parts = COLOURS[place], []
    for run in _runs(series.points):
        spots = [(paper.x(point.x), paper.y(_or(point.y, 0))) for point in run]
        parts.append(_band(paper, run, colour, is_step=is_step))
        line = attributes(d=path_of(spots, is_step=is_step), fill="none", stroke=colour, stroke_width=2.5)
        dash = f" {attributes(stroke_dasharray=DASHES[place])}" if DASHES[place] else ""
        parts.append(f"<path {line}{dash}/>")
        if len(run) <= MOST_MARKED:
            parts += [marker(place, x, y, colour) for x, y in spots]
    return "".join(parts)


def _band(paper: Paper, run: Sequence[Point], colour: str, *, is_step: bool) -> str:
    banded = [point for point in run if point.low is not None and point.high is not None]
    top = path_of([(paper.x(point.x), paper.y(_or(point.high, 0))) for point in banded], is_step=is_step)
    low = path_of([(paper.x(point.x), paper.y(_or(point.low, 0))) for point in banded], is_step=is_step)
    if len(banded) == 1:
        return f"<path {attributes(d=f'{top} L{low[1:]}', stroke=colour, stroke_width=1.5)}/>"
    if not banded:
        return ""
    outline = " L".join([top, *reversed(low[1:].split(" L"))]) + " Z"
    edges = [
        f"<path {attributes(d=line, fill='none', stroke=colour, stroke_width=1, stroke_opacity=0.7)}/>"
        for line in (top, low)
    ]
    return f"<path {attributes(d=outline, fill=colour, fill_opacity=0.14)}/>{''.join(edges)}"


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Part points where a value is not known."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point.y is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _bar(paper: Paper, bar: Bar, place: int, chart: BarChart) -> str:
    middle = paper.y(place + 0.5)
    name = text_at(bar.name, paper.across.start - 10, middle + 5, anchor="end")
    if bar.value is None:
        return name + text_at("Not enough data", paper.x(0) + 8, middle + 5, fill=FAINT)
    ends = sorted((paper.x(0), paper.x(bar.value)))
    box = attributes(x=ends[0], y=middle - 11, width=max(ends[1] - ends[0], 1), height=22, fill=COLOURS[0])
    whisker, rightmost = "", ends[1]
    if bar.low is not None and bar.high is not None:
        whisker, rightmost = _whisker(paper.x(bar.low), paper.x(bar.high), middle), max(ends[1], paper.x(bar.high))
    value = text_at(chart.value.write(bar.value), rightmost + 8, middle + 5, weight=600)
    return f"{name}<rect {box}/>{whisker}{value}"


def _whisker(low: float, high: float, middle: float) -> str:
    """Draw an interval: white below dark, so that it shows on the bar as well as beside it."""
    caps = " ".join(f"M{x:.1f},{middle - 7:.1f} V{middle + 7:.1f}" for x in (low, high))
    line = f"{caps} M{low:.1f},{middle:.1f} H{high:.1f}"
    strokes = (("#ffffff", 5), (INK, 2))
    return "".join(
        f"<path {attributes(d=line, stroke=colour, stroke_width=width, fill='none')}/>" for colour, width in strokes
    )


def _svg(words: Words, width: int, height: int, body: Sequence[str]) -> str:
    title, description = f"{words.chart_id}-title", f"{words.chart_id}-desc"
    frame = attributes(
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{title} {description}",
        font_family="Inter, system-ui, sans-serif",
        font_size=14,
    )
    named = f'<title id="{title}">{escaped(words.title)}</title>'
    named += f'<desc id="{description}">{escaped(words.description)}</desc>'
    return f'<svg {frame}>{named}<rect width="100%" height="100%" fill="#ffffff"/>{"".join(body)}</svg>'


def _empty(words: Words, width: int, height: int) -> str:
    return _svg(words, width, height, [text_at("Not enough data yet", width / 2, height / 2, anchor="middle")])
