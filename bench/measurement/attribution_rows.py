"""Rows A1 to A5 of the acceptance table: attribution adds up, never rises on a refund, and is calibrated by holdouts.

Comes in: how large a run (`scale` 1 is the full one) and a seed. Goes out: one outcome a row. The published path data
that two of A3's reference figures come from may not be handed on, so A3 is held against exact fractions instead.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np

from bench.measurement.attribution_events import run_lives
from bench.measurement.attribution_worlds import by_holdouts, by_models, draw_world, misallocated
from bench.measurement.outcome import Outcome, is_near
from shopify_upsell.attribution.models.chain import Journey
from shopify_upsell.attribution.models.games import shapley_values
from shopify_upsell.attribution.models.markov import conversion_probability, removal_effects
from shopify_upsell.attribution.models.shapley import channel_values
from shopify_upsell.money import apportion

ROWS = ("A1", "A2", "A3", "A4", "A5")

EXACT = 1e-9
TOY = (Journey(("c1", "c2", "c3"), 1, 0), Journey(("c1",), 0, 1), Journey(("c2", "c3"), 0, 1))
AIRPORT = {"A": 8, "B": 11, "C": 13, "D": 18}
WORLDS = ((60_000, 0.07, 20), (300_000, 0.04, 8), (1_000_000, 0.02, 5))
"""Shoppers of a world, the gate on the mean share misallocated, worlds of the full run."""


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Give rows A1 to A5. Units: `scale` 1 is 100,000 events; 0.1 is the reduced run."""
    yield adding_up(scale, seed)
    yield never_raised(scale, seed)
    yield markov_exact(seed)
    yield shapley_exact(seed)
    yield from misallocation(scale, seed)


def adding_up(scale: float, seed: int) -> Outcome:
    """A1: credits, rest and residual are the ledger after every event; the journal adds up to the credits."""
    tally = run_lives(max(2_000, round(100_000 * scale)), seed)
    wrong = tally.violations + tally.negative
    return Outcome(
        row="A1",
        test="credits + rest = net revenue after every refund, edit, cancellation, replay; three currencies",
        gate="0 violations, 0 negative",
        ours=f"{tally.violations} violations, {tally.negative} negative / {tally.events} events",
        passed=wrong == 0,
        peers=f"rounding each touch: {100 * tally.off_by_rounding / max(1, tally.credited):.1f} % of credits off",
    )


def never_raised(scale: float, seed: int) -> Outcome:
    """A2: as money is given back unit by unit, no touch gains."""
    chance = random.Random(seed)
    ours = remainder = 0
    sequences = max(1_000, round(4_000 * scale))
    for _ in range(sequences):
        weights = [chance.randrange(1, 1000) for _ in range(chance.randrange(2, 7))]
        total = chance.randrange(1, 400)
        steps = sorted({total, *(chance.randrange(total + 1) for _ in range(8))}, reverse=True)
        ours += _gains([apportion(step, weights) for step in steps])
        remainder += _gains([_largest_remainder(step, weights) for step in steps])
    return Outcome(
        row="A2",
        test="a refund never raises any credit",
        gate="0",
        ours=f"{ours} / {sequences} sequences",
        passed=ours == 0,
        peers=f"largest remainder {100 * remainder / sequences:.2f} % of sequences",
    )


def markov_exact(seed: int) -> Outcome:
    """A3: removal effects of the worked example and of random chains against exact fractions."""
    toy = removal_effects(TOY)
    worst = max(
        abs(conversion_probability(TOY) - 1 / 3),
        *(abs(toy[name] - effect) for name, effect in (("c1", 0.5), ("c2", 1.0), ("c3", 1.0))),
    )
    paths_only = 0.0
    for journeys in _random_journeys(seed, 60):
        channels, worth = _worths(journeys)
        whole = worth[frozenset(channels)]
        if not whole:
            continue
        found = removal_effects(journeys)
        for name in channels:
            exact = 1 - worth[frozenset(channels) - {name}] / whole
            worst = max(worst, abs(found[name] - float(exact)))
            paths_only = max(paths_only, abs(_observed_paths_only(journeys, name) - float(exact)))
    return Outcome(
        row="A3",
        test="Markov removal effects: worked example .5 / 1 / 1, 60 random chains against exact fractions",
        gate="1e-9",
        ours=f"{worst:.1e}",
        passed=worst <= EXACT,
        peers=f"observed paths only: {paths_only:.2f} off",
    )


