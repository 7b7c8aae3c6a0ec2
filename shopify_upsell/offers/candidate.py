"""What the pipeline passes on: candidates, rejections, chosen offers, and the decision they end in.

Pure. Candidates carry no price: ranking cannot use what it does not see. Prices join when an offer is chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from shopify_upsell.core import DecisionId, OfferId, ProductId, ShopId, VariantId, canonical_json, text_digest
from shopify_upsell.customers.courtesy import CourtesyState
from shopify_upsell.experiments.running import Assigned
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.money import Money
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.snapshot import CartLine, OfferRequest, Snapshot

__all__ = [
    "Answer",
    "Candidate",
    "CandidateItem",
    "CartLine",
    "ChosenOffer",
    "Decision",
    "OfferItem",
    "OfferRequest",
    "Rejection",
    "Snapshot",
]

POST_PURCHASE = "post_purchase"

POST_PURCHASE_LIFETIME = timedelta(minutes=30)
"""How long a post-purchase offer may be signed. Source: our choice; Shopify shows the page right after payment."""


@dataclass(frozen=True, slots=True)
class CandidateItem:
    """One product a candidate would add. `variant_id` None: the ledger knows no variant of it."""

    product_id: ProductId
    variant_id: VariantId | None
    quantity: int = 1
    selling_plan_id: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer proposed for this request, not yet judged.

    `includes_anchor`: the anchor is one of the items on purpose (bundle, up-sell). `position` is its place in the
    offer's own list. Units: `score` is a rate from 0 to 1, how readily the companions are taken, from association.
    `replaced_quantity`: pieces that leave the cart for it. `offered_from`, `offered_until`: when the shopper is due for
    it, where the kind knows.
    """

    offer: Offer
    anchor_product_id: ProductId
    items: tuple[CandidateItem, ...]
    score: float
    reason_code: str
    position: int = 0
    evidence: tuple[Companion, ...] = ()
    includes_anchor: bool = False
    replaces_variant_id: VariantId | None = None
    replaced_quantity: int = 0
    offered_from: datetime | None = None
    offered_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an offer, or one candidate of it, fell out. The code is one of `codes.REJECTIONS`."""

    code: str
    offer_id: OfferId
    product_id: ProductId | None = None
    detail: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OfferItem:
    """One product on the card. `price` is for one unit, after the discount, as Shopify will charge it."""

    product_id: ProductId
    variant_id: VariantId
    quantity: int
    price: Money
    title: str
    variant_title: str
    handle: str
    image_url: str | None
    list_price: Money | None = None
    selling_plan_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChosenOffer:
    """An offer that is shown. `total` is the sum of its items, `original_total` the same without the discount.

    An upgrade earns only the difference, so it carries the unit price of what it replaces; otherwise that is 0.
    `evidence` is the weakest pair that the choice rests on, empty when it rests on none.
    """

    offer_id: OfferId
    kind: str
    offer_version: int
    reason_code: str
    items: tuple[OfferItem, ...]
    total: Money
    original_total: Money
    discount_basis_points: int
    replaces_variant_id: VariantId | None
    replaced_unit_minor_units: int
    evidence: Mapping[str, str | int | float]
    replaced_quantity: int = 0
    benefits: tuple[str, ...] = ()


@dataclass(frozen=True)
class SharedRefusals:
    """Rejections that hold for every shopper who asks the same: kept once by digest, however many asked."""

    rejections: tuple[Rejection, ...] = ()

    @cached_property
    def text(self) -> str:
        """Canonical JSON of the rejections."""
        return canonical_json([rejection_fields(rejection) for rejection in self.rejections])

    @cached_property
    def digest(self) -> str:
        """Digest of the text; equal rejections have equal digests."""
        return text_digest(self.text)


NOTHING_SHARED = SharedRefusals()


def rejection_fields(rejection: Rejection) -> dict[str, object]:
    """A rejection as it is stored."""
    return {
        "code": rejection.code,
        "offer_id": rejection.offer_id,
        "product_id": rejection.product_id,
        "detail": dict(rejection.detail),
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """What the pure pipeline makes of a snapshot.

    One of `chosen` and `would_have_shown` is empty: the holdout gets nothing, and what it missed is kept, because
    both arms are compared where something would have been shown.
    `unit` None: nobody we could recognise again, so no experiment; offers are shown.
    `refused`: over this shopper; `shared`: over what is the same for everybody who asks the same.
    `assigned`: the unit's arms in the experiments that run. `gate`: the one code that refused every offer at once.
    `next_at`: when it is worth asking again, if that is known.
    """

    chosen: tuple[ChosenOffer, ...]
    would_have_shown: tuple[ChosenOffer, ...]
    refused: tuple[Rejection, ...]
    unit: str | None
    is_holdout: bool
    shared: SharedRefusals = NOTHING_SHARED
    gate: str | None = None
    next_at: datetime | None = None
    assigned: tuple[Assigned, ...] = ()

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Why everything else fell out."""
        return (*self.refused, *self.shared.rejections)


@dataclass(frozen=True, slots=True)
class Decision:
    """Our answer to one request, with everything it was made from.

    `shelf`: what many decisions share of their inputs, where it is at hand (`shelving.Shelf`).
    `charged`: the budget that showing the offers is charged to, as it was read; None where nobody is charged.
    """

    decision_id: DecisionId
    shop_id: ShopId
    decided_at: datetime
    placement: str
    answer: Answer
    inputs: Snapshot
    engine_version: str
    shelf: object | None = field(default=None, compare=False, repr=False)
    charged: CourtesyState | None = field(default=None, compare=False, repr=False)

    @property
    def chosen(self) -> tuple[ChosenOffer, ...]:
        """Offers that are shown."""
        return self.answer.chosen

    @property
    def would_have_shown(self) -> tuple[ChosenOffer, ...]:
        """Offers that the holdout did not get to see."""
        return self.answer.would_have_shown

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Why everything else fell out."""
        return self.answer.rejections

    @property
    def unit(self) -> str | None:
        """Who this decision counts for in the experiment."""
        return self.answer.unit

    @property
    def is_holdout(self) -> bool:
        """Tell whether the shopper is one who never sees an offer."""
        return self.answer.is_holdout

    @property
    def expires_at(self) -> datetime | None:
        """When the offers may no longer be taken; None where a signed token carries its own end."""
        is_short = self.inputs.request.surface == POST_PURCHASE
        return self.decided_at + POST_PURCHASE_LIFETIME if is_short else None

    def chosen_offer(self, offer_id: OfferId) -> ChosenOffer | None:
        """The shown offer with this id, if it is one of them. One offer appears at most once in a decision."""
        return next((offer for offer in self.chosen if offer.offer_id == offer_id), None)
