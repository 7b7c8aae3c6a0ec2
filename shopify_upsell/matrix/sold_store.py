"""Read what a shop sold as learning wants it: what was kept, what was given back, arrivals, and who opted out when."""

from array import array
from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, ShopId
from shopify_upsell.ledger.delivered import UsualDelivery
from shopify_upsell.ledger.delivery_store import all_deliveries
from shopify_upsell.ledger.returned_store import returned_lines
from shopify_upsell.ledger.store import sold_lines
from shopify_upsell.matrix.arrivals import arrivals, first_after
from shopify_upsell.matrix.lines import GUEST, NOT_YET, OrderLines

OptOuts = Callable[[Session, ShopId], Iterable[tuple[CustomerId, datetime]]]
"""Gives every opt-out of a shop's customers. Handed in from above: who opted out is not this station's to know."""

COLUMNS = ("order_id", "customer_id", "ordered_at", "product_id", "quantity", "unit_price", "refunded_at")


def nobody_opted_out(session: Session, shop_id: ShopId) -> Iterable[tuple[CustomerId, datetime]]:
    """Stand in where opt-outs are of no interest."""
    return ()


def read_lines(
    session: Session, shop_id: ShopId, usual: UsualDelivery, opt_outs: OptOuts = nobody_opted_out
) -> OrderLines:
    """Read every line, with the arrival of its order known or estimated; lines given back have a quantity of 0."""
    columns = {name: array("q") for name in COLUMNS}
    for sold in sold_lines(session, shop_id):
        customer = GUEST if sold.customer_id is None else sold.customer_id
        ordered = int(sold.ordered_at.timestamp())
        row = (sold.order_id, customer, ordered, sold.product_id, sold.quantity, max(0, sold.unit_price), NOT_YET)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    for back in returned_lines(session, shop_id):
        ordered, refunded = int(back.ordered_at.timestamp()), int(back.refunded_at.timestamp())
        price = max(0, back.unit_price)
        row = (back.order_id, back.customer_id, ordered, back.product_id, 0, price, refunded)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    arrays = {name: np.frombuffer(column, dtype=np.int64) for name, column in columns.items()}
    deliveries = all_deliveries(session, shop_id)
    arrived = arrivals(arrays["order_id"], arrays["ordered_at"], deliveries, usual)
    told = [(int(customer), int(moment.timestamp())) for customer, moment in opt_outs(session, shop_id)]
    opted_out = first_after(arrays["customer_id"], arrays["ordered_at"], told)
    return OrderLines(**arrays, delivered_at=arrived, opted_out_at=opted_out)
