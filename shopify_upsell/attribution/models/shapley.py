"""Shapley values of channels, where a set of channels is worth the chain's conversion without all others. Pure."""

from collections.abc import Sequence
from math import factorial

import numpy as np

from shopify_upsell.attribution.models.chain import Chain, Journey, count_chain

MOST_CHANNELS = 12
"""4,096 sets of channels are solved in one piece; each further channel doubles that."""


def channel_values(journeys: Sequence[Journey]) -> dict[str, float]:
    """Divide the conversion probability among channels by their average contribution over all sets of channels.

    v(S) is the probability with every channel outside S removed. The values add up to v(all) - v(none); v(none) is
    the share of journeys that converted without a touch.

    Shape: one value a channel, 0 or more.
    Raises: ValueError without any journey, or for more than 12 channels.
    Source: Shapley (1953) over the chain of Anderl et al. (2016); reference `measurement.md` part 2.3.
    """
    chain = count_chain(journeys)
    if len(chain.channels) > MOST_CHANNELS:
        raise ValueError(f"Shapley values of more than {MOST_CHANNELS} channels take too long")
    return _values(chain)


def _values(chain: Chain) -> dict[str, float]:
    size = len(chain.channels)
    masks = np.arange(2**size)
    kept = (masks[:, None] >> np.arange(size)) & 1 == 1
    worth = chain.conversions(kept)
    sizes = kept.sum(axis=1)
    weights = np.array([factorial(s) * factorial(size - s - 1) / factorial(size) for s in range(size)])
    values = {}
    for index, name in enumerate(chain.channels):
        without = masks[~kept[:, index]]
        gains = worth[without | (1 << index)] - worth[without]
        values[name] = max(0.0, float(gains @ weights[sizes[without]]))
    return values
