"""What is due is decided at that moment: handed over once, told again until answered for, or held with its reason."""

import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from builders_database import NOW
from builders_sends import (
    DAY,
    ONE,
    TWO,
    Feed,
    a_buyer,
    a_desk,
    a_number,
    a_sending_shop,
    plan,
    tell,
)
from sqlalchemy import func, select, update

from shopify_upsell.attribution.email_link import EMAIL_LINK_PURPOSE, PARAMETER, read_email_click
from shopify_upsell.core import DecisionId
from shopify_upsell.customers.api_key_store import save_api_key
from shopify_upsell.customers.api_keys import ApiKey
from shopify_upsell.customers.courtesy_store import read_states
from shopify_upsell.customers.preferences_store import save_preference
from shopify_upsell.database import bind_shop
from shopify_upsell.offers.decisions import DecisionRow, read_decision
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.offers.replay import replay
from shopify_upsell.sends.store import SendSetting, claim_due, save_setting
from shopify_upsell.sends.tables import SendRow
from shopify_upsell.shops.store import get_shop

SEEN = a_number(held_out=False)
OUT = a_number(held_out=True)


@pytest.fixture
def shop(database):
    """A shop that sends, beside another with the same customer."""
    with database.write() as session:
        other = a_sending_shop(session, TWO)
        a_buyer(session, other, SEEN)
    with database.write() as session:
        return a_sending_shop(session, ONE)


@pytest.fixture
def feed(database):
    return Feed(database)


def planned(database, shop_id, *customers, **about):
    """Customers with boots, planned, and every plan due now whatever window the lot chose."""
    with database.write() as session:
        bind_shop(session, shop_id)
        for customer in customers:
            a_buyer(session, shop_id, customer, **about)
    plan(database, shop_id)
    change(database, shop_id, due_at=NOW, closes_at=NOW + 200 * DAY)


def change(database, shop_id, **values):
    with database.write() as session:
        bind_shop(session, shop_id)
        session.execute(update(SendRow).where(SendRow.shop_id == shop_id).values(**values))


def rows(database, shop_id):
    with database.read() as session:
        bind_shop(session, shop_id)
        table = SendRow.__table__
        return session.execute(select(table).where(table.c.shop_id == shop_id).order_by(table.c.send_id)).all()


def decision_count(database, shop_id):
    with database.read() as session:
        bind_shop(session, shop_id)
        return session.scalar(select(func.count()).select_from(DecisionRow).where(DecisionRow.shop_id == shop_id))


def cards_charged(database, shop_id, customer):
    with database.read() as session:
        bind_shop(session, shop_id)
        return sum(one[2] for one in read_states(session, shop_id, [f"c:{customer}"]).own.shown)


def test_what_passes_is_handed_over_with_ids_reason_and_a_link_that_proves_its_click(database, shop, feed):
    planned(database, shop, SEEN)

    page = feed.due()

    (send,) = page["sends"]
    (row,) = rows(database, shop)
    assert (page["held"], page["next_after"]) == ([], None)
    assert (send["customer_id"], send["anchor_product_id"]) == (
        f"gid://shopify/Customer/{SEEN}",
        "gid://shopify/Product/1",
    )
    (item,) = send["items"]
    assert (item["product_id"], item["variant_id"], item["quantity"]) == (
        "gid://shopify/Product/2",
        "gid://shopify/ProductVariant/21",
        1,
    )
    assert set(send["reason"]) == {"code", "text"}
    assert item["price"] == send["total"] == {"minor_units": 2000, "currency": "USD"}
    link = urlsplit(item["url"])
    assert (link.netloc, link.path) == (ONE, "/products/product-2")
    query = parse_qs(link.query)
    claim = read_email_click(
        query[PARAMETER][0], feed.keyring.signing_keys(EMAIL_LINK_PURPOSE, shop), shop_id=shop, now=NOW
    )
    assert (claim.decision_id, claim.placement, query["variant"]) == (send["decision_id"], "email/lifecycle", ["21"])
    assert (row.state, row.pitched_at, row.offered_product_id) == ("handed_over", NOW, 2)
    assert (row.decision_id, row.claimed_at, row.is_holdout) == (send["decision_id"], None, False)
    assert cards_charged(database, shop, SEEN) == 1


