"""Use case: answer a surface. Gather a snapshot in few queries, let the pure pipeline decide, store nothing.

What is known of the shop is read in a handful of queries and remembered for a few seconds (`shelving`); what is known
of the person is read every time, in one query, and what they own in two more where they are a customer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, ProductId
from shopify_upsell.customers.standing import Standing, read_standings
from shopify_upsell.experiments.layers import quarter_holdout
from shopify_upsell.gathering import attempt, raised_or
from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.ledger.ownership import owned_products
from shopify_upsell.matrix.exploring import Exploration
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.exploration_store import lot_of
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.shelf import Shelf
from shopify_upsell.offers.shelving import (
    MOST_ANCHORS,
    SHORTLIST,
    recalled_request,
    recalled_shelf,
    resolved_request,
    shelf_for,
)
from shopify_upsell.offers.snapshot import CartLine, OfferRequest, Snapshot, placement_kind_of
from shopify_upsell.offers.timing import LATER
from shopify_upsell.offers.unit_store import STANDING_WITH_UNIT, unit_among
from shopify_upsell.shops.store import Shop

__all__ = ["SHORTLIST", "CartLine", "Decision", "OfferRequest", "decide"]

OWNED_SINCE = timedelta(days=730)
"""How far back what a customer bought is looked at. Our choice: the timing of pairs ends at 270 days; what lasts is
not offered again for two years."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request with everything that is read of the shop for it, and what the customer has; of the person no more.

    `subjects`: the shopper's names, known to be such before the question meets others.
    """

    shop: Shop
    request: OfferRequest
    subjects: tuple[str, ...]
    shelf: Shelf
    owned: Mapping[ProductId, OwnedProduct]


def decide(
    session: Session,
    request: OfferRequest,
    *,
    now: datetime,
    decision_id: DecisionId,
    shop: Shop,
    holdout_basis_points: int,
) -> Decision:
    """Decide what to show. The caller stores the decision, when it is one that was really asked for.

    Raises: InvalidInput for a visitor id that our own script could not have made.
    """
    question = read_question(session, request, now=now, shop=shop, holdout_basis_points=holdout_basis_points)
    (decision,) = decide_each(session, [question], now=now, decision_ids=[decision_id])
    return raised_or(decision)


def read_question(
    session: Session, request: OfferRequest, *, now: datetime, shop: Shop, holdout_basis_points: int
) -> Question:
    """Read what a request needs of the shop, as far as it is not remembered, and what a known customer has.

    Raises: InvalidInput for a visitor id that our own script could not have made.
    """
    asked = resolved_request(session, shop.shop_id, request)
    owned: dict[ProductId, OwnedProduct] = {}
    if placement_kind_of(asked) == LATER and not asked.anchor_product_ids:
        owned = _owned(session, asked, None, now)
        asked = replace(asked, anchor_product_ids=_latest(owned))
    shelf = shelf_for(session, asked, now=now, shop=shop, holdout_basis_points=holdout_basis_points)
    return Question(shop, asked, asked.subjects, shelf, owned or _owned(session, asked, shelf, now))


def remembered_question(
    memory: Mapping[str, Any], request: OfferRequest, *, shop: Shop, holdout_basis_points: int
) -> Question | None:
    """The same without reading anything; None where something must be read. `memory`: the process's.

    Raises: InvalidInput, as `read_question`.
    """
    asked = recalled_request(memory, request)
    if asked is None or asked.customer_id is not None:
        return None
    shelf = recalled_shelf(memory, asked, shop=shop, holdout_basis_points=holdout_basis_points)
    return Question(shop, asked, asked.subjects, shelf, {}) if shelf is not None else None


def decide_each(
    session: Session, questions: Sequence[Question], *, now: datetime, decision_ids: Sequence[DecisionId]
) -> list[Decision | Exception]:
    """Decide questions of one shop, their people read in one query. What went wrong with one stands in its place."""
    shop_id = questions[0].shop.shop_id
    people = [question.subjects for question in questions]
    standings = read_standings(session, shop_id, people, now=now, statement=STANDING_WITH_UNIT)
    asked = zip(questions, standings, decision_ids, strict=True)
    return [attempt(partial(_decided, session, *one, now)) for one in asked]


def _decided(
    session: Session, question: Question, standing: Standing, decision_id: DecisionId, now: datetime
) -> Decision:
    shop, asked, shelf = question.shop, question.request, question.shelf
    unit = unit_among(standing.more, question.subjects)
    own = {
        "now": now,
        "request": asked,
        "suppressions": standing.suppressions,
        "dismissals": standing.dismissals,
        "preference": standing.preference,
        "shopper": standing.shopper,
        "courtesy": standing.courtesy,
        "owned": question.owned,
        "unit": unit,
        "exploration": _lot(session, shelf, shop, unit, now),
        "holdout_salt": quarter_holdout(shop.holdout_salt, now, shelf.template.holdout_basis_points).salt,
    }
    snapshot = Snapshot(**(shelf.fields | own))
    return Decision(
        decision_id=decision_id,
        shop_id=shop.shop_id,
        decided_at=now,
        placement=asked.placement,
        answer=decide_from(snapshot, shelf.draw(snapshot)),
        inputs=snapshot,
        engine_version=ENGINE_VERSION,
        shelf=shelf,
        charged=standing.own,
    )


def _lot(session: Session, shelf: Shelf, shop: Shop, unit: str | None, now: datetime) -> Exploration | None:
    """Whether this person may be shown a pair without evidence today; None where the shelf has none to try."""
    if not shelf.template.untried:
        return None
    return lot_of(session, shop, unit, now, basis_points=shelf.rules.exploration_basis_points)


def _owned(
    session: Session, request: OfferRequest, shelf: Shelf | None, now: datetime
) -> dict[ProductId, OwnedProduct]:
    """What a known customer has: everything lately bought, or only what the shelf is about."""
    if request.customer_id is None:
        return {}
    wanted = None if shelf is None else shelf.template.products.keys()
    return owned_products(session, request.shop_id, request.customer_id, wanted, since=now - OWNED_SINCE)


def _latest(owned: dict[ProductId, OwnedProduct]) -> tuple[ProductId, ...]:
    """Products bought last, as anchors of what is offered later in a customer's life."""
    newest = sorted(owned.values(), key=lambda one: (one.last_ordered_at, one.product_id), reverse=True)
    return tuple(one.product_id for one in newest[:MOST_ANCHORS])
