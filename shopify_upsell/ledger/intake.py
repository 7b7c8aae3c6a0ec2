"""Webhook handlers of the ledger: a delivery becomes a fact, facts are recorded, what changed is announced."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from marshmallow import Schema, ValidationError
from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, Delivery, InvalidInput, OrderId, ShopId, UnreadableFact
from shopify_upsell.ledger.cataloguing import record_products, remove_product, shop_currency
from shopify_upsell.ledger.edit_schemas import EditedSchema, IdSchema
from shopify_upsell.ledger.facts import OrderFact, ProductFact, RefundFact, Sent, Version
from shopify_upsell.ledger.order_schemas import OrderSchema, RefundSchema
from shopify_upsell.ledger.product_schemas import ProductSchema
from shopify_upsell.ledger.recording import News, Recorded, joined, record
from shopify_upsell.ledger.store import orders_with_token

_ORDER, _REFUND, _EDITED, _ID, _PRODUCT = OrderSchema(), RefundSchema(), EditedSchema(), IdSchema(), ProductSchema()

Fact = TypeVar("Fact", OrderFact, ProductFact)


def record_order(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep the order if this version is newer than the one held; keep its refunds either way.

    Raises: UnreadableFact, and nothing is kept.
    """
    return record_news(session, delivery.shop_id, [_order_news(delivery)])


def record_order_deletion(session: Session, delivery: Delivery) -> list[Announcement]:
    """Mark the order deleted, for ever: Shopify reuses no ids. Its deletion may come before it does."""
    return record_news(session, delivery.shop_id, [_deletion_news(delivery)])


def record_order_edit(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep by how many units an edit changed each line. Additions may be a post-purchase offer that was accepted."""
    return record_news(session, delivery.shop_id, [_edit_news(delivery)])


def record_refund(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep a refund, also one that comes before its order."""
    return record_news(session, delivery.shop_id, [_refund_news(delivery)])


def record_news(session: Session, shop_id: ShopId, told: Sequence[News]) -> list[Announcement]:
    """Keep what several deliveries told of orders, to the same end as one after another in any order."""
    news = joined(told)
    recorded = record(session, shop_id, news)
    announcements = announce(session, shop_id, recorded)
    grown = {edit.order_id for edit in news.edits if any(delta > 0 for _, delta in edit.changes)}
    return announcements + [Announcement("order_edited", order_id) for order_id in sorted(grown & recorded.moved)]


def record_product(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep the product if this version is newer than the one held."""
    currency = shop_currency(session, delivery.shop_id)
    product = read_product(delivery.payload, currency=currency, sent=_sent(delivery))
    changed = record_products(session, delivery.shop_id, [product])
    return [Announcement("product_recorded", product_id) for product_id in changed]


def record_product_deletion(session: Session, delivery: Delivery) -> list[Announcement]:
    """Mark the product deleted, for ever."""
    product_id = _load(_ID, delivery.payload)["id"]
    changed = remove_product(session, delivery.shop_id, product_id)
    return [Announcement("product_recorded", product_id)] if changed else []


def read_order(document: Mapping[str, Any], *, sent: Sent) -> OrderFact:
    """Read an order document as a fact of one delivery. Raises: UnreadableFact."""
    order: OrderFact = _load(_ORDER, document)
    return _stamped(order, sent)


def read_product(document: Mapping[str, Any], *, currency: str, sent: Sent) -> ProductFact:
    """Read a product document as a fact; prices are in the shop's currency. Raises: UnreadableFact."""
    product: ProductFact = _load(_PRODUCT, {**document, "currency": currency})
    return _stamped(product, sent)


def announce(session: Session, shop_id: ShopId, recorded: Recorded) -> list[Announcement]:
    """Say which orders to look at again: those that changed, and those that share a token one of them gave up."""
    order_ids = set(recorded.order_ids)
    for token in recorded.lost_tokens:
        order_ids.update(use.order_id for use in orders_with_token(session, shop_id, token))
    return [Announcement("order_recorded", order_id) for order_id in sorted(order_ids)]


def _order_news(delivery: Delivery) -> News:
    return News(orders=[read_order(delivery.payload, sent=_sent(delivery))])


def _deletion_news(delivery: Delivery) -> News:
    return News(deleted=frozenset({OrderId(_load(_ID, delivery.payload)["id"])}))


def _edit_news(delivery: Delivery) -> News:
    return News(edits=[_load(_EDITED, delivery.payload)["order_edit"]])


def _refund_news(delivery: Delivery) -> News:
    refund: RefundFact = _load(_REFUND, delivery.payload)
    if refund.order_id == 0:
        raise UnreadableFact("order_id: a refund of no order")
    return News(refunds=[refund])


ORDER_NEWS: Mapping[Callable[[Session, Delivery], Sequence[Announcement]], Callable[[Delivery], News]] = {
    record_order: _order_news,
    record_order_deletion: _deletion_news,
    record_order_edit: _edit_news,
    record_refund: _refund_news,
}
"""How the handlers of orders read a delivery, so that what several tell can be recorded at once."""


def _sent(delivery: Delivery) -> Sent:
    return Sent(delivery.triggered_at, delivery.digest)


def _stamped(fact: Fact, sent: Sent) -> Fact:
    return replace(fact, version=Version(fact.version.at, sent.triggered_at, sent.digest))


def _load(schema: Schema, payload: Mapping[str, Any]) -> Any:
    try:
        return cast("Any", schema.load(payload))
    except ValidationError as broken:
        raise UnreadableFact(_first_complaint(broken.messages)) from None
    except InvalidInput as broken:
        raise UnreadableFact(broken.message) from None


def _first_complaint(messages: Any) -> str:
    """Where the first error is and what is wrong there. Values stay out: they may be personal."""
    path: list[str] = []
    while isinstance(messages, Mapping):
        key = min(messages, key=str)
        path.append(str(key))
        messages = messages[key]
    first: Sequence[Any] = messages if isinstance(messages, list) and messages else ["not readable"]
    return f"{'.'.join(path)}: {first[0]}"[:200]
