"""What is handed over about a customer is theirs and nobody else's."""

import json

from builders_courtesy import swap_state
from builders_database import NOW, add_shop
from builders_histories import KEYRING, a_token
from builders_orders import ORDERED_AT, a_delivery, a_line, an_order
from sqlalchemy import select

from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import OfferId, ProductId, canonical_json
from shopify_upsell.customers.courtesy import NOTHING_SHOWN, spend
from shopify_upsell.customers.dismissals import Scope
from shopify_upsell.customers.dismissals_store import remember_dismissal
from shopify_upsell.customers.preferences_store import save_preference
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals
from shopify_upsell.customers.store import suppress
from shopify_upsell.customers.suppression import dismissal
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger import intake
from shopify_upsell.reports.privacy_export import answer_data_request, customer_export
from shopify_upsell.shops.store import PrivacyRequestRow, save_privacy_request


def sell(session, shop_id, order_id, customer_id, **line):
    order = an_order(order_id, [a_line(order_id * 10, variant_id=2001, **line)], customer_id=customer_id)
    intake.record_order(session, a_delivery(shop_id, "orders/create", order))
    settle_order(session, shop_id, order_id, KEYRING)


def test_the_export_holds_a_customer_s_orders_and_what_they_did_with_offers(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    sell(session, other, 1, 5)
    sell(session, shop_id, 1, 5, token=a_token(shop_id))
    sell(session, shop_id, 2, 6)
    sell(session, shop_id, 3, None)
    record_touchpoint(session, shop_id, Touch("d" * 32, 12, 0, "click", "theme/cart", NOW))
    record_touchpoint(session, shop_id, Touch("f" * 32, 12, 0, "click", "theme/cart", NOW))

    suppress(session, shop_id, dismissal("c:5", ProductId(7), now=NOW))
    suppress(session, shop_id, dismissal("c:6", ProductId(8), now=NOW))

    export = customer_export(session, shop_id, 5, now=NOW, order_ids=[2, 3])

    assert export["customer_id"] == "gid://shopify/Customer/5"
    assert [order["order_id"] for order in export["orders"]] == ["gid://shopify/Order/1", "gid://shopify/Order/3"]
    assert export["orders"][0] == {
        "order_id": "gid://shopify/Order/1",
        "ordered_at": ORDERED_AT,
        "currency": "USD",
        "cart_token": "cart-1",
        "checkout_token": "checkout-1",
        "lines": [
            {
                "line_id": "gid://shopify/LineItem/10",
                "product_id": "gid://shopify/Product/1010",
                "variant_id": "gid://shopify/ProductVariant/2001",
                "quantity": 1,
                "net_minor_units": 1000,
                "carries_offer_token": True,
            }
        ],
        "credited_to": [
            {
                "line_id": "gid://shopify/LineItem/10",
                "offer_id": "12",
                "decision_id": "d" * 32,
                "amount_minor_units": 1000,
            }
        ],
    }
    assert [(touch["decision_id"], touch["kind"]) for touch in export["touchpoints"]] == [("d" * 32, "click")]
    assert [(wish["product_id"], wish["reason"]) for wish in export["wishes"]] == [
        ("gid://shopify/Product/7", "dismissed")
    ]


def test_the_job_keeps_the_export_with_the_request(session, shop_id):
    sell(session, shop_id, 1, 5)
    save_privacy_request(session, shop_id, "customers/data_request", "9", received_at=NOW)
    payload = {"subject_id": 5, "order_ids": [1], "kind": "customers/data_request", "request_key": "9"}

    answer_data_request(session, Job(1, shop_id, "answer_data_request", payload, 1, "t", NOW))

    row = session.scalars(select(PrivacyRequestRow)).one()
    assert row.completed_at == NOW
    assert [order["order_id"] for order in json.loads(row.export)["orders"]] == ["gid://shopify/Order/1"]


def test_the_export_tells_everything_kept_under_the_customers_name_and_nothing_of_others(session, shop_id):
    for subject, number in (("c:5", 1), ("c:6", 2)):
        save_preference(session, shop_id, [subject], "fewer" if number == 1 else "none", now=NOW)
        remember_dismissal(session, shop_id, subject, [Scope(product_id=ProductId(number))], now=NOW)
        swap_state(session, shop_id, subject, NOTHING_SHOWN, spend(NOTHING_SHOWN, [OfferId(number)], now=NOW), now=NOW)
        told = Signal("review", subject, NOW, "reviews", f"review-{number}", 5.0)
        record_signals(session, shop_id, [told], NOW)

    export = customer_export(session, shop_id, 5, now=NOW)

    assert export["preference"] == "fewer"
    assert [one["about"]["product_id"] for one in export["dismissals"]] == [1]
    assert [(one["offer_id"], one["cards"]) for one in export["cards_shown"]] == [("1", 1)]
    assert [(one["kind"], one["external_id"], one["value"]) for one in export["signals"]] == [
        ("review", "review-1", 5.0)
    ]
    assert "review-2" not in canonical_json(export)
