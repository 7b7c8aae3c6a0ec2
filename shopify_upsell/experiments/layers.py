"""Which experiments a unit is in: the quarter's holdout first, then exclusive groups, then everything independent.

Comes in: the shop's layers and a unit. Goes out: held out, or one arm for each experiment it takes part in. Pure, like
`assignment`, on which it is built; what was once assigned is kept by the caller and wins over what is computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from shopify_upsell.core import ConflictingRequest, InvalidInput
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS, SEPARATOR, Arm, assign, is_in_holdout

HOLDOUT, OPEN = "holdout", "open"

HOLDOUT_ID = 0
"""The holdout's place among experiment ids, which begin at 1: it is kept and merged like any other assignment."""

DEFAULT_HOLDOUT_BASIS_POINTS = 1_000

LARGEST_CROSSOVER_SHARE = 0.01
"""Share of units met in two arms above which the difference between the arms is visibly diluted."""


@dataclass(frozen=True, slots=True)
class QuarterHoldout:
    """The shoppers who see no offer in any experiment this quarter.

    Units: `basis_points` 0 to 10,000; `quarter` is the year and the quarter's number, 20264, and serves as the phase.
    """

    salt: str
    quarter: int
    basis_points: int = DEFAULT_HOLDOUT_BASIS_POINTS


@dataclass(frozen=True, slots=True)
class Trial:
    """One running phase of an experiment, as assignment sees it.

    Shape: the arms' shares sum to 10,000. Units: `traffic_basis_points` of the units it may have, 0 to 10,000; it is
    drawn apart from the arms, so that widening it moves nobody from one arm to another.
    Raises: InvalidInput when shares make no sense.
    """

    experiment_id: int
    salt: str
    arms: tuple[Arm, ...]
    phase: int = 1
    traffic_basis_points: int = ALL_BASIS_POINTS

    def __post_init__(self) -> None:
        shares = [arm.basis_points for arm in self.arms]
        if len({arm.name for arm in self.arms}) != len(shares) or len(shares) < 2:
            raise InvalidInput("an experiment needs two arms or more, each with its own name")
        if sum(shares) != ALL_BASIS_POINTS or min(shares) <= 0:
            raise InvalidInput("the arms' shares must be positive and sum to 10,000 basis points")
        if not 0 <= self.traffic_basis_points <= ALL_BASIS_POINTS:
            raise InvalidInput("traffic is 0 to 10,000 basis points")
        if self.experiment_id <= HOLDOUT_ID or not self.salt:
            raise InvalidInput("an experiment has a number above 0 and a salt")


@dataclass(frozen=True, slots=True)
class Slot:
    """A trial's place in a group. Units: basis points, from included, to excluded."""

    trial: Trial
    from_basis_points: int
    to_basis_points: int


@dataclass(frozen=True, slots=True)
class Group:
    """Experiments that would disturb each other: a unit is in one of them at most.

    Raises: InvalidInput when two slots overlap or leave 0 to 10,000.
    """

    salt: str
    slots: tuple[Slot, ...]

    def __post_init__(self) -> None:
        end = 0
        for slot in sorted(self.slots, key=lambda each: each.from_basis_points):
            if not end <= slot.from_basis_points < slot.to_basis_points <= ALL_BASIS_POINTS:
                raise InvalidInput("the slots of a group may not overlap or leave 0 to 10,000 basis points")
            end = slot.to_basis_points


@dataclass(frozen=True, slots=True)
class Layers:
    """Everything that runs in a shop now. `orthogonal` trials share units with all the others.

    Raises: InvalidInput when two trials share an id or a salt: then their arms would not be independent.
    """

    holdout: QuarterHoldout
    groups: tuple[Group, ...] = ()
    orthogonal: tuple[Trial, ...] = ()

    def __post_init__(self) -> None:
        trials = [slot.trial for group in self.groups for slot in group.slots] + list(self.orthogonal)
        salts = [self.holdout.salt, *(group.salt for group in self.groups), *(trial.salt for trial in trials)]
        if len(set(salts)) != len(salts) or len({trial.experiment_id for trial in trials}) != len(trials):
            raise InvalidInput("every experiment, group and holdout needs a salt of its own")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a unit stands. Shape: `arms` holds the trials it takes part in, by id; none while it is held out."""

    is_holdout: bool
    arms: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What was decided for a unit at its first exposure, and stays."""

    experiment_id: int
    phase: int
    arm: str
    assigned_at: datetime


@dataclass(frozen=True, slots=True)
class Merged:
    """One unit that used to be two. `crossovers`: experiments whose two halves stood in different arms."""

    assignments: tuple[Assignment, ...]
    crossovers: tuple[int, ...]


def quarter_of(now: datetime) -> int:
    """Number the quarter of a moment, in UTC: 20264 is the fourth of 2026. Whoever is held out changes with it."""
    return now.year * 10 + (now.month + 2) // 3


def quarter_holdout(shop_salt: str, now: datetime, basis_points: int = DEFAULT_HOLDOUT_BASIS_POINTS) -> QuarterHoldout:
    """Derive the quarter's holdout from the shop's salt: nobody is held out for ever, and anyone can recompute it.

    Units: `now` aware UTC.
    """
    return _quarter_holdout(shop_salt, quarter_of(now), basis_points)


