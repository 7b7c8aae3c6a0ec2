"""From tables to a decision and back: few queries, only this shop's data, and replay to the same bytes."""

import logging
from contextlib import contextmanager
from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import (
    BOOTS,
    BRUSH,
    LACES,
    SOCKS,
    WAX,
    a_cart,
    a_companion,
    a_product,
    a_request,
    add_products,
    variant_id_of,
)
from sqlalchemy import event, select, update

from shopify_upsell.core import CustomerId, DecisionId, InvalidInput, NotFound, ProductId, VariantId
from shopify_upsell.customers.store import suppress
from shopify_upsell.customers.suppression import dismissal, snooze
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger.tables import VariantRow
from shopify_upsell.matrix.store import MatrixBuild, replace_rows
from shopify_upsell.offers.candidate import CartLine
from shopify_upsell.offers.decide import SHORTLIST, decide
from shopify_upsell.offers.decisions import DecisionRow, save_decision
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.replay import replay
from shopify_upsell.offers.setup import create_default_offers
from shopify_upsell.offers.store import save_offer
from shopify_upsell.shops.store import ShopRow, get_shop

PRODUCTS = tuple(a_product(number) for number in (BOOTS, SOCKS, WAX, LACES, BRUSH))
ROWS = {BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2)), SOCKS: (a_companion(LACES, 0.25),)}


def stock(session, shop_id, rows=ROWS, products=PRODUCTS):
    add_products(session, shop_id, *products)
    replace_rows(session, shop_id, MatrixBuild(4, NOW, 1000, len(products), 3), rows)
    create_default_offers(session, shop_id, NOW)


def ask(session, shop_id, *anchors, holdout=0, decision_id="d1", now=NOW, **changes):
    request = a_request(shop_id=shop_id, **{"anchor_product_ids": anchors, **changes})
    return decide(
        session,
        request,
        now=now,
        decision_id=DecisionId(decision_id),
        shop=get_shop(session, shop_id),
        holdout_basis_points=holdout,
    )


def shown(decision):
    return [(offer.kind, [item.product_id for item in offer.items]) for offer in decision.chosen]


