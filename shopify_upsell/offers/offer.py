"""What a merchant may show: kind, products, terms and placements.

Pure. `anchors` None means beside any product; `companions` None means that the matrix picks them.
"""

from dataclasses import dataclass

from shopify_upsell.core import InvalidInput, OfferId, ProductId

CROSS_SELL, UP_SELL, BUNDLE = "cross_sell", "up_sell", "bundle"

OFFER_STATES = ("draft", "live", "paused")

LARGEST_DISCOUNT = 9000
"""Units: basis points. Above 90 % it is a mistake in a form, or a gift, and a gift is another kind of offer."""

MOST_PRODUCTS = 50
"""Products a merchant may list in one offer: all are loaded with every decision."""


@dataclass(frozen=True, slots=True)
class OfferDraft:
    """An offer as written, before it has a number."""

    kind: str
    name: str
    placements: tuple[str, ...]
    anchors: tuple[ProductId, ...] | None = None
    companions: tuple[ProductId, ...] | None = None
    discount_basis_points: int = 0
    state: str = "live"


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


def check_draft(draft: OfferDraft, kinds: tuple[str, ...]) -> None:
    """Refuse an offer that could never be shown as it is written. Raises: InvalidInput."""
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
