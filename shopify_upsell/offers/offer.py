"""What a merchant may show: kind, products, terms and placements.

Pure. `anchors` None means beside any product; `companions` None means that the matrix picks them.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shopify_upsell.core import InvalidInput, OfferId, ProductId
from shopify_upsell.offers.terms import (
    LARGEST_DISCOUNT,
    NONE,
    PERCENTAGE,
    STANDARD_TERMS,
    Incentive,
    Terms,
    check_purpose,
    check_terms,
    expiry_of,
    need,
)

CROSS_SELL, UP_SELL, BUNDLE = "cross_sell", "up_sell", "bundle"
QUANTITY, REPLENISH, SUBSCRIBE = "quantity", "replenish", "subscribe"
FREE_SHIPPING, GIFT = "free_shipping", "gift"

OFFER_STATES = ("draft", "live", "paused")

MOST_PRODUCTS = 50
"""Products a merchant may list in one offer: all are loaded with every decision."""


@dataclass(frozen=True, slots=True)
class OfferDraft:
    """An offer as written, before it has a number. A percentage may stand in its terms or in the short form here."""

    kind: str
    name: str
    placements: tuple[str, ...]
    anchors: tuple[ProductId, ...] | None = None
    companions: tuple[ProductId, ...] | None = None
    discount_basis_points: int = 0
    state: str = "live"
    terms: Terms = STANDARD_TERMS


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as the decision sees it. `version` counts its edits, so that a decision names what it showed."""

    offer_id: OfferId
    kind: str
    name: str
    state: str
    placements: tuple[str, ...]
    anchors: tuple[ProductId, ...] | None
    companions: tuple[ProductId, ...] | None
    discount_basis_points: int
    version: int
    terms: Terms = STANDARD_TERMS

    @property
    def incentive(self) -> Incentive:
        """What the shopper gets, also for an offer written when there were percentages only."""
        return incentive_of(self.discount_basis_points, self.terms)


def incentive_of(discount_basis_points: int, terms: Terms) -> Incentive:
    """Join the short form of a percentage with the terms."""
    if terms.incentive.kind == NONE and discount_basis_points:
        return replace(terms.incentive, kind=PERCENTAGE, basis_points=discount_basis_points)
    return terms.incentive


def expires_for(offer: Offer, first_shown_at: datetime) -> datetime | None:
    """When the offer ends for one customer, whatever device they use; None: no deadline, and no timer may be shown.

    Shape: `first_shown_at` is the first showing of any version of the offer to that customer, from the server's books.
    """
    return expiry_of(offer.terms.schedule, first_shown_at)


def check_draft(draft: OfferDraft, kinds: tuple[str, ...], *, needs_purpose: bool = False) -> None:
    """Refuse an offer that could never be shown as it is written. `needs_purpose`: a merchant wrote it.

    Raises: InvalidInput, naming the field.
    """
    if draft.kind not in kinds:
        raise InvalidInput("unknown offer kind")
    if draft.state not in OFFER_STATES:
        raise InvalidInput("unknown offer state")
    if not draft.name.strip() or len(draft.name) > 200:
        raise InvalidInput("an offer needs a name of at most 200 characters")
    if not draft.placements or any("/" not in placement for placement in draft.placements):
        raise InvalidInput("an offer needs placements such as theme/product_page")
    if not 0 <= draft.discount_basis_points <= LARGEST_DISCOUNT:
        raise InvalidInput("a discount is 0 to 9,000 basis points")
    if any(len(products or ()) > MOST_PRODUCTS for products in (draft.anchors, draft.companions)):
        raise InvalidInput("an offer lists at most 50 products")
    incentive = draft.terms.incentive
    is_told_twice = draft.discount_basis_points != 0 and incentive.kind != NONE
    is_same = incentive.kind == PERCENTAGE and incentive.basis_points == draft.discount_basis_points
    need(not is_told_twice or is_same, "discount_basis_points", "contradict the incentive")
    check_terms(draft.terms)
    if needs_purpose:
        check_purpose(draft.terms)