@lru_cache(maxsize=1024)
def _quarter_holdout(shop_salt: str, quarter: int, basis_points: int) -> QuarterHoldout:
    salt = hashlib.sha256(f"{shop_salt}{SEPARATOR}holdout{SEPARATOR}{quarter}".encode()).hexdigest()[:32]
    return QuarterHoldout(salt, quarter, basis_points)


def stick_holdout(kept: Assignment | None, holdout: QuarterHoldout, unit: str, *, now: datetime) -> Assignment:
    """Keep what the unit was this quarter: a visitor who saw offers and then logs in is not held out afterwards."""
    if kept is not None and (kept.experiment_id, kept.phase) == (HOLDOUT_ID, holdout.quarter):
        return kept
    arm = HOLDOUT if is_in_holdout(holdout.salt, unit, holdout.basis_points) else OPEN
    return Assignment(HOLDOUT_ID, holdout.quarter, arm, now)


def place_of(layers: Layers, unit: str, *, is_held: bool | None = None) -> Place:
    """Ask the holdout first; who is in it takes part in nothing else.

    `is_held`: what `stick_holdout` kept for the unit; None computes it.
    """
    if is_held is None:
        is_held = is_in_holdout(layers.holdout.salt, unit, layers.holdout.basis_points)
    if is_held:
        return Place(is_holdout=True, arms={})
    trials = [trial for group in layers.groups if (trial := _trial_in(group, unit)) is not None]
    arms = {trial.experiment_id: arm_of(trial, unit) for trial in (*trials, *layers.orthogonal)}
    return Place(is_holdout=False, arms={number: arm for number, arm in arms.items() if arm is not None})


def arm_of(trial: Trial, unit: str) -> str | None:
    """Name the unit's arm in one trial, or None while the trial's traffic leaves it out."""
    if not is_in_holdout(f"{trial.salt}/traffic", unit, trial.traffic_basis_points):
        return None
    return assign(trial.salt, unit, trial.arms)


def stick(kept: Assignment | None, trial: Trial, unit: str, *, now: datetime) -> Assignment | None:
    """Keep the arm that the unit got first in this phase; assign it now if it has none."""
    if kept is not None and (kept.experiment_id, kept.phase) == (trial.experiment_id, trial.phase):
        return kept
    arm = arm_of(trial, unit)
    return None if arm is None else Assignment(trial.experiment_id, trial.phase, arm, now)


def merge(first: Iterable[Assignment], second: Iterable[Assignment]) -> Merged:
    """Join a visitor and the customer it turned out to be: the earliest arm of each experiment and phase stays.

    Two that were assigned at the same moment keep the arm whose name sorts first, so that the order does not matter.
    """
    kept: dict[tuple[int, int], Assignment] = {}
    crossed: set[int] = set()
    for found in sorted((*first, *second), key=lambda each: (each.assigned_at, each.arm)):
        earlier = kept.setdefault((found.experiment_id, found.phase), found)
        if earlier.arm != found.arm:
            crossed.add(found.experiment_id)
    return Merged(tuple(kept[key] for key in sorted(kept)), tuple(sorted(crossed)))


def has_many_crossovers(crossover_count: int, unit_count: int) -> bool:
    """Tell whether so many units were met in two arms that the merchant must be warned.

    Raises: InvalidInput when there are more crossovers than units.
    """
    if not 0 <= crossover_count <= unit_count:
        raise InvalidInput("there cannot be more crossovers than units")
    return crossover_count > LARGEST_CROSSOVER_SHARE * unit_count


def widen(trial: Trial, traffic_basis_points: int) -> Trial:
    """Let more units in. Nobody who is in leaves, and nobody changes arms.

    Raises: ConflictingRequest when the traffic would shrink: who has seen an arm cannot be made to not have seen it.
    """
    if traffic_basis_points < trial.traffic_basis_points:
        raise ConflictingRequest("traffic may only be widened")
    return replace(trial, traffic_basis_points=traffic_basis_points)


def widen_slot(group: Group, experiment_id: int, to_basis_points: int) -> Group:
    """Give a trial more of its group, at the far end only.

    Raises: ConflictingRequest when the slot would shrink or is not there; InvalidInput when it would meet another.
    """
    held = [slot for slot in group.slots if slot.trial.experiment_id == experiment_id]
    if not held or to_basis_points < held[0].to_basis_points:
        raise ConflictingRequest("a slot may only be widened")
    wider = replace(held[0], to_basis_points=to_basis_points)
    return replace(group, slots=tuple(wider if slot is held[0] else slot for slot in group.slots))


def reweigh(trial: Trial, arms: Sequence[Arm], *, salt: str) -> Trial:
    """Begin a new phase with other arms or shares. Its units are drawn anew and analysed apart from the phase before.

    Raises: InvalidInput when the salt is the old one or the shares make no sense.
    """
    if salt == trial.salt:
        raise InvalidInput("a new phase needs a new salt")
    return replace(trial, arms=tuple(arms), salt=salt, phase=trial.phase + 1)


def _trial_in(group: Group, unit: str) -> Trial | None:
    """Find the one trial of the group whose slot the unit falls into."""
    ranges: list[Arm] = []
    end = 0
    ordered = sorted(group.slots, key=lambda each: each.from_basis_points)
    for number, slot in enumerate(ordered):
        ranges += [
            Arm("", slot.from_basis_points - end),
            Arm(str(number), slot.to_basis_points - slot.from_basis_points),
        ]
        end = slot.to_basis_points
    found = assign(group.salt, unit, ranges)
    return ordered[int(found)].trial if found else None
