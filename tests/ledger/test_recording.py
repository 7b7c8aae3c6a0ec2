"""What the handlers keep, what they announce, and that arrival in another order changes nothing."""

import pytest
from builders_database import add_shop
from builders_ledger_rows import LEDGER_TABLES, rows_of_tables
from builders_orders import (
    ORDERED_AT,
    a_delivery,
    a_line,
    a_product,
    a_refund,
    a_refund_line,
    a_variant,
    an_edit,
    an_order,
    at,
)
from sqlalchemy import select

from shopify_upsell.core import LARGEST_ID, Announcement, UnreadableFact
from shopify_upsell.ledger import intake, recording, store
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, RefundRow
from shopify_upsell.money import Money

HANDLERS = {
    "orders/create": intake.record_order,
    "orders/updated": intake.record_order,
    "orders/delete": intake.record_order_deletion,
    "orders/edited": intake.record_order_edit,
    "refunds/create": intake.record_refund,
    "products/update": intake.record_product,
    "products/delete": intake.record_product_deletion,
}


def deliver(session, shop_id, topic, document, *, triggered_at=None):
    return HANDLERS[topic](session, a_delivery(shop_id, topic, document, triggered_at=triggered_at))


def test_an_order_is_kept_with_its_lines_and_announced_once(session, shop_id):
    order = an_order(lines=[a_line(quantity=2, token="v1.k.p.m")], customer_id=5)

    first = deliver(session, shop_id, "orders/create", order)
    second = deliver(session, shop_id, "orders/create", order)

    assert first == [Announcement("order_recorded", 1)]
    assert second == []
    kept = store.booked_order(session, shop_id, 1, lock=True)
    assert (kept.customer_id, kept.currency, kept.ordered_at, kept.is_booked) == (5, "USD", ORDERED_AT, True)
    assert [(line.line_id, line.net_minor_units, line.offer_token) for line in kept.lines] == [(11, 2000, "v1.k.p.m")]