def test_asking_again_tells_the_same_decision_and_charges_nothing_until_it_is_answered_for(database, shop, feed):
    planned(database, shop, SEEN)
    first = feed.due()

    assert feed.due() == first
    assert (decision_count(database, shop), cards_charged(database, shop, SEEN)) == (1, 1)

    number = first["sends"][0]["send_id"]
    for _ in range(2):
        answer = feed.call("POST", f"/{number}/outcome", {"outcome": "sent"})
        assert (answer.status_code, answer.get_json()) == (200, {"send_id": number, "state": "handed_over"})
    assert feed.due()["sends"] == []


def test_what_nobody_answers_for_counts_as_sent_after_a_day(database, shop, feed):
    planned(database, shop, SEEN)
    feed.due()
    feed.now = NOW + DAY

    assert feed.due()["sends"] == []
    assert rows(database, shop)[0].ended_at is None


def test_somebody_who_withdraws_consent_meanwhile_is_not_told_of_again(database, shop, feed):
    planned(database, shop, SEEN)
    assert len(feed.due()["sends"]) == 1
    feed.now = NOW + timedelta(minutes=5)
    with database.write() as session:
        bind_shop(session, shop)
        tell(session, shop, SEEN, ("marketing_consent_withdrawn", feed.now, None), now=feed.now)

    assert feed.due()["sends"] == []


def test_without_a_fresh_good_signal_it_is_held_until_tomorrow_and_passes_once_there_is_one(database, shop, feed):
    planned(database, shop, SEEN, is_happy=False)
    number = str(rows(database, shop)[0].send_id)

    page = feed.due()

    assert page["sends"] == []
    assert page["held"] == [{"send_id": number, "reason": "no_positive_signal", "next_at": (NOW + DAY).isoformat()}]
    assert cards_charged(database, shop, SEEN) == 0
    assert feed.due()["held"] == []
    feed.now = NOW + DAY
    with database.write() as session:
        bind_shop(session, shop)
        tell(session, shop, SEEN, ("review", feed.now, 5.0), now=feed.now)
    assert [one["send_id"] for one in feed.due()["sends"]] == [number]


def test_an_open_ticket_a_word_and_a_lost_consent_hold_with_their_own_reasons(database, shop, feed):
    ticket, word, consent = (a_number(held_out=False, at_least=SEEN + 100 * n) for n in (1, 2, 3))
    planned(database, shop, ticket, word, consent)
    with database.write() as session:
        bind_shop(session, shop)
        tell(session, shop, ticket, ("ticket_opened", NOW, None))
        save_preference(session, shop, [f"c:{word}"], "none", now=NOW)
        tell(session, shop, consent, ("marketing_consent_withdrawn", NOW, None))

    assert [one["reason"] for one in feed.due()["held"]] == ["open_ticket", "preference_none", "no_consent"]
    assert {row.state for row in rows(database, shop)} == {"held"}


def test_what_cannot_be_asked_again_before_its_window_ends_expires_with_its_reason(database, shop, feed):
    planned(database, shop, SEEN, is_happy=False)
    change(database, shop, closes_at=NOW + timedelta(hours=3))

    (held,) = feed.due()["held"]

    assert (held["reason"], held["next_at"]) == ("no_positive_signal", None)
    (row,) = rows(database, shop)
    assert (row.state, row.reason, row.ended_at) == ("expired", "no_positive_signal", NOW)


def test_the_holdout_is_decided_and_logged_and_told_to_nobody(database, shop, feed):
    planned(database, shop, OUT)

    assert feed.due() == {"sends": [], "held": [], "next_after": None}

    (row,) = rows(database, shop)
    assert (row.state, row.is_holdout, row.pitched_at, row.offered_product_id) == ("withheld", True, NOW, 2)
    assert cards_charged(database, shop, OUT) == 0
    with database.read() as session:
        bind_shop(session, shop)
        decision = read_decision(session, shop, DecisionId(row.decision_id))
        assert len(decision.would_have_shown) == 1
        assert replay(session, shop, DecisionId(row.decision_id)).is_identical
    assert feed.call("POST", f"/{row.send_id}/outcome", {"outcome": "sent"}).status_code == 404


