"""A chart's numbers as a table, for those who would rather read, or listen. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shopify_upsell.reports.chart import Axis, BarChart, Chart, Point
from shopify_upsell.reports.chart_paper import escaped


def chart_table(chart: Chart | BarChart) -> str:
    """Write the chart's numbers as an HTML table, for those who would rather read, or listen."""
    if isinstance(chart, BarChart):
        has_interval = any(bar.low is not None or bar.high is not None for bar in chart.bars)
        head = ["", chart.value.label, *(["Interval"] if has_interval else [])]
        rows = [
            [
                bar.name,
                _said(bar.value, chart.value),
                *([_range(bar.low, bar.high, chart.value)] if has_interval else []),
            ]
            for bar in chart.bars
        ]
        return _table(chart.words.title, head, rows)
    has_band = [any(point.low is not None for point in series.points) for series in chart.series]
    head, columns = [chart.x.label], []
    for series, banded in zip(chart.series, has_band, strict=True):
        head += [series.name, *([f"{series.name}, interval"] if banded else [])]
        columns.append({point.x: point for point in series.points})
    rows = []
    for x in sorted({point.x for series in chart.series for point in series.points}):
        cells = [chart.x.write(x)]
        for column, banded in zip(columns, has_band, strict=True):
            point = column.get(x, Point(x, None))
            cells += [_said(point.y, chart.y), *([_range(point.low, point.high, chart.y)] if banded else [])]
        rows.append(cells)
    return _table(chart.words.title, head, rows)


def _said(value: float | None, axis: Axis) -> str:
    return "not known" if value is None else axis.write(value)


def _range(low: float | None, high: float | None, axis: Axis) -> str:
    return "not known" if low is None or high is None else f"{axis.write(low)} to {axis.write(high)}"


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escaped(row[0])}</th>{"".join(f"<td>{escaped(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f"<table><caption>{escaped(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
