"""Record what the Admin API says as if its webhooks had come. Does no HTTP: nodes are fetched by the caller.

Recording again changes nothing: a version is kept only if it is newer than what is held. A node is triggered when it
was updated, so a delivery of the same update, triggered later, wins over it and stays.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, InvalidInput, ShopId, UnreadableFact, digest_of, parse_time
from shopify_upsell.ledger.admin_documents import order_document, product_document
from shopify_upsell.ledger.cataloguing import record_products, shop_currency
from shopify_upsell.ledger.facts import OrderFact, ProductFact, Sent
from shopify_upsell.ledger.intake import announce, read_order, read_product
from shopify_upsell.ledger.recording import News, record

log = logging.getLogger(__name__)

Fact = TypeVar("Fact", OrderFact, ProductFact)


def record_order_nodes(session: Session, shop_id: ShopId, nodes: Iterable[Mapping[str, Any]]) -> list[Announcement]:
    """Record orders read from the Admin API; announces those that the ledger did not know so."""

    def read(node: Mapping[str, Any]) -> OrderFact:
        document = order_document(node)
        return read_order(document, sent=_sent(document))

    orders = _readable(shop_id, nodes, read)
    return announce(session, shop_id, record(session, shop_id, News(orders=orders)))


def record_product_nodes(session: Session, shop_id: ShopId, nodes: Iterable[Mapping[str, Any]]) -> list[Announcement]:
    """Record products read from the Admin API; announces those that the ledger did not know so."""
    currency = shop_currency(session, shop_id)

    def read(node: Mapping[str, Any]) -> ProductFact:
        document = product_document(node)
        return read_product(document, currency=currency, sent=_sent(document))

    changed = record_products(session, shop_id, _readable(shop_id, nodes, read))
    return [Announcement("product_recorded", product_id) for product_id in changed]


def _sent(document: Mapping[str, Any]) -> Sent:
    return Sent(parse_time(document["updated_at"]), digest_of(document))


def _readable(
    shop_id: ShopId, nodes: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Fact]
) -> list[Fact]:
    """Read what can be read: one broken node must not keep all others out of the ledger."""
    facts = []
    for node in nodes:
        try:
            facts.append(read(node))
        except (InvalidInput, UnreadableFact, KeyError, TypeError, AttributeError) as broken:
            fields = {"shop_id": shop_id, "node_id": str(node.get("id"))[:60], "error": type(broken).__name__}
            log.warning("node_unreadable", extra=fields)
    return facts
