"""Charts say the same to eyes, to a screen reader and in a strict page, and nothing in them can break out."""

import re
from xml.etree import ElementTree

import pytest

from shopify_upsell.core import InvalidInput
from shopify_upsell.reports.chart import Axis, Bar, BarChart, Chart, Point, Series, Words
from shopify_upsell.reports.chart_paper import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    nice_ticks,
    percent,
    plain_number,
    signed_percent,
    ticks_between,
)
from shopify_upsell.reports.chart_tables import chart_table
from shopify_upsell.reports.charts import bar_chart, figure, line_chart, step_chart

NASTY = '<script>alert("1")</script> & \x00\x0b\ufffe'
SVG = "{http://www.w3.org/2000/svg}"


def a_chart(*series, **given):
    return Chart(
        Words("revenue", "Revenue by arm", "Revenue per customer and week, in both arms, with intervals."),
        Axis("Week"),
        Axis("USD per customer"),
        series or (Series("Offers", (Point(0, 10, 8, 12), Point(1, 12, 11, 13), Point(2, 15, 13, 17))),),
        **given,
    )


def bars(*given, **more):
    words = Words("uplift", "Uplift by surface", "How much more each surface brought.")
    return BarChart(words, Axis("Uplift", write=signed_percent), given, **more)


def texts(svg):
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*COLOURS, INK, FAINT])
def test_every_colour_stands_out_from_white(colour):
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_series_are_told_apart_without_their_colour():
    assert len(set(DASHES)) == len(DASHES) == len(COLOURS)

    svg = line_chart(a_chart(*(Series(f"Arm {k}", (Point(0, k), Point(1, k + 1))) for k in range(6))))

    for dash in DASHES[1:]:
        assert f'stroke-dasharray="{dash}"' in svg
    assert [text for text in texts(svg) if text.startswith("Arm")] == [f"Arm {k}" for k in reversed(range(6))]


@pytest.mark.parametrize(
    "svg",
    [
        line_chart(a_chart()),
        step_chart(a_chart()),
        bar_chart(bars(Bar("Cart", 0.1, 0.0, 0.2))),
        line_chart(a_chart(Series("a", ()))),
    ],
)
def test_a_screen_reader_hears_title_and_description(svg):
    root = ElementTree.fromstring(svg)  # noqa: S314

    assert root.get("role") == "img"
    named = {child.get("id"): child.text for child in root if child.tag in (f"{SVG}title", f"{SVG}desc")}
    assert list(named) == root.get("aria-labelledby").split()
    assert all(named.values())
    assert root[0].tag == f"{SVG}title"


@pytest.mark.parametrize("draw", [line_chart, step_chart, figure, chart_table])
def test_no_text_breaks_out_of_a_line_chart(draw):
    words = Words("a-1", NASTY, NASTY)
    nasty = Chart(
        words,
        Axis(NASTY, write=lambda _: NASTY),
        Axis(NASTY, write=lambda _: NASTY),
        (Series(NASTY, (Point(0, 1, 0, 2), Point(1, 2, 1, 3))),),
        target=1.5,
    )

    found = draw(nasty)

    ElementTree.fromstring(found)  # noqa: S314
    assert "<script" not in found
    assert "\x00" not in found


@pytest.mark.parametrize("draw", [bar_chart, figure, chart_table])
def test_no_text_breaks_out_of_a_bar_chart(draw):
    nasty = BarChart(Words("a-1", NASTY, NASTY), Axis(NASTY, write=lambda _: NASTY), (Bar(NASTY, 1, 0, 2),), target=1)

    found = draw(nasty)

    ElementTree.fromstring(found)  # noqa: S314
    assert "<script" not in found


def test_a_strict_page_has_nothing_to_refuse():
    drawn = figure(a_chart(target=11)) + figure(bars(Bar("Cart", 0.1, 0.0, 0.2)))

    for word in ("<script", "<style", "style=", "href", "url(", "onload", "<image", "<foreignObject", "@import"):
        assert word not in drawn
    assert set(re.findall(r"https?://[^\"' ]+", drawn)) == {"http://www.w3.org/2000/svg"}


def test_what_is_not_known_is_a_gap_and_never_zero():
    series = Series("Offers", (Point(0, 10), Point(1, 12), Point(2, None), Point(3, 11), Point(4, 13)))

    svg = line_chart(a_chart(series))

    lines = re.findall(r'<path d="([^"]+)" fill="none" stroke="#0b5cad" stroke-width="2.5"/>', svg)
    assert [line.count(",") for line in lines] == [2, 2]
    assert '<tr><th scope="row">2</th><td>not known</td></tr>' in chart_table(a_chart(series))


