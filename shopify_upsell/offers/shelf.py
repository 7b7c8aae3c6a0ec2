"""What a process keeps of a shop for a few seconds: its rulebook, and the shelf of each question that was asked lately.

Immutable but for what is worked out from them once: the text of shared parts, and what was drawn for a question.
"""

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from shopify_upsell.customers.courtesy import Caps
from shopify_upsell.experiments.running import RunningExperiment
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.discount_store import ShopDiscounts
from shopify_upsell.offers.drawing import Drawn, draw
from shopify_upsell.offers.health import HealthLimits
from shopify_upsell.offers.kinds.registry import PERSONAL_KINDS
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.parts import Part, SharedParts, part_of
from shopify_upsell.offers.pipeline import arms_of, as_assigned
from shopify_upsell.offers.snapshot import Snapshot, ThrottledOffer
from shopify_upsell.offers.snapshot_json import part_to_json

MOST_QUESTIONS = 32
"""Questions over one shelf whose drawing is kept: placements, currencies and quantities in the cart."""


MOST_NOTES = 64
"""Cards kept as they are drawn: offers by placement and language."""


@dataclass(frozen=True)
class Rulebook:
    """What holds for a whole shop until its merchant changes something, or learning or a throttle does."""

    offers: tuple[Offer, ...]
    caps: Caps
    throttles: tuple[ThrottledOffer, ...]
    costs: Costs
    experiments: tuple[RunningExperiment, ...]
    health_limits: HealthLimits
    exploration_basis_points: int
    discounts: ShopDiscounts
    written: dict[str, Part] = field(default_factory=dict, compare=False)

    def part(self, template: Snapshot) -> Part:
        """The rulebook as it is stored with decisions, written once."""
        if template.currency not in self.written:
            self.written[template.currency] = part_of(part_to_json(template, "rulebook"))
        return self.written[template.currency]


@dataclass(frozen=True)
class Shelf:
    """What a question's answer reads of the shop: `template` is a snapshot of which only the person is missing."""

    template: Snapshot
    rules: Rulebook
    drawn: dict[object, Drawn] = field(default_factory=dict, compare=False)
    notes: dict[object, object] = field(default_factory=dict, compare=False)

    @cached_property
    def parts(self) -> SharedParts:
        """The shared parts of every decision over this shelf, written when the first of them is stored."""
        return SharedParts(self.rules.part(self.template), part_of(part_to_json(self.template, "shelf")))

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The template's fields by name: a snapshot made of them and a person's costs half of what copying it does."""
        return {each.name: getattr(self.template, each.name) for each in fields(self.template)}

    @cached_property
    def is_personal(self) -> bool:
        """Tell whether an offer of the shop proposes what a customer has, so that no two customers share a drawing."""
        return any(offer.kind in PERSONAL_KINDS for offer in self.template.offers)

    def note(self, key: object, told: object) -> None:
        """Keep what a surface made of an answer, for the next shopper who gets the same."""
        if len(self.notes) < MOST_NOTES:
            self.notes[key] = told

    def draw(self, snapshot: Snapshot) -> Drawn:
        """What is proposed for the snapshot's question, made once for all who ask it in the same arms and lot."""
        asked, assigned = snapshot.request, arms_of(snapshot)
        own = tuple(sorted(snapshot.owned.items())) if self.is_personal else ()
        lot = snapshot.exploration
        key = (asked.placement, asked.anchor_product_ids, asked.cart, asked.codes, asked.currency, own, assigned, lot)
        known = self.drawn.get(key)
        if known is None:
            known = draw(as_assigned(snapshot, assigned))
            if len(self.drawn) < MOST_QUESTIONS:
                self.drawn[key] = known
        return known
