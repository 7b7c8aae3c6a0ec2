"""What a chart is made of: words, axes, series, bars; and what cannot be drawn. Pure, frozen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from shopify_upsell.core import InvalidInput
from shopify_upsell.reports.chart_paper import COLOURS, plain_number

MOST_SERIES = len(COLOURS)


@dataclass(frozen=True, slots=True)
class Words:
    """What a chart says. Shape: `chart_id` letters, digits and hyphens, unique on its page."""

    chart_id: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows. `write` turns a number into text; `is_whole`: ticks at whole numbers only.

    Shape: low < high where both are given.
    """

    label: str
    write: Callable[[float], str] = plain_number
    low: float | None = None
    high: float | None = None
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One value, and the ends of its interval where there is one. None: not known, drawn as a gap, never as 0."""

    x: float
    y: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A named row of points, by x ascending."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A named value with its interval. None: not known, said in words."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over a common x. `is_step`: values hold until the next x. `target`: a level to compare with."""

    words: Words
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    is_step: bool = False
    target: float | None = None
    width: int = 720
    height: int = 360


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars with intervals, from the top down. `target`: a level to compare with."""

    words: Words
    value: Axis
    bars: tuple[Bar, ...]
    target: float | None = None
    width: int = 720


def require_words(words: Words) -> None:
    """Check what names a chart. Raises: InvalidInput for a malformed chart_id, no title or no description."""
    if not words.chart_id.replace("-", "").isalnum() or not words.chart_id.isascii():
        raise InvalidInput("a chart_id is made of letters, digits and hyphens")
    if not words.title.strip() or not words.description.strip():
        raise InvalidInput("a chart has a title and a description")


def require_drawable(chart: Chart) -> None:
    """Check words and series. Raises: InvalidInput for too many series, or points out of order."""
    require_words(chart.words)
    if len(chart.series) > MOST_SERIES:
        raise InvalidInput(f"a chart tells at most {MOST_SERIES} series apart")
    for series in chart.series:
        places = [point.x for point in series.points]
        if any(after <= before for before, after in pairwise(places)):
            raise InvalidInput("points go by x ascending")


def known_numbers(*values: float | None) -> list[float]:
    """Drop what is not known. Raises: InvalidInput for infinity, or what is no number."""
    known = [float(value) for value in values if value is not None]
    if not all(math.isfinite(value) for value in known):
        raise InvalidInput("a chart shows finite numbers; None is what is not known")
    return known