def shapley_exact(seed: int) -> Outcome:
    """A4: the glove and airport games, and channel values that add up to the value of all channels."""
    glove = shapley_values(["L1", "L2", "R"], lambda who: int("R" in who and len(who) > 1))
    airport = shapley_values(list(AIRPORT), lambda who: max((AIRPORT[plane] for plane in who), default=0))
    is_exact = glove == {"L1": Fraction(1, 6), "L2": Fraction(1, 6), "R": Fraction(2, 3)}
    is_exact &= airport == {"A": 2, "B": 3, "C": 4, "D": 9}
    worst = 0.0
    for journeys in _random_journeys(seed + 1, 40):
        channels, worth = _worths(journeys)
        found = channel_values(journeys)
        exact = shapley_values(channels, worth.__getitem__)
        worst = max([worst, *(abs(found[name] - float(exact[name])) for name in channels)])
        gap = sum(found.values()) - float(worth[frozenset(channels)] - worth[frozenset()])
        worst = max(worst, abs(gap))
    return Outcome(
        row="A4",
        test="Shapley: glove 1/6 1/6 2/3, airport 2 3 4 9, values of 40 random chains add up to v(all)",
        gate="1e-9",
        ours=f"games {'exact' if is_exact else 'wrong'}, chains {worst:.1e}",
        passed=is_exact and worst <= EXACT,
    )


def misallocation(scale: float, seed: int) -> Iterator[Outcome]:
    """A5: share credited to the wrong channels where reach follows intent, by holdouts and by models."""
    for shoppers, gate, full in WORLDS:
        generator = np.random.default_rng([seed, shoppers])
        worlds = max(4, round(full * scale))
        errors: dict[str, list[float]] = {}
        for number in range(worlds):
            world = draw_world(generator, shoppers)
            errors.setdefault("ours", []).append(misallocated(by_holdouts(world), world.truth))
            if number == 0:
                for name, shares in by_models(world).items():
                    errors[name] = [misallocated(shares, world.truth)]
        ours = errors.pop("ours")
        error = float(np.std(ours, ddof=1) / np.sqrt(worlds))
        mean = float(np.mean(ours))
        yield Outcome(
            row="A5",
            test=f"share misallocated, calibrated by one holdout a channel, {shoppers:,} shoppers, {worlds} worlds",
            gate=f"<= {gate}",
            ours=f"{mean:.3f}",
            passed=mean <= gate or is_near(mean, 0.0, gate, error=error, scale=scale),
            peers=", ".join(f"{name} {np.mean(found):.2f}" for name, found in errors.items()),
        )


def _gains(divisions: list[list[int]]) -> bool:
    """Tell whether a part grew from one division to the next smaller one."""
    return any(
        after > before for larger, smaller in pairwise(divisions) for before, after in zip(larger, smaller, strict=True)
    )


def _largest_remainder(total: int, weights: list[int]) -> list[int]:
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in rest[: total - sum(parts)]:
        parts[place] += 1
    return parts


def _random_journeys(seed: int, count: int) -> Iterator[list[Journey]]:
    chance = random.Random(seed)
    for _ in range(count):
        names = "ABCDE"[: chance.randrange(2, 6)]
        yield [
            Journey(
                tuple(chance.choice(names) for _ in range(chance.randrange(0, 6))),
                chance.randrange(0, 5),
                chance.randrange(1, 9),
            )
            for _ in range(chance.randrange(2, 12))
        ]


def _worths(journeys: list[Journey]) -> tuple[list[str], dict[frozenset[str], Fraction]]:
    """The conversion probability of every set of channels, in exact fractions."""
    channels = sorted({channel for journey in journeys for channel in journey.channels})
    return channels, {
        frozenset(kept): _conversion(journeys, channels, set(kept))
        for size in range(len(channels) + 1)
        for kept in combinations(channels, size)
    }


def _conversion(journeys: list[Journey], channels: list[str], kept: set[str]) -> Fraction:
    moves: dict[tuple[str, str], int] = {}
    leaving: dict[str, int] = {}
    for journey in journeys:
        made = journey.converted + journey.lost
        steps = ["start", *journey.channels, "end"]
        for before, after in pairwise(steps):
            moves[before, after] = moves.get((before, after), 0) + (journey.converted if after == "end" else made)
            leaving[before] = leaving.get(before, 0) + made

    def share(before: str, after: str) -> Fraction:
        return Fraction(moves.get((before, after), 0), leaving[before])

    system = [
        [int(a == b) - (share(a, b) if b in kept else Fraction(0)) for b in channels] + [share(a, "end")]
        for a in channels
    ]
    solved = _solved(system)
    begun = sum(
        (share("start", name) * solved[place] for place, name in enumerate(channels) if name in kept), Fraction(0)
    )
    return begun + share("start", "end")


def _solved(system: list[list[Fraction]]) -> list[Fraction]:
    """Gauss and Jordan, without rounding."""
    for pivot in range(len(system)):
        best = next(row for row in range(pivot, len(system)) if system[row][pivot])
        system[pivot], system[best] = system[best], system[pivot]
        system[pivot] = [value / system[pivot][pivot] for value in system[pivot]]
        for row in range(len(system)):
            if row != pivot and system[row][pivot]:
                factor = system[row][pivot]
                system[row] = [a - factor * b for a, b in zip(system[row], system[pivot], strict=True)]
    return [row[-1] for row in system]


def _observed_paths_only(journeys: list[Journey], name: str) -> float:
    """The usual short cut: conversions of journeys that meet a channel, over all conversions."""
    whole = sum(journey.converted for journey in journeys)
    return sum(journey.converted for journey in journeys if name in journey.channels) / whole if whole else 0.0
