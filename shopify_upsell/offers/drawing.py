"""What is proposed for a question, and what of it falls out for everybody: the part of a decision that is not personal.

Pure. Comes in: a snapshot. Goes out: candidates, each with the rules it breaks whoever asks. A busy page asks the
same question for thousands of shoppers, so a process may keep the answer; it is the same for as long as the shop's
part of the snapshot and the question are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shopify_upsell.offers import eligibility, readiness
from shopify_upsell.offers.candidate import Candidate, Rejection, SharedRefusals
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.worth import worths_of

MOST_TAILS = 64
"""Different ends of one drawing that are remembered: most shoppers share the first."""

Pick = tuple[tuple[int, ...], SharedRefusals]


@dataclass(frozen=True)
class Drawn:
    """Candidates that passed what is asked before anything personal.

    Shape: `worths[i]` is what ranking goes by, `last[i]` is what refuses `candidates[i]` after the personal rules
    passed, if anything does. `refused` are offers and candidates that fell out before. `picks` remembers choices by
    what was left to choose from.
    """

    candidates: tuple[Candidate, ...]
    worths: tuple[float, ...]
    last: tuple[Rejection | None, ...]
    refused: tuple[Rejection, ...]
    picks: dict[object, Pick] = field(default_factory=dict, compare=False)

    def remember(self, key: object, pick: Pick) -> Pick:
        """Keep a choice for the next shopper with as much left to choose from."""
        if len(self.picks) < MOST_TAILS:
            self.picks[key] = pick
        return pick


def draw(snapshot: Snapshot) -> Drawn:
    """Propose the candidates of every offer and part off those that nobody may see here."""
    candidates: list[Candidate] = []
    refused: list[Rejection] = []
    for offer in sorted(snapshot.offers, key=lambda one: one.offer_id):
        why_not = readiness.refusal(offer, snapshot)
        proposed = () if why_not else KINDS[offer.kind](offer, snapshot)
        why_not = why_not or readiness.no_evidence(offer, proposed, snapshot)
        if why_not is not None:
            refused.append(why_not)
        else:
            _part(proposed, snapshot, candidates, refused)
    last = tuple(eligibility.refusal(one, snapshot, eligibility.LAST_RULES) for one in candidates)
    return Drawn(tuple(candidates), tuple(worths_of(candidates, snapshot)), last, tuple(refused))


def _part(
    proposed: Iterable[Candidate], snapshot: Snapshot, candidates: list[Candidate], refused: list[Rejection]
) -> None:
    for candidate in proposed:
        why_not = eligibility.refusal(candidate, snapshot, eligibility.FIRST_RULES)
        if why_not is None:
            candidates.append(candidate)
        else:
            refused.append(why_not)
