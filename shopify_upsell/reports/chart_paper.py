"""What every chart is drawn on: scales, ticks, grid, colours that can be read, and text that cannot break out. Pure."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

INK, FAINT, GRID = "#303030", "#616161", "#d0d0d0"

COLOURS = ("#0b5cad", "#9a4a00", "#1b6e3c", "#7a2e8e", "#a3213b", "#4a5560")
"""Colours of series, each at more than 4.5 : 1 from white; a test counts. Source: WCAG 2.2, 1.4.3 and 1.4.11."""

DASHES = ("", "7 4", "2 3", "10 3 2 3", "12 5", "5 2")
"""How each series' line is broken, for those who do not see its colour."""

# Characters that XML 1.0 forbids, which would make the whole picture unreadable.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escaped(text: str) -> str:
    """Make text safe inside elements and attributes; characters that XML forbids become a replacement sign."""
    return html.escape(_FORBIDDEN.sub("\ufffd", text), quote=True)


def attributes(**given: str | float) -> str:
    """Write attributes; `_` in a name stands for `-`. Numbers get one decimal, text is escaped."""
    return " ".join(f'{name.replace("_", "-")}="{_written(value)}"' for name, value in given.items())


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return escaped(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def plain_number(value: float) -> str:
    """Write a number with thousands apart and no more decimals than it needs, at most 3."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text.replace("-", "−")


def percent(value: float) -> str:
    """Write a share, 0.125, as a percentage, 12.5 %."""
    return f"{plain_number(round(100 * value, 1))} %"


def signed_percent(value: float) -> str:
    """Write a change as a percentage with its sign."""
    return f"+{percent(value)}" if round(100 * value, 1) > 0 else percent(value)


def nice_ticks(low: float, high: float, *, count: int = 5, is_whole: bool = False) -> tuple[float, ...]:
    """Give round numbers from at or below `low` to at or above `high`.

    Shape: about `count` numbers, at least two, ascending; whole ones when `is_whole`. Units: those of the axis.
    """
    if high <= low:
        low, high = (low - 1, low + 1) if low < 0 else (0.0, max(1.0, 2 * low))
    step = _nice_step((high - low) / max(count - 1, 1), is_whole=is_whole)
    return _multiples(step, math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9))


def ticks_between(low: float, high: float, *, count: int = 8, is_whole: bool = False) -> tuple[float, ...]:
    """Give round numbers from `low` to `high`, neither exceeded; the one number there is when they are equal."""
    if high <= low:
        return (low,)
    step = _nice_step((high - low) / max(count - 1, 1), is_whole=is_whole)
    return _multiples(step, math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9))


def _nice_step(rough: float, *, is_whole: bool) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(size for size in (1, 2, 2.5, 5, 10) if size * power >= rough * 0.999)
    return float(max(1, math.ceil(step))) if is_whole else step


def _multiples(step: float, first: int, last: int) -> tuple[float, ...]:
    digits = max(0, 3 - math.floor(math.log10(step)))
    return tuple(round(place * step, digits) for place in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Span:
    """How values lie along one side of the paper. Units: `low` and `high` values, `start` and `end` pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Give a value's pixel, kept on the paper."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Paper:
    """Two scales and their ticks."""

    across: Span
    down: Span
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]

    def x(self, value: float) -> float:
        """Give the pixel across."""
        return self.across.at(value)

    def y(self, value: float) -> float:
        """Give the pixel down."""
        return self.down.at(value)

    def grid(self, x_label: str, y_label: str, write_x: Callable[[float], str], write_y: Callable[[float], str]) -> str:
        """Draw lines at the ticks of y, and both axes' ticks and labels."""
        parts = []
        for tick in self.y_ticks:
            line = attributes(x1=self.across.start, x2=self.across.end, y1=self.y(tick), y2=self.y(tick))
            parts.append(f"<line {line} {attributes(stroke=INK if tick == 0 else GRID)}/>")
            parts.append(text_at(write_y(tick), self.across.start - 8, self.y(tick) + 5, anchor="end"))
        parts.append(self._ticks_below(write_x))
        parts.append(text_at(y_label, 8, 18))
        return "".join([*parts, self._label_below(x_label)])

    def value_grid(self, label: str, write: Callable[[float], str]) -> str:
        """Draw lines at the ticks of x, for values that lie across, and their label."""
        parts = []
        for tick in self.x_ticks:
            line = attributes(x1=self.x(tick), x2=self.x(tick), y1=self.down.start, y2=self.down.end)
            parts.append(f"<line {line} {attributes(stroke=INK if tick == 0 else GRID)}/>")
        return "".join([*parts, self._ticks_below(write), self._label_below(label)])

    def _ticks_below(self, write: Callable[[float], str]) -> str:
        return "".join(text_at(write(tick), self.x(tick), self.down.end + 20, anchor="middle") for tick in self.x_ticks)

    def _label_below(self, label: str) -> str:
        return text_at(label, (self.across.start + self.across.end) / 2, self.down.end + 44, anchor="middle")

    def level(self, value: float, words: str) -> str:
        """Draw a level to compare with, named above its left end."""
        y = self.y(value)
        line = attributes(x1=self.across.start, x2=self.across.end, y1=y, y2=y, stroke=INK, stroke_dasharray="4 3")
        return f"<line {line}/>{text_at(words, self.across.start + 6, y - 6)}"

    def upright(self, value: float, words: str) -> str:
        """Draw a level of values that lie across, named beside its top."""
        x = self.x(value)
        line = attributes(x1=x, x2=x, y1=self.down.start, y2=self.down.end, stroke=INK, stroke_dasharray="4 3")
        return f"<line {line}/>{text_at(words, x + 6, self.down.start + 4)}"

    def end_labels(self, ends: Sequence[tuple[float, float, str, str]]) -> str:
        """Name each line where it ends; names that would overlap are moved apart. Shape: (x, y, name, colour)."""
        placed: list[float] = []
        parts = []
        for x, y, name, colour in sorted(ends, key=lambda end: self.y(end[1])):
            at = max([self.y(y), *(before + 18 for before in placed[-1:])])
            placed.append(at)
            parts.append(text_at(name, self.x(x) + 10, at + 5, fill=colour, weight=600))
        return "".join(parts)


