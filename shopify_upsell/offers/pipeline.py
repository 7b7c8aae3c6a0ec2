"""The decision itself: propose, ready, eligible, rank, choose, holdout.

Pure. In: a `Snapshot`. Out: an `Answer`. Nothing else is read, so a stored snapshot replays to the same bytes.
"""

from shopify_upsell.experiments.assignment import is_in_holdout
from shopify_upsell.offers import eligibility, readiness
from shopify_upsell.offers.candidate import Answer, Candidate, Rejection
from shopify_upsell.offers.choice import choose, limit_of
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.pricing import priced
from shopify_upsell.offers.ranking import rank
from shopify_upsell.offers.snapshot import Snapshot

ENGINE_VERSION = "2"
"""Raise it with every change that could alter an answer: replay promises the same answer within one version."""


def decide_from(snapshot: Snapshot) -> Answer:
    """Answer a request.

    The holdout is asked last, after everything has been chosen: a shopper in it gets nothing, but what would have
    been shown is kept, so that both arms are counted at the same point.
    """
    eligible, rejections = judged(snapshot)
    limit = limit_of(snapshot.request.placement, snapshot.request.limit)
    winners, losers = choose(rank(eligible), limit)
    offers = tuple(priced(winner, snapshot) for winner in winners)
    unit = next(iter(snapshot.request.subjects), None)
    is_holdout = unit is not None and is_in_holdout(snapshot.holdout_salt, unit, snapshot.holdout_basis_points)
    return Answer(
        chosen=() if is_holdout else offers,
        would_have_shown=offers if is_holdout else (),
        rejections=(*rejections, *losers),
        unit=unit,
        is_holdout=is_holdout,
    )


def judged(snapshot: Snapshot) -> tuple[list[Candidate], list[Rejection]]:
    """Propose the candidates of every offer and part those that may be shown from those that may not."""
    eligible: list[Candidate] = []
    rejections: list[Rejection] = []
    for offer in sorted(snapshot.offers, key=lambda one: one.offer_id):
        candidates = KINDS[offer.kind](offer, snapshot)
        refused = readiness.refusal(offer, candidates, snapshot)
        if refused is not None:
            rejections.append(refused)
            continue
        for candidate in candidates:
            why_not = eligibility.refusal(candidate, snapshot)
            if why_not is None:
                eligible.append(candidate)
            else:
                rejections.append(why_not)
    return eligible, rejections
