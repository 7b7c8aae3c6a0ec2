"""The decision itself: gates, what everybody may see, what this shopper may see, rank, choose, holdout.

Pure. In: a `Snapshot`. Out: an `Answer`. Nothing else is read, so a stored snapshot replays to the same bytes.
"""

from dataclasses import replace
from datetime import datetime

from shopify_upsell.core import parse_time
from shopify_upsell.customers.preferences import FEWER
from shopify_upsell.experiments.assignment import is_in_holdout
from shopify_upsell.experiments.running import Assigned, arms_for
from shopify_upsell.offers.arms import patched
from shopify_upsell.offers.candidate import Answer, Candidate, Decision, Rejection, SharedRefusals
from shopify_upsell.offers.choice import choose, limit_of
from shopify_upsell.offers.drawing import Drawn, Pick, draw
from shopify_upsell.offers.eligibility import refusal
from shopify_upsell.offers.gates import EVERY_OFFER, Gate, cards_left, closed_gate
from shopify_upsell.offers.personal import rules_for
from shopify_upsell.offers.ranking import rank
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.worth import personal_weight

ENGINE_VERSION = "5"
"""Raise it with every change that could alter an answer: replay promises the same answer within one version."""


def decide_from(snapshot: Snapshot, drawn: Drawn | None = None) -> Answer:
    """Answer a request. `drawn`, if given, is what `draw` made of the same shop and the same question.

    The holdout is asked last, after everything has been chosen: a shopper in it gets nothing, but what would have
    been shown is kept, so that both arms are counted at the same point.
    """
    unit = snapshot.unit or next(iter(snapshot.request.subjects), None)
    is_holdout = unit is not None and is_in_holdout(snapshot.holdout_salt, unit, snapshot.holdout_basis_points)
    gate = closed_gate(snapshot)
    if gate is not None:
        return _refused(gate, unit, is_holdout=is_holdout)
    assigned = arms_of(snapshot)
    if drawn is None:
        drawn = draw(as_assigned(snapshot, assigned))
    left, refused = judged(snapshot, drawn)
    winners, shared = _picked(snapshot, drawn, left)
    offers = tuple(drawn.card(index, snapshot) for index in winners)
    return Answer(
        chosen=() if is_holdout else offers,
        would_have_shown=offers if is_holdout else (),
        refused=refused,
        unit=unit,
        is_holdout=is_holdout,
        shared=shared,
        next_at=None if offers else _next_at(refused),
        assigned=assigned,
    )


def arms_of(snapshot: Snapshot) -> tuple[Assigned, ...]:
    """The arms of the snapshot's unit. Whoever is held out, or has no name, is in none."""
    if not snapshot.experiments:
        return ()
    unit = snapshot.unit or next(iter(snapshot.request.subjects), None)
    is_holdout = unit is not None and is_in_holdout(snapshot.holdout_salt, unit, snapshot.holdout_basis_points)
    return arms_for(snapshot.experiments, unit, is_holdout=is_holdout)


def as_assigned(snapshot: Snapshot, assigned: tuple[Assigned, ...]) -> Snapshot:
    """The snapshot with its offers as the arms have them."""
    if not assigned:
        return snapshot
    return replace(snapshot, offers=patched(snapshot.offers, assigned, snapshot.experiments))


def without_cards(decision: Decision) -> Decision:
    """Decide again knowing that others took the last of the shopper's budget at the same moment: nothing is shown."""
    inputs = replace(decision.inputs, lost_race=True)
    return replace(decision, inputs=inputs, answer=decide_from(inputs), charged=None)


def judged(snapshot: Snapshot, drawn: Drawn) -> tuple[tuple[int, ...], tuple[Rejection, ...]]:
    """Which candidates this shopper may see, by their index, and why not the others."""
    rules = rules_for(snapshot)
    left: list[int] = []
    refused: list[Rejection] = []
    for index, candidate in enumerate(drawn.candidates):
        why_not = refusal(candidate, snapshot, rules) or drawn.last[index]
        if why_not is None:
            left.append(index)
        else:
            refused.append(why_not)
    return tuple(left), tuple(refused)


def may_see(snapshot: Snapshot) -> list[Candidate]:
    """The candidates that this shopper may see, before any is chosen."""
    drawn = draw(snapshot)
    return [drawn.candidates[index] for index in judged(snapshot, drawn)[0]]


def _refused(gate: Gate, unit: str | None, *, is_holdout: bool) -> Answer:
    """The answer of a closed gate: one rejection of every offer."""
    detail = {"until": gate.until.isoformat()} if gate.until is not None else {}
    return Answer(
        chosen=(),
        would_have_shown=(),
        refused=(Rejection(gate.code, EVERY_OFFER, detail=detail),),
        unit=unit,
        is_holdout=is_holdout,
        gate=gate.code,
        next_at=gate.until,
    )


def _next_at(refused: tuple[Rejection, ...]) -> datetime | None:
    """The first moment at which something that was refused now may be shown."""
    return min((parse_time(str(one.detail["until"])) for one in refused if "until" in one.detail), default=None)


def _picked(snapshot: Snapshot, drawn: Drawn, left: tuple[int, ...]) -> Pick:
    """Rank and choose; what lost against better ones joins what nobody may see.

    Shoppers who may see the same and of whom nothing more is known get the same choice, made once.
    """
    limit = _limit(snapshot)
    is_personal = bool(snapshot.owned or snapshot.shopper.affinities)
    known = None if is_personal else drawn.picks.get((left, limit))
    if known is not None:
        return known
    places = {id(drawn.candidates[index]): index for index in left}
    worths = {id(drawn.candidates[index]): drawn.worths[index] for index in left}
    if is_personal:
        worths |= {
            key: worth * personal_weight(drawn.candidates[places[key]], snapshot) for key, worth in worths.items()
        }
    winners, losers = choose(rank([drawn.candidates[index] for index in left], worths, snapshot.pins), limit)
    pick = (tuple(places[id(winner)] for winner in winners), SharedRefusals((*drawn.refused, *losers)))
    return pick if is_personal else drawn.remember((left, limit), pick)


def _limit(snapshot: Snapshot) -> int:
    """Cards for this answer: what the placement shows, what is left of the budget, one where fewer are wanted."""
    limit = min(limit_of(snapshot.request.placement, snapshot.request.limit), cards_left(snapshot))
    return min(limit, 1) if snapshot.preference == FEWER else limit