def text_at(words: str, x: float, y: float, *, anchor: str = "start", fill: str = INK, weight: int = 400) -> str:
    """Write words whose baseline is at y. Units: pixels."""
    place = attributes(x=x, y=y, fill=fill, text_anchor=anchor, font_weight=weight)
    # Painted with a white rim, so that a line behind it does not strike it out.
    rim = attributes(stroke="#ffffff", stroke_width=3, paint_order="stroke")
    return f"<text {place} {rim}>{escaped(words)}</text>"


def path_of(spots: Sequence[tuple[float, float]], *, is_step: bool) -> str:
    """Write a line through spots; with steps, across first and then up or down. Shape: "Mx,y Lx,y Lx,y"."""
    corners = list(spots[:1])
    for before, after in pairwise(spots):
        corners += [(after[0], before[1]), after] if is_step else [after]
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def marker(place: int, x: float, y: float, colour: str) -> str:
    """Draw a series' own shape at a spot: circle, square, diamond, triangle, ring, cross."""
    shapes = (
        f"M{x - 4:.1f},{y:.1f} a4,4 0 1,0 8,0 a4,4 0 1,0 -8,0 Z",
        f"M{x - 4:.1f},{y - 4:.1f} h8 v8 h-8 Z",
        f"M{x:.1f},{y - 5.5:.1f} l5.5,5.5 l-5.5,5.5 l-5.5,-5.5 Z",
        f"M{x:.1f},{y - 5:.1f} l5,9 h-10 Z",
        f"M{x - 4:.1f},{y:.1f} a4,4 0 1,0 8,0 a4,4 0 1,0 -8,0 Z",
        f"M{x - 4:.1f},{y - 4:.1f} l8,8 m0,-8 l-8,8",
    )
    fill = "#ffffff" if place >= 4 else colour
    return f"<path {attributes(d=shapes[place], fill=fill, stroke=colour, stroke_width=1.5)}/>"
