"""Worlds where channels reach those who would have bought anyway, and the truth of what each channel caused.

Comes in: a generator and a number of shoppers. Goes out: who was reached, in which turn, who was held out, who bought,
and each channel's true share of what all channels caused. Intent drives both reach and purchase, so that counting
touches confounds the two; every channel withholds itself from a random tenth of those it would have reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.attribution.calibration import ChannelHoldout, calibrated_shares
from shopify_upsell.attribution.models.chain import Journey
from shopify_upsell.attribution.models.markov import global_shares, removal_effects
from shopify_upsell.attribution.models.shapley import channel_values

CHANNELS = ("email", "theme", "account", "cart", "checkout", "thank_you")
REACH = (0.35, 0.55, 0.30, 0.40, 0.45, 0.25)
"""Share of shoppers of average intent whom a channel reaches."""
PULL = (0.2, 0.3, 1.0, 1.2, 1.6, 1.8)
"""By how much intent raises the log-odds of being reached: late channels meet those who were about to buy."""
CAUSED = (0.02, 0.065, 0.075, 0.0, 0.065, 0.025)
"""Added chance of a purchase for a shopper who is reached. Neither place nor pull says which channel causes much."""
HELD = 0.10
BASE, INTENT = 0.02, 0.8
"""Chance of a purchase without any channel at average intent, and how its logarithm moves with intent."""


@dataclass(frozen=True)
class World:
    """Shape: `reached`, `held` (shoppers, channels); `turn` (shoppers, channels), lower first; `bought` (shoppers,)."""

    reached: NDArray[np.bool_]
    held: NDArray[np.bool_]
    turn: NDArray[np.float64]
    bought: NDArray[np.bool_]
    truth: NDArray[np.float64]


def draw_world(generator: np.random.Generator, shoppers: int) -> World:
    """Draw a world. The truth is that of the shoppers drawn: expected purchases that each channel added."""
    count = len(CHANNELS)
    intent = generator.standard_normal(shoppers)
    odds = np.log(np.array(REACH) / (1 - np.array(REACH)))
    would = generator.random((shoppers, count)) < 1 / (1 + np.exp(-(odds + intent[:, None] * np.array(PULL))))
    held = would & (generator.random((shoppers, count)) < HELD)
    reached = would & ~held
    anyway = np.minimum(BASE * np.exp(INTENT * intent), 0.6)
    bought = generator.random(shoppers) < anyway + reached @ np.array(CAUSED)
    caused = reached.sum(axis=0) * np.array(CAUSED)
    turn = np.arange(count) + generator.standard_normal((shoppers, count))
    return World(reached, held, turn, bought, caused / caused.sum())


def by_holdouts(world: World) -> NDArray[np.float64]:
    """Shares that channels caused, as the product estimates them from one holdout a channel."""
    found = calibrated_shares(
        [
            ChannelHoldout(
                channel=name,
                reached=int(world.reached[:, place].sum()),
                reached_outcome=float(world.bought[world.reached[:, place]].sum()),
                held=int(world.held[:, place].sum()),
                held_outcome=float(world.bought[world.held[:, place]].sum()),
            )
            for place, name in enumerate(CHANNELS)
        ]
    )
    return np.array([found[name] for name in CHANNELS])


def by_models(world: World) -> dict[str, NDArray[np.float64]]:
    """Shares of purchases that multi-touch models credit: first, last, linear, Markov and Shapley."""
    buyers = world.bought & world.reached.any(axis=1)
    turn = np.where(world.reached[buyers], world.turn[buyers], np.inf)
    size = len(CHANNELS)
    first = np.bincount(turn.argmin(axis=1), minlength=size)
    last = np.bincount(np.where(world.reached[buyers], world.turn[buyers], -np.inf).argmax(axis=1), minlength=size)
    linear = (world.reached[buyers] / world.reached[buyers].sum(axis=1, keepdims=True)).sum(axis=0)
    journeys = journeys_of(world)
    return {
        "first": first / first.sum(),
        "last": last / last.sum(),
        "linear": linear / linear.sum(),
        "markov": _shares(removal_effects(journeys)),
        "shapley": _shares(channel_values(journeys)),
    }


def journeys_of(world: World) -> list[Journey]:
    """Count journeys by their channels in turn."""
    turn = np.where(world.reached, world.turn, np.inf)
    order = np.argsort(turn, axis=1)
    steps = np.where(np.arange(len(CHANNELS)) < world.reached.sum(axis=1, keepdims=True), order + 1, 0)
    codes = steps @ (len(CHANNELS) + 1) ** np.arange(len(CHANNELS))
    ways, place = np.unique(codes, return_inverse=True)
    bought = np.bincount(place, weights=world.bought, minlength=len(ways)).astype(int)
    made = np.bincount(place, minlength=len(ways))
    return [
        Journey(_channels(int(way)), int(converted), int(total - converted))
        for way, converted, total in zip(ways, bought, made, strict=True)
    ]


def misallocated(shares: Sequence[float] | NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Total variation between two divisions: the share credited to the wrong channels, 0 to 1."""
    return float(np.abs(np.asarray(shares) - truth).sum() / 2)


def _shares(strength: dict[str, float]) -> NDArray[np.float64]:
    shares = global_shares(strength)
    return np.array([shares.get(name, 0.0) for name in CHANNELS])


def _channels(code: int) -> tuple[str, ...]:
    found = []
    while code:
        code, step = divmod(code, len(CHANNELS) + 1)
        found.append(CHANNELS[step - 1])
    return tuple(found)
