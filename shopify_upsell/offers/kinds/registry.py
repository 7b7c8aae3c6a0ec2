"""Every offer kind and how it proposes candidates. A new kind is one module and one entry here."""

from collections.abc import Callable

from shopify_upsell.offers.candidate import Candidate
from shopify_upsell.offers.kinds import bundle, cross_sell, up_sell
from shopify_upsell.offers.offer import BUNDLE, CROSS_SELL, UP_SELL, Offer
from shopify_upsell.offers.snapshot import Snapshot

KINDS: dict[str, Callable[[Offer, Snapshot], list[Candidate]]] = {
    CROSS_SELL: cross_sell.propose,
    UP_SELL: up_sell.propose,
    BUNDLE: bundle.propose,
}
