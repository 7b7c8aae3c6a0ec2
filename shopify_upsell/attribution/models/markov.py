"""Markov removal effects, and the weights that they give a path. Pure.

An attribution of conversions to channels, not a proof of cause: only a holdout tells what a channel caused.
"""

from collections.abc import Sequence

import numpy as np

from shopify_upsell.attribution.models.chain import Journey, count_chain


def conversion_probability(journeys: Sequence[Journey]) -> float:
    """The chain's probability of conversion, between 0 and 1. Raises: ValueError without any journey."""
    return count_chain(journeys).conversion()


def removal_effects(journeys: Sequence[Journey]) -> dict[str, float]:
    """By how much of itself the conversion probability falls when a channel is taken away: r_k = 1 - p(-k)/p.

    Shape: one effect a channel, between 0 and 1; all 0 when nothing converts.
    Raises: ValueError without any journey.
    Source: as `chain`.
    """
    chain = count_chain(journeys)
    whole = chain.conversion()
    if whole <= 0:
        return dict.fromkeys(chain.channels, 0.0)
    without = chain.conversions(~np.eye(len(chain.channels), dtype=bool))
    effects = 1 - without / whole
    return {name: max(0.0, float(effect)) for name, effect in zip(chain.channels, effects, strict=True)}


def global_shares(effects: dict[str, float]) -> dict[str, float]:
    """Effects divided by their sum: how the shop's channels compare as a whole.

    It credits channels that an order never met, so it may be drawn and must never be shown as revenue.
    """
    whole = sum(effects.values())
    return {name: effect / whole if whole else 0.0 for name, effect in effects.items()}
