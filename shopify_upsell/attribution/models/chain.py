"""Journeys as an absorbing Markov chain: conversion probability with any set of channels at work. Pure, exact.

A first-order chain over start, channels, conversion and nothing, counted from all journeys, converting or not, each
journey counting as often as it was made whatever it was worth. What would flow into a channel that is removed ends in
nothing. Linear systems are solved; nothing is simulated.

Source: Anderl, Becker, von Wangenheim and Schumann (2016); reference `measurement.md` part 2.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Journey:
    """A sequence of channels, and how many went that way with a conversion at the end and without one."""

    channels: tuple[str, ...]
    converted: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Chain:
    """A counted chain of n channels.

    Shape: `start` (n,) and `to_conversion` (n,) are probabilities, `between` (n, n) from row to column;
    `at_once` is the share of journeys that converted without any touch.
    """

    channels: tuple[str, ...]
    start: Floats
    between: Floats
    to_conversion: Floats
    at_once: float = 0.0

    def conversion(self) -> float:
        """The probability that a journey converts, between 0 and 1."""
        return float(self.conversions(np.ones((1, len(self.channels)), dtype=bool))[0])

    def conversions(self, kept: NDArray[np.bool_]) -> Floats:
        """The probability of conversion for several sets of channels at once.

        Shape: `kept` (sets, n), True where the channel stays; returns (sets,).
        Units: probability, 0 to 1.
        """
        size = len(self.channels)
        if size == 0:
            return np.full(len(kept), self.at_once)
        stays = kept.astype(np.float64)
        between = self.between * stays[:, :, None] * stays[:, None, :]
        systems = np.eye(size) - between
        reached = np.linalg.solve(systems, (self.to_conversion * stays)[:, :, None])[:, :, 0]
        return np.asarray(self.at_once + (reached * stays) @ self.start, dtype=np.float64)


def count_chain(journeys: Sequence[Journey]) -> Chain:
    """Count a chain from journeys.

    Raises: ValueError without any journey, or for a negative count.
    """
    if any(journey.converted < 0 or journey.lost < 0 for journey in journeys):
        raise ValueError("a journey cannot be made a negative number of times")
    total = sum(journey.converted + journey.lost for journey in journeys)
    if total == 0:
        raise ValueError("no journeys to count")
    channels = tuple(sorted({channel for journey in journeys for channel in journey.channels}))
    place = {channel: index for index, channel in enumerate(channels)}
    size = len(channels)
    start, to_conversion = np.zeros(size), np.zeros(size)
    between, leaving = np.zeros((size, size)), np.zeros(size)
    at_once = 0
    for journey in journeys:
        made, steps = journey.converted + journey.lost, [place[channel] for channel in journey.channels]
        if not steps:
            at_once += journey.converted
            continue
        start[steps[0]] += made
        np.add.at(between, (steps[:-1], steps[1:]), made)
        np.add.at(leaving, steps, made)
        to_conversion[steps[-1]] += journey.converted
    seen = np.where(leaving > 0, leaving, 1.0)
    return Chain(channels, start / total, between / seen[:, None], to_conversion / seen, at_once / total)
