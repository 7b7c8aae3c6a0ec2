"""Names of people never come to us: a request that carries one is refused, and a greeting leaves a place for it."""

import pytest
from builders_apps import parts_of
from builders_surfaces import ONE, a_customer, a_planted_application, a_visitor, ask_theme, count_rows, decisions
from sqlalchemy import select

from shopify_upsell.customers.signal_tables import ProfileRow
from shopify_upsell.database import bind_shop
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.shops.store import ShopRow

CUSTOMER = a_customer(held_out=False)
OTHER = a_customer(held_out=False, at_least=CUSTOMER + 1)


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


def consents(application, customer_id, consent):
    with parts_of(application).database.write() as session:
        shop_id = session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == ONE)).one()
        bind_shop(session, shop_id)
        session.add(ProfileRow(shop_id=shop_id, subject=f"c:{customer_id}", marketing_consent=consent))


def greeted(application, **wanted):
    (offer,) = ask_theme(application, **wanted).get_json()["offers"]
    return offer["greeting"]


@pytest.mark.parametrize("name", ["first_name", "name", "greeting", "customer"])
def test_a_request_with_a_name_is_refused_and_nothing_is_kept(application, name):
    answer = ask_theme(application, **{name: "Wilhelmine"})

    assert answer.status_code == 401
    assert count_rows(application, DecisionRow) == 0


def test_only_a_customer_who_agreed_is_greeted_and_what_is_stored_has_no_name(application):
    consents(application, CUSTOMER, consent=True)
    consents(application, OTHER, consent=False)

    assert greeted(application, customer_id=CUSTOMER, locale="de") == {
        "with_name": "{first_name}, das könnte passen",
        "without_name": "Das könnte passen",
    }
    others = ({"customer_id": OTHER}, {}, {"visitor": a_visitor(held_out=False)})
    assert [greeted(application, **who) for who in others] == [None, None, None]
    assert [row for row in decisions(application) if "first_name" in row.inputs + row.answer] == []
