"""An offer as plain JSON values: what the merchant API answers and what the log of changes keeps of one. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from shopify_upsell.core import ProductId, gid
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.terms_json import terms_to_json


def offer_json(offer: Offer) -> dict[str, Any]:
    """An offer with its number, state and version. Of its terms, what is standard is left out."""
    terms = json.loads(terms_to_json(offer.terms))
    gift = offer.terms.incentive.gift_variant_id
    if gift is not None:
        terms["incentive"]["gift_variant_id"] = gid("ProductVariant", gift)
    return {
        "offer_id": offer.offer_id,
        "state": offer.state,
        "version": offer.version,
        "kind": offer.kind,
        "name": offer.name,
        "placements": list(offer.placements),
        "anchors": product_gids(offer.anchors),
        "companions": product_gids(offer.companions),
        "discount_basis_points": offer.discount_basis_points,
        "terms": terms,
    }


def product_gids(products: Iterable[ProductId] | None) -> list[str] | None:
    """Products by their global ids; None stays None."""
    return None if products is None else [gid("Product", product) for product in products]
