"""What runs in a shop now, and which arm of each experiment a unit is in. Pure.

Comes in: the running experiments, a unit, and whether it is held out. Goes out: one arm for each experiment that the
unit takes part in. A decision reads this, and so does whoever counts exposures later: the same words, the same arms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS, Arm, assign
from shopify_upsell.experiments.layers import Group, Layers, QuarterHoldout, Slot, Trial, arm_of

NO_PATCH = "{}"


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """One arm: its share, and how the offer differs in it.

    Units: `basis_points` of the experiment's units. Shape: `patch` is canonical JSON text of the fields that differ
    from the offer as written, `{}` for control; `offers.arms` reads it.
    """

    name: str
    basis_points: int
    patch: str = NO_PATCH


@dataclass(frozen=True, slots=True)
class GroupSlot:
    """An experiment's place in a group of experiments that exclude each other. Units: basis points, end excluded."""

    name: str
    salt: str
    from_basis_points: int
    to_basis_points: int


@dataclass(frozen=True, slots=True)
class RunningExperiment:
    """One phase of an experiment on one offer.

    `paused_arms`: arms whose units are served as control, because a guardrail broke; they stay in their arm for the
    analysis. Units: `traffic_basis_points` of the units it may have.
    """

    experiment_id: int
    kind: str
    offer_id: int
    phase: int
    salt: str
    arms: tuple[ArmPlan, ...]
    group: GroupSlot | None = None
    traffic_basis_points: int = ALL_BASIS_POINTS
    paused_arms: tuple[str, ...] = ()

    @property
    def trial(self) -> Trial:
        """The experiment as assignment sees it. Raises: InvalidInput when shares make no sense."""
        arms = tuple(Arm(arm.name, arm.basis_points) for arm in self.arms)
        return Trial(self.experiment_id, self.salt, arms, self.phase, self.traffic_basis_points)

    def arm(self, name: str) -> ArmPlan:
        """The arm of that name. Raises: KeyError."""
        return {each.name: each for each in self.arms}[name]


@dataclass(frozen=True, slots=True)
class Assigned:
    """The arm of one experiment and phase that a unit is in."""

    experiment_id: int
    phase: int
    arm: str


def arms_for(
    experiments: Iterable[RunningExperiment], unit: str | None, *, is_holdout: bool = False
) -> tuple[Assigned, ...]:
    """Name the unit's arms, by experiment id. Whoever is held out, or has no name, takes part in nothing."""
    if unit is None or is_holdout:
        return ()
    found = []
    for each in sorted(experiments, key=lambda one: one.experiment_id):
        arm = arm_of(each.trial, unit) if _has_slot(each, unit) else None
        if arm is not None:
            found.append(Assigned(each.experiment_id, each.phase, arm))
    return tuple(found)


def layers_of(experiments: Sequence[RunningExperiment], holdout: QuarterHoldout) -> Layers:
    """Lay out everything that runs, which checks that it can run together.

    Raises: InvalidInput when slots of a group overlap, or two experiments share an id or a salt.
    """
    grouped: dict[tuple[str, str], list[Slot]] = {}
    for each in experiments:
        if each.group is not None:
            slot = Slot(each.trial, each.group.from_basis_points, each.group.to_basis_points)
            grouped.setdefault((each.group.name, each.group.salt), []).append(slot)
    groups = tuple(Group(salt, tuple(slots)) for (_, salt), slots in sorted(grouped.items(), key=lambda item: item[0]))
    return Layers(holdout, groups, tuple(each.trial for each in experiments if each.group is None))


def _has_slot(experiment: RunningExperiment, unit: str) -> bool:
    """Tell whether the unit falls into the experiment's part of its group; without a group everybody does."""
    group = experiment.group
    if group is None:
        return True
    ranges = (Arm("before", group.from_basis_points), Arm("in", group.to_basis_points - group.from_basis_points))
    return assign(group.salt, unit, ranges) == "in"
