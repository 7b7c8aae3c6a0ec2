"""What each arm of an experiment would have shown for a decision that was made: the trigger, the same in every arm.

Pure. Comes in: a decision's snapshot and an experiment. Goes out: the experiment's offer as each arm would have served
it, or nothing. A unit counts from the first decision at which any arm would have shown the offer, whatever its own arm
did: counting by what was served would count different people in different arms.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from itertools import combinations
from typing import Any

from shopify_upsell.experiments.kinds import single_factor_check
from shopify_upsell.experiments.running import Assigned, RunningExperiment
from shopify_upsell.money import Money
from shopify_upsell.offers.arms import patched
from shopify_upsell.offers.candidate import ChosenOffer, OfferItem
from shopify_upsell.offers.pipeline import decide_from
from shopify_upsell.offers.snapshot import Snapshot

ShownByArm = Mapping[str, ChosenOffer | None]


def shown_by_arm(
    snapshot: Snapshot,
    experiment: RunningExperiment,
    others: Iterable[RunningExperiment] = (),
    assigned: Iterable[Assigned] = (),
) -> ShownByArm:
    """Answer the snapshot's request once for each arm, nobody held out and no arm paused.

    `others`, `assigned`: what else runs and where the unit stands in it, which is the same in every arm.
    """
    kept = tuple(each for each in assigned if each.experiment_id != experiment.experiment_id)
    whole = replace(experiment, paused_arms=())
    shown: dict[str, ChosenOffer | None] = {}
    for arm in experiment.arms:
        forced = (*kept, Assigned(experiment.experiment_id, experiment.phase, arm.name))
        offers = patched(snapshot.offers, forced, (*others, whole))
        answer = decide_from(replace(snapshot, offers=offers, **_nobody_assigned()))
        shown[arm.name] = next((one for one in answer.chosen if one.offer_id == experiment.offer_id), None)
    return shown


def is_triggered(shown: ShownByArm) -> bool:
    """Tell whether any arm would have shown the offer."""
    return any(offer is not None for offer in shown.values())


def served_differences(kind: str, shown: ShownByArm) -> tuple[str, ...]:
    """Name the fields, sorted, in which two arms' served offers differ though this kind may not vary them."""
    payloads = [payload_of(offer) for offer in shown.values() if offer is not None]
    found = {path for left, right in combinations(payloads, 2) for path in single_factor_check(kind, left, right)}
    return tuple(sorted(found))


def payload_of(offer: ChosenOffer) -> dict[str, object]:
    """Write what a shopper would see of an offer, by the names that surfaces use."""
    return {
        "offer_id": offer.offer_id,
        "offer_version": offer.offer_version,
        "kind": offer.kind,
        "why": {"code": offer.reason_code},
        "text": list(offer.benefits),
        "total": _money(offer.total),
        "original_total": _money(offer.original_total),
        "discount_basis_points": offer.discount_basis_points,
        "replaces": offer.replaces_variant_id,
        "items": [_item(item) for item in offer.items],
    }


def _item(item: OfferItem) -> dict[str, object]:
    return {
        "product_id": item.product_id,
        "variant_id": item.variant_id,
        "quantity": item.quantity,
        "title": item.title,
        "price": _money(item.price),
        "original_price": None if item.list_price is None else _money(item.list_price),
        "selling_plan_id": item.selling_plan_id,
    }


def _money(money: Money) -> dict[str, object]:
    return {"minor_units": money.minor_units, "currency": money.currency}


def _nobody_assigned() -> dict[str, Any]:
    """Changes that keep the pipeline from assigning anybody: arms are forced here.

    Snapshots of engines before experiments have no such field.
    """
    known = {each.name for each in fields(Snapshot)}
    return {"holdout_basis_points": 0} | ({"experiments": ()} if "experiments" in known else {})
