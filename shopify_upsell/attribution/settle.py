"""Settle orders: gather what is held and claimed, divide, replace credits that differ, post the differences."""

import logging
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from shopify_upsell.attribution.credit import Credit, SignedAddition, Verdict, settle, winner_of
from shopify_upsell.attribution.journal import orders_without_postings, post_balances
from shopify_upsell.attribution.models.registry import DISPLAY_MODEL
from shopify_upsell.attribution.postings import order_balances
from shopify_upsell.attribution.store import Changeset, changesets_of_order, replace_credits
from shopify_upsell.attribution.token import TOKEN_PURPOSE, OfferClaim, read_token
from shopify_upsell.attribution.tracing import Traces, trace_orders
from shopify_upsell.core import Announcement, DecisionId, LineId, OrderId, ShopId
from shopify_upsell.jobs.queue import Job, subjects_of
from shopify_upsell.keyring import Keyring
from shopify_upsell.ledger.booked import BookedOrder, TokenUse
from shopify_upsell.ledger.store import booked_orders, orders_with_token
from shopify_upsell.ledger.tables import lock_orders

log = logging.getLogger(__name__)

POST_PURCHASE = "post_purchase/offer"
"""The placement of every changeset: nothing else is signed."""


class Settlement:
    """The job that follows every change of an order."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def settle(self, session: Session, jobs: Sequence[Job]) -> Sequence[Announcement]:
        """Settle the orders that the jobs are about, and those that share an offer token with one of them."""
        order_ids = [OrderId(number) for number in subjects_of(jobs)]
        changed = settle_orders(session, jobs[0].shop_id, order_ids, self._keyring)
        return [Announcement("order_settled", order_id) for order_id in changed]


def settle_order(session: Session, shop_id: ShopId, order_id: OrderId, keyring: Keyring) -> list[OrderId]:
    """Settle an order and every order that shares one of its tokens. Returns the orders whose credits changed.

    A token credits the earliest order only, so a new fact about one order can move a credit to another. All of them
    are held until the transaction ends: of two settlements of one order the later sees what the earlier wrote.
    """
    return settle_orders(session, shop_id, [order_id], keyring)


def settle_orders(
    session: Session,
    shop_id: ShopId,
    order_ids: Collection[OrderId],
    keyring: Keyring,
    *,
    model: str = DISPLAY_MODEL,
) -> list[OrderId]:
    """Settle many orders at once, as after an import. `model` divides lines that are credited for the first time."""
    wanted = set(order_ids)
    lock_orders(session, shop_id, wanted)
    orders = booked_orders(session, shop_id, wanted)
    uses = _uses(session, shop_id, orders)
    # Whoever shares a token is found only by reading; hold them too, and read again until nobody new turns up.
    while sharing := {use.order_id for shared in uses.values() for use in shared} - wanted:
        wanted |= sharing
        lock_orders(session, shop_id, sharing)
        orders = booked_orders(session, shop_id, wanted)
        uses = _uses(session, shop_id, orders)
    verdicts = _verdicts(shop_id, uses, keyring)
    winners = {
        token: winner_of(claim, uses[token]) for token, claim in verdicts.items() if isinstance(claim, OfferClaim)
    }
    known = {token: winner for token, winner in winners.items() if winner is not None}
    additions = {order_id: _additions(session, shop_id, order) for order_id, order in orders.items()}
    traces = trace_orders(session, shop_id, orders, additions, _claimed(orders, verdicts, known))
    credits = {
        order_id: settle(
            order,
            verdicts=verdicts,
            winners=known,
            additions=additions[order_id],
            assists=traces.assists_of(order),
        )
        for order_id, order in orders.items()
    }
    changed = replace_credits(session, shop_id, credits)
    _post(session, shop_id, orders, credits, set(changed), traces, model)
    if changed:
        log.info("orders_settled", extra={"shop_id": shop_id, "order_count": len(changed)})
    return changed


def _post(
    session: Session,
    shop_id: ShopId,
    orders: Mapping[OrderId, BookedOrder],
    credits: Mapping[OrderId, Sequence[Credit]],
    changed: set[OrderId],
    traces: Traces,
    model: str,
) -> None:
    """Post what changed, and what was settled before there was a journal."""
    due = changed | orders_without_postings(session, shop_id, [key for key, parts in credits.items() if parts])
    # What a line is worth to its shopper may become known, or change, while the shop's amount stays.
    due |= {order_id for order_id, order in orders.items() if _is_paid_in_another_currency(order)}
    paths = traces.frozen_paths(session, {order_id: credits[order_id] for order_id in due}, model)
    balances = {
        order_id: order_balances(
            credits[order_id], paths.get(order_id, {}), _presentment(orders[order_id], credits[order_id])
        )
        for order_id in due
    }
    post_balances(session, shop_id, balances)


def _is_paid_in_another_currency(order: BookedOrder) -> bool:
    return any(line.presentment_net not in (None, line.net_minor_units) for line in order.lines)


def _presentment(order: BookedOrder, credits: Sequence[Credit]) -> dict[LineId, int]:
    """What the lines that are credited are worth in the shopper's currency, as far as Shopify told."""
    credited = {credit.line_id for credit in credits}
    return {
        line.line_id: line.presentment_net
        for line in order.lines
        if line.presentment_net is not None and line.line_id in credited
    }


def _claimed(
    orders: Mapping[OrderId, BookedOrder], verdicts: Mapping[str, Verdict], winners: Mapping[str, OrderId]
) -> dict[OrderId, frozenset[DecisionId]]:
    """The decisions that each order's own tokens name; a token that another order won names somebody else."""
    claims = {token: claim.decision_id for token, claim in verdicts.items() if isinstance(claim, OfferClaim)}
    return {
        order_id: frozenset(
            claims[line.offer_token]
            for line in order.lines
            if line.offer_token in claims and winners.get(line.offer_token) == order_id
        )
        for order_id, order in orders.items()
    }


def _uses(session: Session, shop_id: ShopId, orders: dict[OrderId, BookedOrder]) -> dict[str, list[TokenUse]]:
    """Every use of every token on the orders, by token."""
    tokens = {line.offer_token for order in orders.values() for line in order.lines if line.offer_token is not None}
    return {token: orders_with_token(session, shop_id, token) for token in sorted(tokens)}


def _verdicts(shop_id: ShopId, tokens: Collection[str], keyring: Keyring) -> dict[str, Verdict]:
    keys = keyring.signing_keys(TOKEN_PURPOSE, shop_id) if tokens else ()
    return {token: read_token(token, keys, shop_id=shop_id) for token in tokens}


def _additions(session: Session, shop_id: ShopId, order: BookedOrder) -> list[SignedAddition]:
    if not any(change.delta > 0 for change in order.edits):
        return []
    changesets = changesets_of_order(session, shop_id, order.order_id, order.checkout_token)
    return [_addition(changeset) for changeset in changesets]


def _addition(changeset: Changeset) -> SignedAddition:
    return SignedAddition(
        changeset_id=changeset.changeset_id,
        decision_id=changeset.decision_id,
        offer_id=changeset.offer_id,
        book=changeset.offer_kind,
        placement=POST_PURCHASE,
        variant_id=changeset.variant_id,
        quantity=changeset.quantity,
        signed_at=changeset.signed_at,
    )