@contextmanager
def counted_selects(session):
    seen = []

    def note(_connection, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    engine = session.get_bind().engine if hasattr(session.get_bind(), "engine") else session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    spelled = Overheard(lambda record: note(None, None, record.sql))
    try:
        with spelled:
            yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


class Overheard(logging.Handler):
    """Statements that go past SQLAlchemy's execution, for the length of a block."""

    def __init__(self, hear):
        super().__init__(logging.DEBUG)
        self.emit = hear
        self.log = logging.getLogger("shopify_upsell.spelled")

    def __enter__(self):
        self.before = self.log.level
        self.log.setLevel(logging.DEBUG)
        self.log.addHandler(self)

    def __exit__(self, *_error):
        self.log.removeHandler(self)
        self.log.setLevel(self.before)


def test_product_page_shows_companions_of_this_shops_matrix(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    stock(session, other_shop, {BOOTS: (a_companion(BRUSH, 0.9),)})
    stock(session, shop_id)

    decision = ask(session, shop_id, BOOTS)

    assert shown(decision) == [("cross_sell", [SOCKS]), ("bundle", [BOOTS, WAX])]
    assert decision.inputs.matrix_version == 4
    assert decision.chosen[0].evidence["matrix_version"] == 4


def test_a_process_that_knows_nothing_yet_takes_seventeen_selects(session, shop_id):
    stock(session, shop_id)
    suppress(session, shop_id, dismissal("v:abc", WAX, now=NOW))
    session.expire_all()

    with counted_selects(session) as selects:
        decide_for_somebody_known(session, shop_id)

    assert len([one for one in selects if "FROM shop \n" not in one]) <= 17, selects


def test_a_busy_page_reads_the_visitor_in_one_select_and_what_a_customer_owns_in_two_more(database):
    with database.write() as session:
        shop_id = add_shop(session, "busy.myshopify.com")
        stock(session, shop_id)
    with database.read() as session:
        bind_shop(session, shop_id)
        decide_for_somebody_known(session, shop_id)

        with counted_selects(session) as of_a_visitor:
            ask(session, shop_id, BOOTS, visitor_id="abc", decision_id="d2")
            ask(session, shop_id, BOOTS, visitor_id="abd", decision_id="d3")
        with counted_selects(session) as of_a_customer:
            decide_for_somebody_known(session, shop_id)

    assert len([one for one in of_a_visitor if "'wish'" in one]) == 2
    assert len([one for one in of_a_customer if "FROM shop \n" not in one]) <= 4, of_a_customer


def decide_for_somebody_known(session, shop_id):
    request = a_request(
        BOOTS,
        shop_id=shop_id,
        cart=(CartLine(variant_id_of(LACES), None, 1),),
        visitor_id="abc",
        customer_id=CustomerId(7),
    )
    shop = get_shop(session, shop_id)
    return decide(session, request, now=NOW, decision_id=DecisionId("d1"), shop=shop, holdout_basis_points=0)


def test_cart_lines_are_resolved_to_products_and_are_the_anchors(session, shop_id):
    stock(session, shop_id)
    cart = (CartLine(variant_id_of(BOOTS), None, 1), CartLine(VariantId(404), None, 2))

    decision = ask(session, shop_id, cart=cart, placement="theme/cart")

    assert shown(decision) == [("cross_sell", [SOCKS])]
    assert decision.inputs.request.anchor_product_ids == (BOOTS,)
    assert [line.product_id for line in decision.inputs.request.cart] == [BOOTS, None]


def test_product_of_the_cart_is_not_offered_beside_another(session, shop_id):
    stock(session, shop_id)

    decision = ask(session, shop_id, BOOTS, cart=(CartLine(variant_id_of(SOCKS), None, 1),))

    assert SOCKS not in [item.product_id for offer in decision.chosen for item in offer.items]
    assert ("already_in_cart", SOCKS) in [(one.code, one.product_id) for one in decision.rejections]


def test_wishes_of_visitor_and_customer_both_hold(session, shop_id):
    stock(session, shop_id)
    suppress(session, shop_id, dismissal("v:abc", SOCKS, now=NOW))
    suppress(session, shop_id, dismissal("c:7", WAX, now=NOW))

    both = ask(session, shop_id, BOOTS, visitor_id="abc", customer_id=CustomerId(7))
    later = ask(session, shop_id, BOOTS, visitor_id="abc", now=NOW + timedelta(days=30))

    assert shown(both) == []
    assert shown(later) == [("cross_sell", [SOCKS]), ("bundle", [BOOTS, WAX])]


def test_snooze_on_the_product_page_is_honoured_after_the_purchase(session, shop_id):
    stock(session, shop_id)
    suppress(session, shop_id, snooze("c:7", ProductId(0), 7, now=NOW))

    decision = ask(session, shop_id, BOOTS, placement="post_purchase/offer", customer_id=CustomerId(7))

    assert shown(decision) == []


def test_post_purchase_offers_a_companion_of_the_purchase_at_the_discounted_price(session, shop_id):
    stock(session, shop_id)

    decision = ask(
        session,
        shop_id,
        BOOTS,
        placement="post_purchase/offer",
        cart=a_cart(BOOTS),
        reference_id="r1",
        currency="USD",
        limit=2,
    )

    (offer,) = decision.chosen
    assert [item.product_id for item in offer.items] == [SOCKS]
    assert (offer.total.minor_units, offer.original_total.minor_units) == (1800, 2000)
    assert (offer.discount_basis_points, offer.reason_code) == (1000, "goes_with_purchase")
    assert decision.expires_at == NOW + timedelta(minutes=30)


def test_shop_that_has_learned_nothing_shows_nothing_and_says_so(session, shop_id):
    add_products(session, shop_id, *PRODUCTS)
    create_default_offers(session, shop_id, NOW)

    decision = ask(session, shop_id, BOOTS)

    assert decision.chosen == ()
    assert decision.inputs.matrix_version == 0
    assert "no_evidence" in {one.code for one in decision.rejections}


def test_merchants_pick_is_loaded_and_shown_without_evidence(session, shop_id):
    add_products(session, shop_id, *PRODUCTS)
    save_offer(session, shop_id, OfferDraft("cross_sell", "Mine", ("theme/product_page",), None, (BRUSH,)), now=NOW)

    decision = ask(session, shop_id, BOOTS)

    assert [(offer.reason_code, offer.items[0].product_id) for offer in decision.chosen] == [("picked_by_shop", BRUSH)]


def test_shop_without_a_known_currency_shows_no_price(session, shop_id):
    stock(session, shop_id)
    session.execute(update(ShopRow).where(ShopRow.shop_id == shop_id).values(currency=None))

    decision = ask(session, shop_id, BOOTS)

    assert decision.chosen == ()
    assert {"currency_not_supported"} <= {one.code for one in decision.rejections}


def test_long_rows_are_cut_to_the_best_but_keep_what_is_in_the_cart(session, shop_id):
    crowd = tuple(a_companion(number, round(0.9 - number / 1000, 9)) for number in range(100, 150))
    products = tuple(a_product(number) for number in (BOOTS, *range(100, 150)))
    stock(session, shop_id, {BOOTS: crowd}, products)

    decision = ask(session, shop_id, BOOTS, cart=(CartLine(variant_id_of(149), None, 1),))

    kept = [one.product_id for one in decision.inputs.companions[BOOTS]]
    assert kept == [*range(100, 100 + SHORTLIST), 149]


def test_visitor_id_we_never_made_is_refused(session, shop_id):
    stock(session, shop_id)

    with pytest.raises(InvalidInput):
        ask(session, shop_id, BOOTS, visitor_id="x\x1fy")


def test_deciding_stores_nothing(session, shop_id):
    stock(session, shop_id)

    ask(session, shop_id, BOOTS)

    assert session.scalars(select(DecisionRow)).all() == []


def test_stored_decisions_replay_to_the_same_bytes_after_the_shop_has_changed(session, shop_id):
    stock(session, shop_id)
    ids = []
    for number in range(60):
        cart = (CartLine(variant_id_of(1 + number % 5), None, 1),) if number % 3 else ()
        anchors = (ProductId(1 + number % 4),) if number % 2 else ()
        placement = ("theme/product_page", "theme/cart", "post_purchase/offer")[number % 3]
        decision = ask(
            session,
            shop_id,
            *anchors,
            cart=cart,
            placement=placement,
            visitor_id=f"v{number}" if number % 4 else None,
            holdout=3000,
            decision_id=f"d{number}",
        )
        save_decision(session, shop_id, decision)
        ids.append(decision.decision_id)
    session.execute(update(VariantRow).values(price_minor_units=1, is_available=False))
    replace_rows(session, shop_id, MatrixBuild(5, NOW, 1, 1, 0), {})
    session.expire_all()

    results = [replay(session, shop_id, decision_id) for decision_id in ids]

    assert [result.is_identical and result.is_same_engine for result in results] == [True] * 60
    assert len({result.stored for result in results}) > 10


def test_replay_notices_a_changed_answer(session, shop_id):
    stock(session, shop_id)
    save_decision(session, shop_id, ask(session, shop_id, BOOTS))
    session.execute(update(DecisionRow).values(answer=DecisionRow.answer + " "))
    session.expire_all()

    assert not replay(session, shop_id, DecisionId("d1")).is_identical


def test_decision_of_another_shop_does_not_replay(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    stock(session, other_shop)
    save_decision(session, other_shop, ask(session, other_shop, BOOTS))

    with pytest.raises(NotFound):
        replay(session, shop_id, DecisionId("d1"))
