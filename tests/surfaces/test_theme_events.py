"""`POST /proxy/events`: what shoppers do is kept once, and a wish not to be asked is honoured."""

from datetime import timedelta

import pytest
from builders_apps import parts_of, real_now
from builders_offers import BOOTS, SOCKS, WAX, variant_id_of
from builders_surfaces import (
    ONE,
    TWO,
    a_customer,
    a_planted_application,
    a_visitor,
    ask_theme,
    count_rows,
    decisions,
    read_rows,
    say,
    theme_query,
)
from sqlalchemy import select, update

from shopify_upsell.attribution.store import TouchpointRow
from shopify_upsell.core import gid
from shopify_upsell.customers.dismissals_store import DismissalRow
from shopify_upsell.customers.store import SuppressionRow
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.shops.store import ShopRow

VISITOR = a_visitor(held_out=False)
MISSING = "0" * 32


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


def shown(application, **wanted):
    """Ask as the visitor; return what an event about the first offer must name."""
    answer = ask_theme(application, **({"visitor": VISITOR} | wanted)).get_json()
    return {"decision_id": answer["decision_id"], "offer_id": answer["offers"][0]["offer_id"]}


def products_shown(application, **wanted):
    offers = ask_theme(application, **({"visitor": VISITOR} | wanted)).get_json()["offers"]
    return [item["product_id"] for offer in offers for item in offer["items"]]


def wishes(application):
    return read_rows(application, SuppressionRow, "subject", "product_id", "reason")


def days_until(application):
    with parts_of(application).database.read() as session:
        (until,) = session.scalars(select(SuppressionRow.until))
    return round((until - real_now()).total_seconds() / 86_400, 2)


@pytest.mark.parametrize("event", ["impression", "click", "accept", "dismiss", "snooze"])
def test_an_event_is_kept_once_however_often_it_is_said(application, event):
    body = shown(application) | {"event": event}

    answers = [say(application, body) for _ in range(3)]

    assert [(answer.status_code, answer.get_json()) for answer in answers] == [
        (200, {"recorded": True}), (200, {"recorded": False}), (200, {"recorded": False}),
    ]  # fmt: skip
    assert answers[0].headers["Cache-Control"] == "no-store"
    rows = read_rows(application, TouchpointRow, "decision_id", "offer_id", "variant_id", "kind", "placement")
    assert rows == [(body["decision_id"], int(body["offer_id"]), 0, event, "theme/product_page")]


def test_what_happens_to_one_item_is_kept_beside_what_happens_to_the_offer(application):
    body = shown(application) | {"event": "click"}

    say(application, body)
    answer = say(application, body | {"variant_id": gid("ProductVariant", variant_id_of(SOCKS))})

    assert answer.get_json() == {"recorded": True}
    assert read_rows(application, TouchpointRow, "variant_id") == [(0,), (variant_id_of(SOCKS),)]


@pytest.mark.parametrize("variant_id", [variant_id_of(WAX), 0, 2**63 - 1])
def test_a_variant_that_was_not_in_the_offer_cannot_multiply_its_touchpoints(application, variant_id):
    body = shown(application) | {"event": "accept", "variant_id": gid("ProductVariant", variant_id)}

    assert say(application, body).status_code == 404
    assert count_rows(application, TouchpointRow) == 0


def test_a_dismissed_product_is_hidden_from_then_on_on_every_page_and_in_the_cart(application):
    say(application, shown(application) | {"event": "dismiss"})

    assert products_shown(application) == [gid("Product", WAX)]
    in_cart = {"placement": "theme/cart", "product": "", "cart": f"{variant_id_of(BOOTS)}:1"}
    assert products_shown(application, **in_cart) == [gid("Product", WAX)]
    assert read_rows(application, DismissalRow, "subject", "anchor_product_id", "product_id") == [
        (f"v:{VISITOR}", 0, SOCKS),
        (f"v:{VISITOR}", BOOTS, SOCKS),
    ]
    assert products_shown(application, visitor="another-visitor") == [gid("Product", SOCKS)]
    assert products_shown(application, shop=TWO) == [gid("Product", SOCKS)]


def test_a_dismissal_of_a_known_customer_holds_in_another_browser(application):
    customer_id = a_customer(held_out=False)
    say(application, shown(application, customer_id=customer_id) | {"event": "dismiss"})

    assert products_shown(application, visitor="another-browser", customer_id=customer_id) == [gid("Product", WAX)]
    assert products_shown(application) == [gid("Product", SOCKS)]


@pytest.mark.parametrize("days", [7, 30, 90])
def test_a_snooze_hides_every_offer_for_as_long_as_was_asked(application, days):
    say(application, shown(application) | {"event": "snooze", "days": days})

    assert products_shown(application) == []
    assert products_shown(application, product=SOCKS, cart=f"{variant_id_of(BOOTS)}:1") == []
    assert wishes(application) == [(f"v:{VISITOR}", 0, "snoozed")]
    assert days_until(application) == days
    assert products_shown(application, visitor="another-visitor") == [gid("Product", SOCKS)]


def test_a_snooze_that_names_no_time_lasts_thirty_days(application):
    say(application, shown(application) | {"event": "snooze"})

    assert days_until(application) == 30


