"""What showing a candidate is expected to bring the shop that it would not have had: what ranking goes by.

Pure. Expected incremental contribution = how readily it is taken x what taking it leaves x whether this is the moment.
Price is no part of it: two candidates that leave as much are equal however dear they are. Where the cost of the goods
is assumed, a candidate counts as what the shop's other offers leave in the middle: no better and no worse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

from shopify_upsell.core import OfferId, ProductId
from shopify_upsell.matrix.timed import PRIOR_TIME
from shopify_upsell.offers.candidate import Candidate
from shopify_upsell.offers.margin import contribution_of, ranking_margin
from shopify_upsell.offers.moments import pair_moment
from shopify_upsell.offers.snapshot import AcceptanceCount, Snapshot
from shopify_upsell.offers.timing import OPEN

PRIOR_SHARE = 0.1
"""How often a card of score 1 is expected to be taken before it was shown. Assumption; it only sets how soon what was
counted outweighs the score."""

PRIOR_CARDS = 200
"""Cards that the score is worth against counting. Assumption: at one card in thirty taken, six were to be expected."""

LEAST_SCORE = 1e-6
"""What a candidate without evidence counts: behind everything that has some, until it was shown often enough."""

TIMELY = 1.25
"""Weight of a pair inside a window that the shop's own buyers, or its merchant, set. Assumption: such windows are
drawn where buyers come clearly more often than on other days."""

LIKED = 0.5
"""Weight that a product gains at most for being what the customer buys. Assumption: taste decides among equals, it
does not put a bad companion before a good one."""

WORTH_DIGITS = 9

OWN, MIDDLE, NOTHING_KNOWN = "own", "middle", "nothing_known"
BASES = (OWN, MIDDLE, NOTHING_KNOWN)
"""What a margin rests on: the known cost of the candidate's own goods, the middle of those of the other candidates, or
nothing, so that every candidate counts alike."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """What a candidate is expected to bring, the same for every shopper, and what that rests on.

    Units: `acceptance` 0 to 1 of the cards shown; `margin` minor units left by one that is taken. `basis`: one of
    `BASES`. `counted`: cards that were shown and taken, None before the first.
    """

    acceptance: float
    margin: int
    basis: str
    counted: AcceptanceCount | None = None

    @property
    def worth(self) -> float:
        """Minor units expected of one card."""
        return round(self.acceptance * self.margin, WORTH_DIGITS)


def worths_of(candidates: Sequence[Candidate], snapshot: Snapshot) -> list[float]:
    """What each candidate is worth to the shop, the same for every shopper. Units: minor units, expected a card.

    Shape: as the candidates.
    """
    return [one.worth for one in valuations_of(candidates, snapshot)]


def valuations_of(candidates: Sequence[Candidate], snapshot: Snapshot) -> list[Valuation]:
    """Value candidates side by side. Shape: as the candidates.

    Without a single known cost every contribution counts 1, so that acceptance decides.
    """
    margins = [ranking_margin(contribution_of(one, snapshot)) for one in candidates]
    known = [margin for margin in margins if margin is not None]
    middle, basis = (max(median_low(known), 1), MIDDLE) if known else (1, NOTHING_KNOWN)
    counts = {(one.offer_id, one.product_id): one for one in snapshot.acceptance}
    return [
        Valuation(
            acceptance=acceptance_of(one, counts),
            margin=max(middle if margin is None else margin, 0),
            basis=basis if margin is None else OWN,
            counted=counts.get(_card(one)),
        )
        for one, margin in zip(candidates, margins, strict=True)
    ]


def acceptance_of(candidate: Candidate, counts: Mapping[tuple[OfferId, ProductId], AcceptanceCount]) -> float:
    """How often a card is taken that would not have been bought anyway: what was counted, drawn towards the score.

    Source: posterior mean of a beta-binomial with `PRIOR_CARDS` cards of the score's rate.
    """
    prior = PRIOR_SHARE * max(candidate.score, LEAST_SCORE)
    known = counts.get(_card(candidate))
    if known is None:
        return prior
    taken = max(known.taken_count - known.expected_anyway, 0.0)
    return (PRIOR_CARDS * prior + taken) / (PRIOR_CARDS + known.shown_count)


def personal_weight(candidate: Candidate, snapshot: Snapshot) -> float:
    """How much better than for others a candidate suits this customer now. 1 for somebody of whom nothing is known."""
    weight = 1.0
    if snapshot.owned and _is_timely(candidate, snapshot):
        weight *= TIMELY
    if snapshot.shopper.affinities:
        weight *= 1.0 + LIKED * max(_liking(item.product_id, snapshot) for item in candidate.items)
    return weight


def _card(candidate: Candidate) -> tuple[OfferId, ProductId]:
    """What cards are counted by: the offer and the last of its products, which is the one that is added."""
    return candidate.offer.offer_id, candidate.items[-1].product_id


def _is_timely(candidate: Candidate, snapshot: Snapshot) -> bool:
    moment = pair_moment(candidate, candidate.items[-1].product_id, snapshot)
    return moment is not None and moment.state == OPEN and moment.source != PRIOR_TIME


def _liking(product_id: ProductId, snapshot: Snapshot) -> float:
    """The customer's affinity with what the product is, 0 to 1: its type or its vendor, the stronger of the two."""
    product, liked = snapshot.products.get(product_id), snapshot.shopper.affinities
    if product is None:
        return 0.0
    return min(max(liked.get(product.product_type, 0.0), liked.get(product.vendor, 0.0), 0.0), 1.0)
