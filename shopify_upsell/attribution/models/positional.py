"""First, last, linear, time decay, position: weights from a touch's place and age alone. Pure.

Shape: one weight a touch, in the path's order; a path has at least one touch.
Units: billionths (`SCALE`). Source: reference `measurement.md` part 2.3.
"""

from datetime import timedelta

from shopify_upsell.attribution.models.path import SCALE, Path, even, scaled

HALF_LIFE = timedelta(days=7)
ON_SITE_HALF_LIFE = timedelta(minutes=30)
"""Within one visit, minutes matter as days do over a month. Source: as above."""

ENDS = 0.4
"""What the first and the last touch each get of a path of three or more."""


def first(path: Path) -> list[int]:
    """All to the touch that began the path."""
    return [SCALE] + [0] * (len(path.touches) - 1)


def last(path: Path) -> list[int]:
    """All to the touch nearest to the line."""
    return [0] * (len(path.touches) - 1) + [SCALE]


def linear(path: Path) -> list[int]:
    """The same to every touch."""
    return even(len(path.touches))


def time_decay(path: Path) -> list[int]:
    """Half as much for every half-life before the line: 2^(-(t_line - t_k)/h), h = 7 days, on one visit 30 minutes.

    Ages are counted from the last touch, which changes no proportion and keeps a path of long ago from rounding to
    nothing at all.
    """
    half_life = ON_SITE_HALF_LIFE if path.is_on_site else HALF_LIFE
    newest = path.touches[-1].occurred_at
    decayed = [2.0 ** -((newest - touch.occurred_at) / half_life) for touch in path.touches]
    whole = sum(decayed)
    return scaled([share / whole for share in decayed])


def position(path: Path) -> list[int]:
    """Two fifths to the first and the last touch, the rest evenly between; halves for two touches."""
    count = len(path.touches)
    if count <= 2:
        return even(count)
    return scaled([ENDS, *[(1 - 2 * ENDS) / (count - 2)] * (count - 2), ENDS])
