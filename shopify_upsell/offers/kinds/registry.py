"""Every offer kind: how it proposes candidates and what it asks of a draft. A new kind is one module and an entry each.

Pure. `PERSONAL_KINDS` read what the customer owns, so what they propose is never the same for all who ask the same.
"""

from collections.abc import Callable

from shopify_upsell.offers.candidate import Candidate
from shopify_upsell.offers.kinds import bundle, cross_sell, incentive, quantity, replenish, subscribe, up_sell
from shopify_upsell.offers.offer import (
    BUNDLE,
    CROSS_SELL,
    FREE_SHIPPING,
    GIFT,
    QUANTITY,
    REPLENISH,
    SUBSCRIBE,
    UP_SELL,
    Offer,
    OfferDraft,
)
from shopify_upsell.offers.snapshot import Snapshot

KINDS: dict[str, Callable[[Offer, Snapshot], list[Candidate]]] = {
    CROSS_SELL: cross_sell.propose,
    UP_SELL: up_sell.propose,
    BUNDLE: bundle.propose,
    QUANTITY: quantity.propose,
    REPLENISH: replenish.propose,
    SUBSCRIBE: subscribe.propose,
    FREE_SHIPPING: incentive.propose_free_shipping,
    GIFT: incentive.propose_gift,
}

VALIDATORS: dict[str, Callable[[OfferDraft], None]] = {
    CROSS_SELL: cross_sell.check,
    UP_SELL: up_sell.check,
    BUNDLE: bundle.check,
    QUANTITY: quantity.check,
    REPLENISH: replenish.check,
    SUBSCRIBE: subscribe.check,
    FREE_SHIPPING: incentive.check_free_shipping,
    GIFT: incentive.check_gift,
}
"""Each raises InvalidInput naming the field; what holds for every kind is `offer.check_draft`'s."""

PERSONAL_KINDS = frozenset({REPLENISH, SUBSCRIBE})