def test_a_step_goes_across_before_it_goes_down():
    svg = step_chart(a_chart(Series("Offers", (Point(0, 1.0), Point(10, 0.5)))))

    line = re.search(r'<path d="M([\d.]+),([\d.]+) L([\d.]+),([\d.]+) L([\d.]+),([\d.]+)"', svg).groups()
    x0, y0, x1, y1, x2, y2 = map(float, line)
    assert (y1, x2) == (y0, x1)
    assert x1 > x0
    assert y2 > y1


def test_a_value_lies_where_its_tick_says():
    svg = line_chart(a_chart(Series("Offers", (Point(0, 0), Point(1, 20)))))

    found = ElementTree.fromstring(svg).iter(f"{SVG}text")  # noqa: S314
    labels = {text.text: float(text.get("y")) for text in found if text.get("text-anchor") == "end"}
    line = re.search(r'<path d="M[\d.]+,([\d.]+) L[\d.]+,([\d.]+)" fill="none"', svg).groups()
    assert [float(y) + 5 for y in line] == pytest.approx([labels["0"], labels["20"]], abs=0.1)


def test_bars_tell_their_values_and_what_is_missing():
    chart = bars(
        Bar("Product page", 0.081, 0.02, 0.14), Bar("Cart", -0.03, -0.09, 0.03), Bar("Account", None), target=0.05
    )

    words = texts(bar_chart(chart))

    assert {"Product page", "+8.1 %", "−3 %", "Not enough data", "Target +5 %"} <= set(words)
    assert "<td>−3 %</td><td>−9 % to +3 %</td>" in chart_table(chart)
    assert "<td>not known</td><td>not known</td>" in chart_table(chart)


def test_the_table_has_every_number_of_the_chart():
    chart = a_chart(Series("Offers", (Point(0, 10, 8, 12), Point(1, 12, 9, 15))), Series("Holdout", (Point(1, 11),)))

    assert chart_table(chart) == (
        "<table><caption>Revenue by arm</caption><thead><tr>"
        '<th scope="col">Week</th><th scope="col">Offers</th><th scope="col">Offers, interval</th>'
        '<th scope="col">Holdout</th></tr></thead><tbody>'
        '<tr><th scope="row">0</th><td>10</td><td>8 to 12</td><td>not known</td></tr>'
        '<tr><th scope="row">1</th><td>12</td><td>9 to 15</td><td>11</td></tr></tbody></table>'
    )


@pytest.mark.parametrize("chart", [a_chart(Series("Offers", ())), a_chart(Series("Offers", (Point(0, None),)))])
def test_a_chart_of_nothing_says_so(chart):
    assert texts(line_chart(chart)) == ["Not enough data yet"]
    assert texts(bar_chart(bars(Bar("Cart", None)))) == ["Not enough data yet"]


@pytest.mark.parametrize(
    "chart",
    [
        a_chart(Series("Offers", (Point(0, float("nan")),))),
        a_chart(Series("Offers", (Point(0, 1, 0, float("inf")),))),
        a_chart(Series("Offers", (Point(1, 1), Point(1, 2)))),
        a_chart(*(Series(str(k), (Point(0, 1),)) for k in range(7))),
        Chart(Words('a" onload="x', "Title", "Words"), Axis("x"), Axis("y"), ()),
        Chart(Words("a", " ", "Words"), Axis("x"), Axis("y"), ()),
    ],
)
def test_what_cannot_be_drawn_is_refused(chart):
    with pytest.raises(InvalidInput):
        line_chart(chart)


def test_ticks_are_round_and_enclose_or_stay_within():
    assert nice_ticks(0, 36.6) == (0, 10, 20, 30, 40)
    assert nice_ticks(-0.09, 0.26) == (-0.1, 0, 0.1, 0.2, 0.3)
    assert nice_ticks(0, 0) == (0, 0.25, 0.5, 0.75, 1)
    assert nice_ticks(0, 3, is_whole=True) == (0, 1, 2, 3)
    assert ticks_between(0, 11) == (0, 2, 4, 6, 8, 10)
    assert ticks_between(3, 3) == (3,)
    assert (plain_number(1234.5), plain_number(-0.0001), percent(0.125), signed_percent(-0.03)) == (
        "1,234.5",
        "0",
        "12.5 %",
        "−3 %",
    )
