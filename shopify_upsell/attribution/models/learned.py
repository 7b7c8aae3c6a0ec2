"""From journeys to channel weights, and from channel weights to a path's. Pure.

A fit is refitted at night and gets a new version; a line keeps the version that it was credited with.
"""

from collections.abc import Callable, Sequence

from shopify_upsell.attribution.models.chain import Journey
from shopify_upsell.attribution.models.markov import removal_effects
from shopify_upsell.attribution.models.path import ChannelFit, Path, even, scaled
from shopify_upsell.attribution.models.shapley import channel_values

ENOUGH_CONVERTING = 300
ENOUGH_LOST = 300
ENOUGH_A_CHANNEL = 30
PRIOR_JOURNEYS = 300
"""Journeys a shop needs before its own weights stand alone; short of them they are mixed with the linear weight as
w = (n w + 300 w_linear) / (n + 300). Source: reference `measurement.md` part 2.3."""

STRENGTHS: dict[str, Callable[[Sequence[Journey]], dict[str, float]]] = {
    "markov": removal_effects,
    "shapley": channel_values,
}


def fit_channels(model: str, journeys: Sequence[Journey], *, version: int) -> ChannelFit:
    """Learn channel weights of `markov` or `shapley` from all journeys, converting and not.

    Raises: ValueError without any journey, KeyError for another model.
    """
    strength = STRENGTHS[model](journeys)
    converting = dict.fromkeys(strength, 0)
    for journey in journeys:
        for channel in set(journey.channels):
            converting[channel] += journey.converted
    enough = (
        sum(journey.converted for journey in journeys) >= ENOUGH_CONVERTING
        and sum(journey.lost for journey in journeys) >= ENOUGH_LOST
    )
    return ChannelFit(version=version, strength=strength, converting=converting, is_enough=enough)


def learned(path: Path, fit: ChannelFit) -> list[int]:
    """Weigh touches by their channels' strength; touches of one channel share it equally.

    A channel that was seen too rarely, and every channel while journeys are too few, leans towards the linear weight.

    Shape: one weight a touch, in the path's order.
    Units: billionths.
    """
    channels = path.channels
    total = sum(fit.strength.get(channel, 0.0) for channel in set(channels))
    if total <= 0:
        return even(len(channels))
    count = {channel: channels.count(channel) for channel in set(channels)}
    mixed = [
        _mixed(fit, channel, fit.strength.get(channel, 0.0) / total / count[channel], 1 / len(channels))
        for channel in channels
    ]
    whole = sum(mixed)
    return scaled([share / whole for share in mixed]) if whole > 0 else even(len(channels))


def _mixed(fit: ChannelFit, channel: str, own: float, linear: float) -> float:
    seen = fit.converting.get(channel, 0)
    if fit.is_enough and seen >= ENOUGH_A_CHANNEL:
        return own
    return (seen * own + PRIOR_JOURNEYS * linear) / (seen + PRIOR_JOURNEYS)
