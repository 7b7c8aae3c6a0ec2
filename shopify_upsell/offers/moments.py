"""Which word decides when a product of a candidate may follow its anchor, and how its moment stands.

Pure. A window that the merchant wrote on the offer goes before what is learned or assumed of the pair.
"""

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.timed import MERCHANT_TIME, NO_INTERVAL, PRIOR_TIME, TimingWord
from shopify_upsell.offers.candidate import Candidate
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.timing import LATER, Moment, moment_of


def pair_moment(candidate: Candidate, product_id: ProductId, snapshot: Snapshot) -> Moment | None:
    """How the moment stands for one product of a candidate; None where nothing is said of the pair."""
    word = timing_word(candidate, product_id, snapshot)
    if word is None:
        return None
    is_together = bool(candidate.evidence) or candidate.offer.companions is not None
    return moment_of(
        word,
        snapshot.owned.get(candidate.anchor_product_id),
        now=snapshot.now,
        placement_kind=snapshot.placement_kind,
        same_basket=is_together and snapshot.placement_kind != LATER,
    )


def is_for_later(word: TimingWord | None) -> bool:
    """Tell whether it is learned, or the merchant's word, that a pair begins days after the delivery."""
    if word is None or word.source == PRIOR_TIME or word.window is None:
        return False
    return word.window[0] > 0 and not word.peaks_at_zero


def timing_word(candidate: Candidate, product_id: ProductId, snapshot: Snapshot) -> TimingWord | None:
    """The word that decides when a product of a candidate may follow its anchor; None where there is none."""
    pair = candidate.anchor_product_id, product_id
    word = None
    for one in snapshot.timing:
        if one.companion_product_id == product_id and one.anchor_product_id == pair[0]:
            word = one
            break
    days = candidate.offer.terms.window_days
    return word if days is None else merchant_word(pair, (days[0], days[1]), word)


def merchant_word(pair: tuple[ProductId, ProductId], window: tuple[int, int], known: TimingWord | None) -> TimingWord:
    """A window that the merchant wrote on the offer, in the place of what is learned or assumed."""
    n = known.n if known is not None else 0
    return TimingWord(*pair, "pair", window, (), window[0] == 0, n, NO_INTERVAL, MERCHANT_TIME)


def told_of(moment: Moment) -> dict[str, str | int | float]:
    """What a rejection tells of a moment."""
    told: dict[str, str | int | float] = {"level": moment.level, "source": moment.source}
    if moment.days_since is not None:
        told["days_since"] = moment.days_since
    if moment.opens_at is not None:
        told["until"] = moment.opens_at.isoformat()
    return told
