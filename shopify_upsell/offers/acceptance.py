"""What cards came to: shown, taken, and how many of those would have been bought without a card. Pure.

Comes in: counts of cards and what the holdout, who sees none, was kept from and bought. Goes out: what ranking goes by.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.core import CustomerId, OfferId, ProductId
from shopify_upsell.offers.snapshot import AcceptanceCount

Card = tuple[OfferId, ProductId]
"""What cards are counted by: the offer, and the product that it adds."""

ANYWAY_WITHIN = timedelta(days=7)
"""How long after a card was withheld a purchase of its product counts as made anyway. Source: reference
`measurement.md` part 2.2, the window in which a click still assists."""

PRIOR_CARDS = 100.0
"""Cards withheld that the rate of all cards together is worth. Assumption: a pseudo-count; one purchase after one
withheld card must not say that everybody buys it anyway."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A card that a customer of the holdout was not shown."""

    customer_id: CustomerId
    card: Card
    at: datetime


@dataclass(frozen=True, slots=True)
class Bought:
    """A product that a customer bought."""

    customer_id: CustomerId
    product_id: ProductId
    at: datetime


@dataclass(frozen=True, slots=True)
class AnywayCount:
    """Cards that were withheld, and those after which the product was bought all the same."""

    withheld_count: int = 0
    bought_count: int = 0


def count_anyway(withheld: Iterable[Withheld], bought: Iterable[Bought]) -> dict[Card, AnywayCount]:
    """Count the cards withheld and the purchases that followed them.

    A purchase belongs to the latest card of its product that was withheld before it, so that ten cards and one
    purchase count as one in ten, as they would for cards that were shown.
    """
    cards: Counter[Card] = Counter()
    by_product: dict[tuple[CustomerId, ProductId], list[tuple[datetime, Card]]] = {}
    for each in withheld:
        cards[each.card] += 1
        by_product.setdefault((each.customer_id, each.card[1]), []).append((each.at, each.card))
    for moments in by_product.values():
        moments.sort()
    followed: set[tuple[CustomerId, datetime, Card]] = set()
    for purchase in bought:
        moments = by_product.get((purchase.customer_id, purchase.product_id), [])
        place = bisect_right([at for at, _ in moments], purchase.at)
        if place and purchase.at - moments[place - 1][0] < ANYWAY_WITHIN:
            followed.add((purchase.customer_id, *moments[place - 1]))
    hits = Counter(card for _, _, card in followed)
    return {card: AnywayCount(n, hits[card]) for card, n in cards.items()}


def acceptance_counts(
    shown: Mapping[Card, int], taken: Mapping[Card, int], anyway: Mapping[Card, AnywayCount]
) -> tuple[AcceptanceCount, ...]:
    """Put the counts of each card that was shown together, by offer and product.

    Units: `expected_anyway` in cards of those shown; a rate of cards withheld, scaled to cards shown.
    Source: posterior mean of a beta-binomial whose prior is the rate of all cards withheld, worth `PRIOR_CARDS` cards.
    """
    withheld = sum(one.withheld_count for one in anyway.values())
    rate = sum(one.bought_count for one in anyway.values()) / withheld if withheld else 0.0
    counts = []
    for (offer_id, product_id), shown_count in sorted(shown.items()):
        card = (offer_id, product_id)
        known = anyway.get(card, AnywayCount())
        share = (known.bought_count + PRIOR_CARDS * rate) / (known.withheld_count + PRIOR_CARDS)
        # A beacon may be lost, a sale is not: what was taken was seen.
        cards = max(shown_count, taken.get(card, 0))
        counts.append(AcceptanceCount(offer_id, product_id, cards, taken.get(card, 0), round(share * cards, 4)))
    return tuple(counts)