def test_nothing_is_decided_before_it_is_due_or_while_the_switch_is_off(database, shop, feed):
    planned(database, shop, SEEN)
    change(database, shop, due_at=NOW + timedelta(seconds=1))
    assert feed.due()["sends"] == []

    change(database, shop, due_at=NOW)
    with database.write() as session:
        bind_shop(session, shop)
        save_setting(session, shop, SendSetting(is_on=False), now=NOW)
    assert feed.due()["sends"] == []
    assert decision_count(database, shop) == 0


def test_pages_follow_one_another_by_number(database, shop, feed):
    customers = sorted({a_number(held_out=False, at_least=SEEN + 7 * n) for n in range(1, 40)})[:5]
    planned(database, shop, *customers)

    first = feed.due(limit=3)
    second = feed.due(limit=3, after=first["next_after"])

    told = [one["customer_id"] for one in (*first["sends"], *second["sends"])]
    assert told == [f"gid://shopify/Customer/{one}" for one in customers]
    assert (len(first["sends"]), second["next_after"]) == (3, None)


def test_what_could_not_be_sent_is_no_pitch_and_cannot_be_sent_later(database, shop, feed):
    planned(database, shop, SEEN)
    number = feed.due()["sends"][0]["send_id"]

    assert feed.call("POST", f"/{number}/outcome", {"outcome": "failed"}).get_json()["state"] == "failed"
    again = feed.call("POST", f"/{number}/outcome", {"outcome": "sent"})
    assert (again.status_code, again.get_json()["error"]["code"]) == (409, "send_failed")
    assert feed.call("POST", f"/{number}/outcome", {"outcome": "opened"}).status_code == 422
    assert feed.call("POST", f"/{number}/outcome", {"outcome": "sent"}, shop=TWO).status_code == 404


def test_a_caller_who_dies_between_decision_and_answer_is_charged_once(database, shop, feed):
    planned(database, shop, SEEN)
    desk = a_desk(database)
    with database.write() as session:
        bind_shop(session, shop)
        owner = get_shop(session, shop)
        (send,) = claim_due(session, shop, desk.new_decision_id, after=0, limit=5, now=NOW)
    desk._decided(owner, send, NOW)  # committed; the process dies before it writes what came of it

    (told,) = feed.due()["sends"]

    assert told["decision_id"] == send.decision_id
    assert (decision_count(database, shop), cards_charged(database, shop, SEEN)) == (1, 1)


def test_several_callers_at_once_hand_over_one_decision(database, shop):
    planned(database, shop, SEEN)
    with database.read() as session:
        owner = get_shop(session, shop)
    journal = DecisionJournal(database)
    pages = []

    def ask(number):
        desk = a_desk(database, journal=journal)
        ids = iter(DecisionId(f"{number}{n:031x}") for n in range(9))
        object.__setattr__(desk, "new_decision_id", lambda: next(ids))
        pages.append(desk.due(owner, after=0, limit=5, now=NOW))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(pages) == 4
    assert len({one.served.decision_id for page in pages for one in page.handed_over}) == 1
    assert (decision_count(database, shop), cards_charged(database, shop, SEEN)) == (1, 1)
    assert [row.state for row in rows(database, shop)] == ["handed_over"]


def test_a_key_opens_the_feed_only_if_the_merchant_named_its_source(database, shop, feed):
    planned(database, shop, SEEN)
    key = ApiKey(shop, "0123456789ab", "s" * 40)
    with database.write() as session:
        bind_shop(session, shop)
        save_api_key(session, shop, key, "klaviyo", NOW)

    refused = feed.call("GET", "/due", token=key.text)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert decision_count(database, shop) == 0
    with database.write() as session:
        bind_shop(session, shop)
        save_setting(session, shop, SendSetting(is_on=True, source="klaviyo"), now=NOW)
    assert len(feed.due(token=key.text)["sends"]) == 1
    assert feed.call("GET", "/due", token=key.text.replace("s" * 40, "x" * 40)).status_code == 401


def test_another_shops_staff_sees_its_own_sends_alone(database, shop, feed):
    planned(database, shop, SEEN)

    assert feed.due(shop=TWO)["sends"] == []
    assert [row.state for row in rows(database, shop)] == ["planned"]
