"""What is proposed for a question, and what of it falls out for everybody: the part of a decision that is not personal.

Pure. Comes in: a snapshot. Goes out: candidates, each with the rules it breaks whoever asks. A busy page asks the
same question for thousands of shoppers, so a process may keep the answer; it is the same for as long as the shop's
part of the snapshot and the question are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shopify_upsell.offers import eligibility, readiness
from shopify_upsell.offers.candidate import Candidate, ChosenOffer, Rejection, SharedRefusals
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.margin import worked_out_once
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.pricing import priced
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.worth import worths_of

MOST_TAILS = 64
"""Different ends of one drawing that are remembered: most shoppers share the first."""

MOST_FIT = 8
"""Candidates of an offer that picks by itself, best first, after which the rest are not looked at. Our choice: a page
shows three cards, and a shopper who has waved five away should not see a sixth of the same offer."""

Pick = tuple[tuple[int, ...], SharedRefusals]


@dataclass(frozen=True)
class Drawn:
    """Candidates that passed what is asked before anything personal.

    Shape: `worths[i]` is what ranking goes by, `last[i]` is what refuses `candidates[i]` after the personal rules
    passed, if anything does. `refused` are offers and candidates that fell out before. `picks` remembers choices by
    what was left to choose from, `cards` what candidates cost: both are the same for all who ask.
    """

    candidates: tuple[Candidate, ...]
    worths: tuple[float, ...]
    last: tuple[Rejection | None, ...]
    refused: tuple[Rejection, ...]
    picks: dict[object, Pick] = field(default_factory=dict, compare=False)
    cards: dict[int, ChosenOffer] = field(default_factory=dict, compare=False)

    def remember(self, key: object, pick: Pick) -> Pick:
        """Keep a choice for the next shopper with as much left to choose from."""
        if len(self.picks) < MOST_TAILS:
            self.picks[key] = pick
        return pick

    def card(self, index: int, snapshot: Snapshot) -> ChosenOffer:
        """The candidate as it is shown, priced once. `snapshot`: of anybody who asks the question."""
        known = self.cards.get(index)
        if known is None:
            known = self.cards[index] = priced(self.candidates[index], snapshot)
        return known


def draw(snapshot: Snapshot) -> Drawn:
    """Propose the candidates of every offer and part off those that nobody may see here."""
    candidates: list[Candidate] = []
    last: list[Rejection | None] = []
    refused: list[Rejection] = []
    with worked_out_once():
        for offer in sorted(snapshot.offers, key=lambda one: one.offer_id):
            why_not = readiness.refusal(offer, snapshot)
            proposed = [] if why_not else KINDS[offer.kind](offer, snapshot)
            why_not = why_not or readiness.no_evidence(offer, proposed, snapshot)
            if why_not is not None:
                refused.append(why_not)
                continue
            for candidate, first, end in _judged(offer, proposed, snapshot, refused):
                if first is not None:
                    refused.append(first)
                else:
                    candidates.append(candidate)
                    last.append(end)
        worths = worths_of(candidates, snapshot)
    return Drawn(tuple(candidates), tuple(worths), tuple(last), tuple(refused))


def _judged(
    offer: Offer, proposed: Sequence[Candidate], snapshot: Snapshot, refused: list[Rejection]
) -> Iterator[tuple[Candidate, Rejection | None, Rejection | None]]:
    """Each candidate with what refuses it before and after the personal rules, until enough of the offer are fit.

    An offer gets one card, so of one that picks by itself the best few are enough to choose from, whatever a shopper
    has waved away. What a merchant picked is always looked at.
    """
    fit = 0
    for place, candidate in enumerate(proposed):
        if fit == MOST_FIT and offer.companions is None:
            refused.append(Rejection("outranked", offer.offer_id, detail={"left": len(proposed) - place}))
            return
        first = eligibility.refusal(candidate, snapshot, eligibility.FIRST_RULES)
        end = eligibility.refusal(candidate, snapshot, eligibility.LAST_RULES) if first is None else None
        fit += first is None and end is None
        yield candidate, first, end
