"""When an order reached the shopper: known, or estimated and labelled so."""

from datetime import timedelta

import pytest
from builders_database import NOW

from shopify_upsell.core import OrderId
from shopify_upsell.ledger.delivered import ASSUMED, Journey, Shipment, UsualDelivery, delivered_at, usual_delivery

DAY = timedelta(days=1)
USUAL = UsualDelivery(DAY, 3 * DAY, 5 * DAY, 40, False)


@pytest.mark.parametrize(
    ("shipped", "arrived", "expected"),
    [
        (NOW + DAY, NOW + 2 * DAY, (NOW + 2 * DAY, False)),
        (None, NOW + 2 * DAY, (NOW + 2 * DAY, False)),
        (NOW + DAY, None, (NOW + 4 * DAY, True)),
        (None, None, (NOW + 5 * DAY, True)),
    ],
)
def test_known_arrival_then_shipping_then_ordering_counts(shipped, arrived, expected):
    assert delivered_at(NOW, shipped, arrived, USUAL) == expected


def test_medians_are_taken_apart_and_the_untrustworthy_negative_wait_is_none():
    journeys = [Journey(NOW, NOW + DAY, NOW + (2 + n) * DAY) for n in range(11)]
    journeys += [Journey(NOW, NOW - DAY, None)] * 11 + [Journey(NOW, None, None)]

    usual = usual_delivery(journeys)

    assert usual == UsualDelivery(timedelta(hours=12), 6 * DAY, 7 * DAY, 11, False)


def test_nothing_known_is_the_assumption_and_says_so():
    assert usual_delivery([]) == ASSUMED == UsualDelivery(2 * DAY, 3 * DAY, 5 * DAY, 0, True)


def test_joining_what_is_known_does_not_depend_on_sides():
    one = Shipment(1, OrderId(1), moved_at=NOW, estimated_at=NOW + DAY, estimate_told_at=NOW, failed_at=NOW)
    other = Shipment(1, OrderId(1), delivered_at=NOW + DAY, estimated_at=NOW, estimate_told_at=NOW, failed_at=NOW + DAY)

    assert one.merged(other) == other.merged(one)
    assert one.merged(other).estimated_at == NOW + DAY
    assert one.merged(one) == one
