"""What an arm changes in an offer, and that it changes nothing else. Pure.

Comes in: offers as written, a unit's arms, the running experiments. Goes out: the offers as this unit may see them.
Each kind of experiment may change few fields; whatever else differs is refused when the experiment is written down.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shopify_upsell.core import InvalidInput, ProductId, VariantId, canonical_json
from shopify_upsell.experiments.kinds import CONTROL, kind_named
from shopify_upsell.experiments.running import NO_PATCH, ArmPlan, Assigned, RunningExperiment
from shopify_upsell.offers.kinds.registry import KINDS, VALIDATORS
from shopify_upsell.offers.offer import Offer, OfferDraft, check_draft
from shopify_upsell.offers.terms import NONE, PERCENTAGE, Incentive

PATCHABLE: Mapping[str, tuple[str, ...]] = {
    "placement": ("placements",),
    "discount": ("incentive",),
    "creative": ("benefits",),
    "personalisation": ("companions",),
    "bundle_composition": ("companions",),
    "time_window": ("window_days", "lasts_hours"),
}
"""The fields of an offer that each kind of experiment may change. Companions null: the matrix picks for each shopper;
a list: everybody gets the same, which is personalisation switched off."""


def patched(
    offers: Sequence[Offer], assigned: Iterable[Assigned], experiments: Iterable[RunningExperiment]
) -> tuple[Offer, ...]:
    """Give the offers as the unit's arms have them, in the same order. A paused arm is served as control."""
    by_key = {(each.experiment_id, each.phase): each for each in experiments}
    result = list(offers)
    for one in assigned:
        experiment = by_key.get((one.experiment_id, one.phase))
        if experiment is not None and one.arm not in experiment.paused_arms:
            patch = experiment.arm(one.arm).patch
            result = [_applied(offer, patch) if offer.offer_id == experiment.offer_id else offer for offer in result]
    return tuple(result)


def arm_plans(kind: str, offer: Offer, shares: Mapping[str, int], patches: Mapping[str, Any]) -> tuple[ArmPlan, ...]:
    """Write down the arms of an experiment on an offer, checked.

    Shape: `shares` basis points by arm, `patches` the changed fields by arm; control has none.
    Raises: InvalidInput when a patch changes what its kind may not, or the offer could not be shown with it.
    """
    unknown = set(patches) - set(shares)
    if unknown or patches.get(CONTROL):
        raise InvalidInput("control is the offer as written; every other patch belongs to an arm")
    arms = tuple(ArmPlan(name, share, canonical_json(patches.get(name, {}))) for name, share in shares.items())
    for arm in arms:
        _check_patch(kind, offer, arm)
    return arms


def discounts_differ(offer: Offer, arms: Iterable[ArmPlan]) -> bool:
    """Tell whether one arm gives away more than another: then margin decides."""
    return len({_applied(offer, arm.patch).incentive for arm in arms}) > 1


def fields_changed(arms: Iterable[ArmPlan]) -> frozenset[str]:
    """Fields of the offer that any arm sets: two experiments on one offer may not share one."""
    return frozenset(name for arm in arms for name in json.loads(arm.patch))


def placements_of(offer: Offer, arms: Iterable[ArmPlan]) -> frozenset[str]:
    """Everywhere that the offer may appear in any arm."""
    return frozenset(place for arm in arms for place in _applied(offer, arm.patch).placements)


def companions_by_arm(offer: Offer, arms: Iterable[ArmPlan]) -> dict[str, tuple[ProductId, ...]]:
    """Products that each arm names; none where the matrix picks."""
    return {arm.name: _applied(offer, arm.patch).companions or () for arm in arms}


def changed_fields(first: Offer, second: Offer) -> frozenset[str]:
    """Name the fields in which two offers differ, those of the terms by their own names."""
    found = {name for name in ("placements", "companions", "anchors", "kind", "name", "state", "version", "offer_id")
             if getattr(first, name) != getattr(second, name)}  # fmt: skip
    if first.incentive != second.incentive:
        found.add("incentive")
    if first.terms.schedule.lasts_hours != second.terms.schedule.lasts_hours:
        found.add("lasts_hours")
    rest = replace(second.terms, incentive=first.terms.incentive, schedule=first.terms.schedule)
    return frozenset(found | _changed_terms(first, replace(second, terms=rest)))


def _changed_terms(first: Offer, second: Offer) -> set[str]:
    names = type(first.terms).__dataclass_fields__
    return {name for name in names if getattr(first.terms, name) != getattr(second.terms, name)}


def _check_patch(kind: str, offer: Offer, arm: ArmPlan) -> None:
    allowed = PATCHABLE[kind_named(kind).name]
    changed = _applied(offer, arm.patch)
    forbidden = (set(json.loads(arm.patch)) | changed_fields(offer, changed)) - set(allowed)
    if forbidden:
        raise InvalidInput(f"{arm.name}: a {kind} experiment changes {', '.join(allowed)} alone")
    draft = OfferDraft(
        kind=changed.kind,
        name=changed.name,
        placements=changed.placements,
        anchors=changed.anchors,
        companions=changed.companions,
        discount_basis_points=changed.discount_basis_points,
        state=changed.state,
        terms=changed.terms,
    )
    check_draft(draft, tuple(KINDS))
    VALIDATORS[draft.kind](draft)


def _applied(offer: Offer, patch: str) -> Offer:
    """Raises: InvalidInput for a field or a value that no offer has."""
    if patch == NO_PATCH:
        return offer
    try:
        for name, value in json.loads(patch).items():
            offer = _PATCHES[name](offer, value)
    except (KeyError, TypeError, ValueError) as wrong:
        raise InvalidInput(f"an arm cannot change an offer this way: {patch}") from wrong
    return offer


def _with_incentive(offer: Offer, value: Any) -> Offer:
    given = dict(value)
    if given.get("gift_variant_id") is not None:
        given["gift_variant_id"] = VariantId(given["gift_variant_id"])
    incentive = Incentive(**given | {"combines_with": tuple(given.get("combines_with", ()))})
    share = incentive.basis_points if incentive.kind == PERCENTAGE else 0
    held = Incentive() if incentive.kind == NONE else incentive
    return replace(offer, discount_basis_points=share, terms=replace(offer.terms, incentive=held))


def _with_placements(offer: Offer, value: Any) -> Offer:
    return replace(offer, placements=tuple(str(place) for place in value))


def _with_benefits(offer: Offer, value: Any) -> Offer:
    return replace(offer, terms=replace(offer.terms, benefits=tuple(str(line) for line in value)))


def _with_companions(offer: Offer, value: Any) -> Offer:
    return replace(offer, companions=None if value is None else tuple(ProductId(int(each)) for each in value))


def _with_window(offer: Offer, value: Any) -> Offer:
    days = None if value is None else tuple(int(day) for day in value)
    return replace(offer, terms=replace(offer.terms, window_days=days))


def _with_deadline(offer: Offer, value: Any) -> Offer:
    schedule = replace(offer.terms.schedule, lasts_hours=None if value is None else int(value))
    return replace(offer, terms=replace(offer.terms, schedule=schedule))


_PATCHES: Mapping[str, Any] = {
    "placements": _with_placements,
    "incentive": _with_incentive,
    "benefits": _with_benefits,
    "companions": _with_companions,
    "window_days": _with_window,
    "lasts_hours": _with_deadline,
}