def test_orders_of_two_shops_with_the_same_ids_stay_apart(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    deliver(session, other, "orders/create", an_order(lines=[a_line(price="99.00")]))
    deliver(session, shop_id, "orders/create", an_order())
    deliver(session, shop_id, "refunds/create", a_refund(paid="4.00"))

    assert store.booked_order(session, shop_id, 1).lines[0].net_minor_units == 600
    assert store.booked_order(session, other, 1).lines[0].net_minor_units == 9900


def test_an_older_version_changes_nothing_but_the_refunds_it_carries_are_kept(session, shop_id):
    deliver(session, shop_id, "orders/updated", an_order(lines=[a_line(quantity=2)], updated_at=at(9)))
    older = an_order(lines=[a_line(quantity=7)], updated_at=at(8), refunds=[a_refund(paid="5.00")])

    announced = deliver(session, shop_id, "orders/create", older)

    assert announced == [Announcement("order_recorded", 1)]
    line = store.booked_order(session, shop_id, 1).lines[0]
    assert (line.quantity, line.net_minor_units) == (2, 1500)


def test_of_two_versions_updated_together_the_one_triggered_later_wins(session, shop_id):
    late = an_order(financial_status="paid")
    early = an_order(financial_status="pending")

    deliver(session, shop_id, "orders/updated", late, triggered_at=at(2))
    deliver(session, shop_id, "orders/create", early, triggered_at=at(1))

    assert store.booked_order(session, shop_id, 1).is_booked


def test_a_line_that_the_newer_version_lacks_is_gone(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order(lines=[a_line(), a_line(12)]))
    deliver(session, shop_id, "orders/updated", an_order(lines=[a_line(12)], updated_at=at(1)))

    assert [line.line_id for line in store.booked_order(session, shop_id, 1).lines] == [12]


def test_a_refund_that_comes_before_its_order_counts_when_the_order_comes(session, shop_id):
    assert deliver(session, shop_id, "refunds/create", a_refund(lines=[a_refund_line(11, 1, "10.00")])) == []
    assert store.booked_order(session, shop_id, 1) is None

    deliver(session, shop_id, "orders/create", an_order(lines=[a_line(quantity=2)]))

    assert store.booked_order(session, shop_id, 1).lines[0].net_minor_units == 1000


def test_a_refund_inside_an_order_and_by_itself_is_one_refund(session, shop_id):
    refund = a_refund(lines=[a_refund_line(11, 1, "10.00")])
    deliver(session, shop_id, "orders/create", an_order(lines=[a_line(quantity=3)]))
    deliver(session, shop_id, "refunds/create", refund)
    deliver(
        session, shop_id, "orders/updated", an_order(lines=[a_line(quantity=3)], refunds=[refund], updated_at=at(2))
    )

    assert store.booked_order(session, shop_id, 1).lines[0].net_minor_units == 2000
    assert len(session.execute(select(RefundRow.refund_id)).all()) == 1


@pytest.mark.parametrize("turn", [(0, 1), (1, 0)])
def test_of_two_contents_for_one_refund_the_same_one_is_kept_in_any_turn(session, shop_id, turn):
    refunds = [a_refund(paid="1.00"), a_refund(paid="2.00")]
    deliver(session, shop_id, "orders/create", an_order())

    for index in turn:
        deliver(session, shop_id, "refunds/create", refunds[index])

    assert store.booked_order(session, shop_id, 1).lines[0].net_minor_units == 900


def test_an_edit_is_announced_apart_when_it_added_something(session, shop_id):
    assert deliver(session, shop_id, "orders/edited", an_edit(added={12: 1})) == [Announcement("order_edited", 1)]
    assert deliver(session, shop_id, "orders/edited", an_edit(added={12: 1})) == []
    deliver(session, shop_id, "orders/create", an_order(lines=[a_line(quantity=3)]))

    removal = deliver(session, shop_id, "orders/edited", an_edit(92, removed={11: -1}))

    assert removal == [Announcement("order_recorded", 1)]
    kept = store.booked_order(session, shop_id, 1)
    assert [(change.edit_id, change.line_id, change.delta) for change in kept.edits] == [(91, 12, 1), (92, 11, -1)]
    assert kept.lines[0].net_minor_units == 2000


def test_a_deletion_stays_whatever_comes_after_it(session, shop_id):
    deliver(session, shop_id, "orders/delete", {"id": 1})
    assert store.booked_order(session, shop_id, 1) is None
    deliver(session, shop_id, "orders/create", an_order())
    deliver(session, shop_id, "orders/updated", an_order(updated_at=at(50)))

    kept = store.booked_order(session, shop_id, 1)

    assert (kept.is_booked, kept.lines[0].net_minor_units) == (False, 0)
    assert store.baskets(session, shop_id) == []


def test_tokens_that_a_newer_version_does_not_name_are_remembered(session, shop_id):
    deliver(session, shop_id, "orders/updated", an_order(cart_token=None, checkout_token=None, updated_at=at(5)))
    deliver(session, shop_id, "orders/create", an_order())

    kept = store.booked_order(session, shop_id, 1)
    assert (kept.cart_token, kept.checkout_token) == ("cart-1", "checkout-1")


def test_an_order_that_gives_up_an_offer_token_brings_up_the_other_that_carries_it(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order(1, [a_line(11, token="v1.shared")]))
    deliver(session, shop_id, "orders/create", an_order(2, [a_line(21, token="v1.shared")]))

    announced = deliver(session, shop_id, "orders/updated", an_order(1, [a_line(11)], updated_at=at(3)))

    assert announced == [Announcement("order_recorded", 1), Announcement("order_recorded", 2)]


def test_nothing_personal_is_kept(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order(customer_id=5, refunds=[a_refund(paid="1.00")]))

    everything = repr(rows_of_tables(session, shop_id))

    assert not [word for word in ("robin", "Robin", "example.com", "Example Street") if word in everything]


def test_letters_that_postgresql_refuses_are_dropped(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order(source_name="we\x00b\ud800", cart_token="c\x00art"))

    row = session.execute(select(OrderRow.source_name, OrderRow.cart_token)).one()
    assert tuple(row) == ("web?", "cart")


def test_offer_tokens_that_cannot_be_ours_are_not_kept(session, shop_id):
    lines = [
        a_line(11, token="x" * 256),
        a_line(12, properties=[{"name": "_wp", "value": 5}]),
        a_line(13, properties={"_wp": "v1"}),
        a_line(14, properties=["_wp"]),
        a_line(15, properties=None),
        a_line(16, token="x" * 255),
    ]
    deliver(session, shop_id, "orders/create", an_order(lines=lines))

    kept = {line.line_id: line.offer_token for line in store.booked_order(session, shop_id, 1).lines}
    assert kept == {11: None, 12: None, 13: None, 14: None, 15: None, 16: "x" * 255}


def test_what_a_guest_bought_of_products_long_deleted_is_booked_all_the_same(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order(lines=[a_line(product_id=None, variant_id=None)]))

    kept = store.booked_order(session, shop_id, 1)
    assert (kept.customer_id, kept.lines[0].product_id, kept.lines[0].net_minor_units) == (None, None, 1000)
    assert store.baskets(session, shop_id) == []


BROKEN_ORDERS = {
    "no id": an_order(id=None),
    "an id over 64 bits": an_order(2**63),
    "an id that is true": an_order(id=True),
    "a line id of zero": an_order(lines=[a_line(0)]),
    "no lines": {name: value for name, value in an_order().items() if name != "line_items"},
    "lines that are none": an_order(line_items="11"),
    "two lines with one id": an_order(lines=[a_line(), a_line()]),
    "a price below zero": an_order(lines=[a_line(price="-1.00")]),
    "a price with an exponent": an_order(lines=[a_line(price="1e3")]),
    "a price with a comma": an_order(lines=[a_line(price="1,99")]),
    "a price in Arabic digits": an_order(lines=[a_line(price="١٢")]),
    "a price of forty digits": an_order(lines=[a_line(price="9" * 40)]),
    "no price": an_order(lines=[a_line(price=None)]),
    "half a yen": an_order(lines=[a_line(price="15.50")], currency="JPY"),
    "a discount below zero": an_order(lines=[a_line(discount="-1.00")]),
    "a quantity below zero": an_order(lines=[a_line(quantity=-1)]),
    "a quantity of two billion": an_order(lines=[a_line(quantity=2**31)]),
    "a fraction of a unit": an_order(lines=[a_line(quantity=1.5)]),
    "a line beyond 64 bits": an_order(lines=[a_line(quantity=10**9, price="9999999999999.00")]),
    "no currency": an_order(currency=None),
    "a currency in small letters": an_order(currency="usd"),
    "a currency nobody has": an_order(currency="ZZZ"),
    "no update time": an_order(updated_at=at(0), processed_at="yesterday"),
    "a time without its zone": an_order(created_at="2026-11-01T10:00:00"),
    "shop money in another currency": an_order(
        lines=[a_line(price_set={"shop_money": {"amount": "10.00", "currency_code": "EUR"}})]
    ),
    "a refund of another order": an_order(refunds=[a_refund(order_id=2)]),
    "a refund that cannot be read": an_order(refunds=[a_refund(lines=[a_refund_line(subtotal="-1.00")])]),
    "a customer that is a name": an_order(customer="Robin"),
}


@pytest.mark.parametrize("name", BROKEN_ORDERS)
def test_an_order_that_cannot_be_read_leaves_nothing_behind(session, shop_id, name):
    with pytest.raises(UnreadableFact) as broken:
        deliver(session, shop_id, "orders/create", BROKEN_ORDERS[name])

    assert "Robin" not in broken.value.message
    assert not any(rows_of_tables(session, shop_id).values())


@pytest.mark.parametrize(
    ("topic", "document"),
    [
        ("orders/delete", {}),
        ("orders/edited", {"id": 1}),
        ("orders/edited", an_edit(added={12: 2**31})),
        ("orders/edited", an_edit(order_id=None)),
        ("refunds/create", a_refund(order_id=None)),
        ("refunds/create", a_refund(paid="-3.00")),
        ("refunds/create", a_refund(lines=[a_refund_line(quantity=-1)])),
        ("refunds/create", an_order()),
        ("products/update", a_product(variants=[a_variant(price="free")])),
        ("products/update", {"id": 1}),
        ("products/delete", {"id": "all"}),
    ],
)
def test_other_documents_that_cannot_be_read_leave_nothing_behind(session, shop_id, topic, document):
    with pytest.raises(UnreadableFact):
        deliver(session, shop_id, topic, document)

    assert not any(rows_of_tables(session, shop_id).values())


def test_times_far_off_are_taken_as_they_are(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order(1), triggered_at=at(0).replace(year=2099))
    deliver(session, shop_id, "orders/create", an_order(2), triggered_at=at(0).replace(year=1970))

    assert [store.booked_order(session, shop_id, key).is_booked for key in (1, 2)] == [True, True]


def test_valuing_an_order_again_mends_columns_that_drifted(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order())
    assert recording.rebook(session, shop_id, 1) is False
    session.execute(OrderLineRow.__table__.update().values(net_minor_units=1))

    assert recording.rebook(session, shop_id, 1) is True
    assert store.booked_order(session, shop_id, 1).lines[0].net_minor_units == 1000


def test_a_product_is_kept_with_its_variants_by_position(session, shop_id):
    variants = [a_variant(31, position=2, inventory_quantity=0), a_variant(30, position=1, price="12.50")]

    first = deliver(session, shop_id, "products/update", a_product(3, variants=variants))
    second = deliver(session, shop_id, "products/update", a_product(3, variants=variants))

    assert (first, second) == ([Announcement("product_recorded", 3)], [])
    product = store.products_by_id(session, shop_id, [3, 4])[3]
    assert (product.title, product.is_published, product.image_url) == (
        "Wool socks",
        True,
        "https://cdn.example.com/socks.png",
    )
    assert [(variant.variant_id, variant.price, variant.is_available) for variant in product.variants] == [
        (30, Money(1250, "USD"), True),
        (31, Money(1000, "USD"), False),
    ]
    assert store.variants_by_id(session, shop_id, [30, 99]).keys() == {30}


@pytest.mark.parametrize(
    ("stock", "is_available"),
    [
        ({"inventory_quantity": 1}, True),
        ({"inventory_quantity": 0}, False),
        ({"inventory_quantity": 0, "inventory_policy": "continue"}, True),
        ({"inventory_quantity": 0, "inventory_management": None}, True),
        ({"inventory_quantity": None}, True),
    ],
)
def test_a_variant_is_available_when_it_is_in_stock_not_counted_or_sold_beyond_stock(
    session, shop_id, stock, is_available
):
    deliver(session, shop_id, "products/update", a_product(3, variants=[a_variant(30, **stock)]))

    assert store.variants_by_id(session, shop_id, [30])[30].is_available is is_available


def test_a_deleted_product_stays_deleted_and_its_variants_are_not_found(session, shop_id):
    assert deliver(session, shop_id, "products/delete", {"id": 3}) == [Announcement("product_recorded", 3)]
    deliver(session, shop_id, "products/update", a_product(3))

    assert store.products_by_id(session, shop_id, [3])[3].is_deleted
    assert store.variants_by_id(session, shop_id, [1003]) == {}
    assert store.count_products(session, shop_id) == 0


def test_a_forgotten_customer_s_orders_lose_the_link_also_those_still_to_come(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    for shop in (shop_id, other):
        deliver(session, shop, "orders/create", an_order(1, customer_id=5))
    deliver(session, shop_id, "orders/create", an_order(2, customer_id=6))

    assert store.order_ids_of_customer(session, shop_id, 5) == [1]
    store.forget_customer(session, shop_id, 5)
    store.forget_customer(session, shop_id, 5)
    deliver(session, shop_id, "orders/create", an_order(3, customer_id=5))
    deliver(session, shop_id, "orders/updated", an_order(1, customer_id=5, updated_at=at(4)))

    linked = {key: store.booked_order(session, shop_id, key).customer_id for key in (1, 2, 3)}
    assert linked == {1: None, 2: 6, 3: None}
    assert store.booked_order(session, other, 1).customer_id == 5
    assert "redacted_customer" in LEDGER_TABLES


def test_baskets_hold_what_is_left_of_booked_orders(session, shop_id):
    deliver(session, shop_id, "orders/create", an_order(1, [a_line(11), a_line(12), a_line(13, product_id=1012)]))
    deliver(session, shop_id, "refunds/create", a_refund(lines=[a_refund_line(11, 1, "10.00")]))
    deliver(session, shop_id, "orders/create", an_order(2, [a_line(21, gift_card=True)]))
    deliver(session, shop_id, "orders/create", an_order(3, [a_line(31)], financial_status="pending"))
    deliver(session, shop_id, "orders/create", an_order(4, [a_line(41)], ordered_at=at(60)))

    assert [(basket.order_id, basket.product_ids) for basket in store.baskets(session, shop_id)] == [
        (1, {1012}),
        (4, {1041}),
    ]
    assert [basket.order_id for basket in store.baskets(session, shop_id, since=at(60))] == [4]


def test_baskets_read_page_by_page_are_all_the_baskets(session, shop_id, monkeypatch):
    monkeypatch.setattr(store, "PAGE", 2)
    numbers = [LARGEST_ID - place for place in (4, 3, 2, 1, 0)]
    for number in numbers:
        line = a_line(number, product_id=number, variant_id=number)
        deliver(session, shop_id, "orders/create", an_order(number, [line], customer_id=number))

    assert [(basket.order_id, basket.product_ids) for basket in store.baskets(session, shop_id)] == [
        (number, {number}) for number in numbers
    ]


def test_the_largest_ids_are_kept_whole(session, shop_id):
    top = LARGEST_ID
    refund = a_refund(top, top, [a_refund_line(top, 1, "4.00")])
    line = a_line(top, product_id=top, variant_id=top)
    deliver(session, shop_id, "orders/create", an_order(top, [line], customer_id=top))
    deliver(session, shop_id, "refunds/create", refund)
    deliver(session, shop_id, "orders/edited", an_edit(top, top, added={top: 1}))
    deliver(session, shop_id, "products/update", a_product(top, variants=[a_variant(top)]))

    kept = store.booked_order(session, shop_id, top, lock=True)
    assert (kept.customer_id, kept.lines[0].line_id, kept.lines[0].net_minor_units) == (top, top, 600)
    assert kept.edits[0].edit_id == top
    assert store.products_by_id(session, shop_id, [top])[top].variants[0].variant_id == top
    assert store.order_ids_of_customer(session, shop_id, top) == [top]