@pytest.mark.parametrize("event", ["impression", "click", "accept"])
def test_other_events_hide_nothing(application, event):
    say(application, shown(application) | {"event": event})

    assert wishes(application) == []
    assert products_shown(application) == [gid("Product", SOCKS)]


def test_a_dismissal_without_consent_is_counted_and_remembered_for_nobody(application):
    body = shown(application, visitor="") | {"event": "dismiss"}

    assert say(application, body).get_json() == {"recorded": True}
    assert wishes(application) == []
    assert products_shown(application, visitor="") == [gid("Product", SOCKS)]


def test_a_decision_of_another_shop_is_answered_byte_for_byte_like_one_that_does_not_exist(application):
    foreign = shown(application, shop=TWO) | {"event": "dismiss"}

    missing = say(application, foreign | {"decision_id": MISSING})
    answer = say(application, foreign)

    assert (answer.status_code, answer.data) == (404, missing.data)
    assert answer.get_json() == {"error": {"code": "not_found", "message": "no such decision"}}
    assert dict(answer.headers) == dict(missing.headers)
    assert (count_rows(application, TouchpointRow), wishes(application)) == (0, [])
    assert say(application, foreign, shop=TWO).get_json() == {"recorded": True}


def test_an_offer_that_the_decision_did_not_choose_is_404(application):
    body = shown(application) | {"event": "click"}

    answer = say(application, body | {"offer_id": int(body["offer_id"]) + 1})

    assert answer.status_code == 404
    assert count_rows(application, TouchpointRow) == 0


def test_a_decision_older_than_two_days_takes_no_more_events(application):
    body = shown(application) | {"event": "click"}
    with parts_of(application).database.write() as session:
        session.execute(update(DecisionRow).values(decided_at=real_now() - timedelta(days=2, seconds=5)))

    assert say(application, body).status_code == 404
    assert count_rows(application, TouchpointRow) == 0


def test_nothing_can_have_happened_to_offers_that_the_holdout_never_saw(application):
    decision_id = ask_theme(application, visitor=a_visitor(held_out=True)).get_json()["decision_id"]
    offer_id = shown(application)["offer_id"]

    answer = say(application, {"decision_id": decision_id, "offer_id": offer_id, "event": "accept"})

    assert answer.status_code == 404
    assert count_rows(application, TouchpointRow) == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"shop_id": 1}, "shop_id"), ({"discount": 100}, "discount"), ({"amount": 1}, "amount"),
        ({"event": "purchase"}, "event"), ({"event": None}, "event"), ({"days": 31}, "days"),
        ({"decision_id": "x"}, "decision_id"), ({"decision_id": "A" * 32}, "decision_id"),
        ({"decision_id": "a" * 32 + "\n"}, "decision_id"), ({"offer_id": 0}, "offer_id"),
        ({"offer_id": 2**63}, "offer_id"), ({"variant_id": "gid://shopify/Product/21"}, "variant_id"),
    ],
)  # fmt: skip
def test_a_body_with_an_unknown_or_wrong_field_is_422_and_names_it(application, change, named):
    answer = say(application, shown(application) | {"event": "click"} | change)

    assert answer.status_code == 422
    assert answer.get_json() == {"error": {"code": "invalid_input", "message": f"not valid: {named}"}}
    assert answer.headers["Cache-Control"] == "no-store"
    assert count_rows(application, TouchpointRow) == 0


def test_a_body_that_names_nothing_is_422_and_lists_what_is_missing(application):
    answer = say(application, {})

    assert (answer.status_code, answer.get_json()["error"]["message"]) == (
        422, "not valid: decision_id, event, offer_id",
    )  # fmt: skip


def test_a_form_or_a_text_from_another_site_changes_nothing(application):
    body = shown(application) | {"event": "snooze"}
    client = application.test_client()

    as_form = client.post(f"/proxy/events?{theme_query()}", data=body)
    as_text = client.post(f"/proxy/events?{theme_query()}", json=body, content_type="text/plain")
    as_get = client.get(f"/proxy/events?{theme_query()}")

    assert [answer.status_code for answer in (as_form, as_text, as_get)] == [422, 422, 405]
    assert (count_rows(application, TouchpointRow), wishes(application)) == (0, [])


def test_a_body_that_is_not_json_is_400_in_the_one_shape(application):
    client = application.test_client()

    answer = client.post(f"/proxy/events?{theme_query()}", data=b"{", content_type="application/json")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "bad_request")


def test_a_shop_that_has_uninstalled_can_report_no_events(application):
    body = shown(application) | {"event": "click"}
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.domain == ONE).values(state="uninstalled"))

    answer = say(application, body)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert count_rows(application, TouchpointRow) == 0


def test_events_store_no_decision(application):
    body = shown(application) | {"event": "click"}

    say(application, body)

    assert [row.decision_id for row in decisions(application)] == [body["decision_id"]]


def test_what_a_guest_waved_away_stays_away_on_another_device_once_they_have_logged_in(application):
    somebody = a_customer(held_out=False)
    say(application, shown(application) | {"event": "dismiss"})

    together = products_shown(application, customer_id=somebody)
    elsewhere = products_shown(application, customer_id=somebody, visitor="another-device")
    next_guest = products_shown(application)

    assert together == elsewhere == [gid("Product", WAX)]
    assert next_guest == [gid("Product", SOCKS)]
