"""The merchant API beside offers: decisions, settings, customers, words, targets, actions."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders_merchant import AN_OFFER, Merchant, a_merchant_api, refusal_of, shop_id_of
from builders_offers import BOOTS, SOCKS, WAX, a_request
from builders_surfaces import TWO, a_customer
from sqlalchemy import func, select

import shopify_upsell
from shopify_upsell.core import DecisionId
from shopify_upsell.customers.courtesy import DEFAULT_CAPS
from shopify_upsell.customers.courtesy_store import rules_of
from shopify_upsell.customers.preferences_store import save_preference
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals
from shopify_upsell.database import Base, bind_shop
from shopify_upsell.matrix.words_store import merchant_words, said_before
from shopify_upsell.offers.codes import GATES
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.decisions import save_decision
from shopify_upsell.offers.settings_store import ShopSettings, read_settings_of
from shopify_upsell.offers.snapshot_json import answer_to_json, snapshot_to_json
from shopify_upsell.offers.store import read_costs
from shopify_upsell.reports.next_actions import LABELS
from shopify_upsell.reports.targets import METRICS, MONEY_METRICS
from shopify_upsell.shops.store import get_shop

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
CAPS = {"session": 4, "day": 6, "month": 30, "offer_day": 2, "offer_month": 6, "shop_day": None}


@pytest.fixture
def api(database):
    return a_merchant_api(database)


@pytest.fixture
def merchant(api):
    return Merchant(api)


@pytest.fixture
def stranger(api):
    return Merchant(api, TWO)


def counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
        }


def a_stored_decision(database, number, *, at=NOW, anchor=BOOTS, domain=None, **asked):
    """Decide as a surface would and keep it; its id."""
    shop_id = shop_id_of(database, *([domain] if domain else []))
    decision_id = DecisionId(f"{number:032x}")
    with database.write() as session:
        bind_shop(session, shop_id)
        request = replace(a_request(anchor), **{"shop_id": shop_id, "visitor_id": None} | asked)
        decision = decide(
            session,
            request,
            now=at,
            decision_id=decision_id,
            shop=get_shop(session, shop_id),
            holdout_basis_points=1000,
        )
        save_decision(session, shop_id, decision)
    return decision_id


def test_a_decision_is_told_in_full_with_sentences_and_replays_to_the_same_bytes(merchant, database):
    customer = a_customer(held_out=False)
    decision_id = a_stored_decision(database, 1, customer_id=customer)

    told = merchant.get(f"/decisions/{decision_id}")

    assert told["replay"] == {"is_identical": True, "is_same_engine": True}
    assert told["shown"][0]["items"][0]["product_id"] == f"gid://shopify/Product/{SOCKS}"
    assert told["shown"][0]["reason"]["code"] == "often_bought_together"
    assert 1 <= len(told["reasons"]) <= 3
    codes = {one["code"]: one for one in told["rejections"]}
    assert set(codes) == {"outranked", "wrong_placement"}
    assert codes["outranked"]["sentence"] == "Another product of the same offer ranks higher."
    assert codes["outranked"]["product_id"] == f"gid://shopify/Product/{WAX}"
    assert (told["gate"], told["next_at"], told["unit_kind"]) == (None, None, "customer")


def test_a_closed_gate_is_told_with_its_sentence_and_no_person_is_named_anywhere(merchant, database):
    customer = a_customer(held_out=False)
    with database.write() as session:
        save_preference(session, shop_id_of(database), [f"c:{customer}"], "none", now=NOW - timedelta(days=1))
    decision_id = a_stored_decision(database, 1, customer_id=customer)

    told = merchant.get(f"/decisions/{decision_id}")
    listed = merchant.get("/decisions")

    assert told["gate"] == {"code": "preference_none", "sentence": GATES["preference_none"]}
    assert listed["decisions"][0]["gate"]["code"] == "preference_none"
    assert f"c:{customer}" not in json.dumps([told, listed])
    assert f"Customer/{customer}" not in json.dumps([told, listed])


def test_decisions_are_listed_by_place_time_and_code_the_latest_first_in_pages(merchant, database):
    for number in range(1, 6):
        a_stored_decision(database, number, at=NOW + timedelta(minutes=number))
    a_stored_decision(database, 9, placement="theme/cart", anchor=SOCKS)
    a_stored_decision(database, 10, domain=TWO)

    first = merchant.get("/decisions", placement="theme/product_page", limit=2)
    second = merchant.get("/decisions", placement="theme/product_page", limit=2, after=first["next_after"])
    third = merchant.get("/decisions", placement="theme/product_page", limit=2, after=second["next_after"])

    numbers = [int(one["decision_id"], 16) for page in (first, second, third) for one in page["decisions"]]
    assert numbers == [5, 4, 3, 2, 1]
    assert third["next_after"] is None
    early = merchant.get("/decisions", until=(NOW + timedelta(minutes=3)).isoformat(), since=NOW.isoformat())
    assert [int(one["decision_id"], 16) for one in early["decisions"]] == [2, 1, 9]
    by_code = merchant.get("/decisions", code="no_evidence")
    assert [int(one["decision_id"], 16) for one in by_code["decisions"]] == [9]


def test_codes_are_counted_once_a_decision(merchant, database):
    for number in range(1, 4):
        a_stored_decision(database, number)
    a_stored_decision(database, 4, anchor=SOCKS)
    a_stored_decision(database, 5, domain=TWO)

    told = merchant.get("/decisions/counts")

    counted = {one["code"]: one["decision_count"] for one in told["by_code"]}
    assert counted == {"wrong_placement": 4, "outranked": 3, "no_evidence": 1}
    assert (told["decision_count"], told["shown_count"], told["is_complete"]) == (4, 3, True)


def test_another_shops_decision_is_not_there(merchant, stranger, database):
    decision_id = a_stored_decision(database, 1)

    assert refusal_of(stranger("GET", f"/decisions/{decision_id}"))[:2] == (404, "not_found")
    assert stranger.get("/decisions") == {"decisions": [], "next_after": None}
    assert stranger.get("/decisions/counts")["decision_count"] == 0


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"code": "no_such_code"}, "code: "),
        ({"limit": 0}, "limit: "),
        ({"limit": 201}, "limit: "),
        ({"since": "yesterday"}, "since: "),
        ({"after": "nonsense"}, "after: "),
        ({"who": "me"}, "who: Unknown field."),
    ],
)
def test_a_list_that_cannot_be_asked_for_is_refused_by_field(merchant, query, named):
    status, code, message = refusal_of(merchant("GET", "/decisions", **query))

    assert (status, code) == (422, "invalid_input")
    assert message.startswith(named)


def test_caps_are_set_logged_and_the_shops_own(merchant, stranger, database):
    assert merchant.get("/settings/caps") == {name: getattr(DEFAULT_CAPS, name) for name in CAPS}

    answer = merchant("PUT", "/settings/caps", CAPS)

    assert (answer.status_code, answer.get_json()) == (200, CAPS)
    assert merchant.get("/settings/caps") == CAPS
    with database.read() as session:
        assert rules_of(session, shop_id_of(database)).caps.session == 4
    assert stranger.get("/settings/caps")["session"] == 12
    change = merchant.get("/changes", what="caps")["changes"][0]
    assert (change["before"]["session"], change["after"]["session"], change["user_id"]) == (12, 4, 7001)


@pytest.mark.parametrize(
    ("bend", "named"),
    [
        ({"session": 700}, "session must be 0 to 600"),
        ({"day": 2}, "a cap for a longer time cannot be smaller"),
        ({"session": "4"}, "session: Not a valid integer."),
        ({"session": True}, "session: "),
        ({"hour": 1}, "hour: Unknown field."),
    ],
)
def test_caps_that_cannot_be_are_refused_by_field_and_not_kept(merchant, database, bend, named):
    before = counts(database)

    status, code, message = refusal_of(merchant("PUT", "/settings/caps", CAPS | bend))

    assert (status, code) == (422, "invalid_input")
    assert message.startswith(named)
    assert counts(database) == before


def test_costs_that_are_stated_are_known_and_the_others_stay_assumed(merchant, database):
    answer = merchant("PUT", "/settings/costs", {"fee_basis_points": 250})

    told = {one["name"]: one for one in answer.get_json()["costs"]}
    assert told["fee_basis_points"] == {"name": "fee_basis_points", "value": 250, "is_assumed": False}
    assert told["goods_basis_points"]["is_assumed"] is True
    with database.read() as session:
        assert read_costs(session, shop_id_of(database)).known == ("fee_basis_points",)
    assert merchant.get("/changes", what="costs")["changes"][0]["after"] == {"fee_basis_points": 250}
    refused = merchant("PUT", "/settings/costs", {"goods_basis_points": 10_001})
    assert refusal_of(refused)[2] == "goods_basis_points: is 0 to 10000"


def test_languages_and_limits_of_health_are_set_and_logged(merchant, stranger, database):
    before = merchant.get("/settings/shop")
    health = before["health"] | {"most_refunded_basis_points": 800}
    wanted = {"locales": ["en", "de"], "health": health, "exploration_basis_points": 500}

    assert merchant("PUT", "/settings/shop", wanted).get_json() == wanted
    assert merchant.get("/settings/shop") == wanted
    assert stranger.get("/settings/shop") == before
    assert merchant.get("/changes", what="settings")["changes"][0]["before"] == before
    wrong = wanted | {"health": wanted["health"] | {"least_rating": 6}}
    assert refusal_of(merchant("PUT", "/settings/shop", wrong))[2] == "least_rating: is 0 to 5 stars"
    assert refusal_of(merchant("PUT", "/settings/shop", wanted | {"locales": ["<>"]}))[2].startswith("locales: ")
    with database.read() as session:
        assert read_settings_of(session, shop_id_of(database)).locales == ("en", "de")
        assert read_settings_of(session, shop_id_of(database, TWO)) == ShopSettings()


def test_customers_are_listed_by_state_with_reasons_in_pages(merchant, stranger, database):
    now = datetime.now(UTC)
    ago = now - timedelta(days=2)
    with database.write() as session:
        shop_id = shop_id_of(database)
        told = [Signal("order_placed", f"c:{n}", ago, "shopify", f"order:{n}", order_id=n) for n in range(1, 6)]
        told += [Signal("ticket_opened", f"c:{n}", ago, "helpdesk", f"ticket-{n}") for n in (1, 2, 3)]
        record_signals(session, shop_id, told, now)

    first = merchant.get("/customers", state="hold", limit=2)
    second = merchant.get("/customers", state="hold", limit=2, after=first["next_after"])

    assert [one["customer_id"] for one in first["customers"]] == [
        "gid://shopify/Customer/1",
        "gid://shopify/Customer/2",
    ]
    assert first["customers"][0]["reasons"] == [{"code": "open_ticket", "sentence": "A support ticket is open."}]
    assert first["customers"][0]["state"] == "hold"
    assert [one["customer_id"] for one in second["customers"]] == ["gid://shopify/Customer/3"]
    assert len(merchant.get("/customers", state="ready")["customers"]) == 2
    assert stranger.get("/customers", state="hold") == {"customers": [], "next_after": None}
    assert refusal_of(merchant("GET", "/customers", state="angry"))[2].startswith("state: ")


def a_word(**changes):
    pair = {"anchor_product_id": f"gid://shopify/Product/{BOOTS}", "companion_product_id": SOCKS}
    return pair | {"word": "blocked", "note": "they scratch"} | changes


def test_a_word_on_a_pair_is_said_holds_at_once_and_is_taken_back(merchant, stranger, database):
    said = merchant("PUT", "/pair-words", a_word()).get_json()

    assert (said["word"], said["note"]) == ("blocked", "they scratch")
    assert merchant.get("/pair-words")["words"] == [said]
    assert stranger.get("/pair-words")["words"] == []
    decision = merchant.get(f"/decisions/{a_stored_decision(database, 1)}")
    assert "negative_edge" in [one["code"] for one in decision["rejections"]]

    pair = {name: said[name] for name in ("anchor_product_id", "companion_product_id")}
    assert merchant("POST", "/pair-words/take-back", pair).get_json() == {"words": []}
    assert refusal_of(merchant("POST", "/pair-words/take-back", pair))[:2] == (404, "not_found")
    with database.read() as session:
        shop_id = shop_id_of(database)
        assert merchant_words(session, shop_id) == ()
        assert [one.word for one in said_before(session, shop_id)] == ["taken_back", "blocked"]
    changes = merchant.get("/changes", what="pair_word", subject=f"{BOOTS}>{SOCKS}")["changes"]
    assert [(one["before"] is None, one["after"] is None) for one in changes] == [(False, True), (True, False)]


@pytest.mark.parametrize(
    ("bend", "status", "named"),
    [
        ({"word": "loved"}, 422, "word: "),
        ({"note": "x" * 201}, 422, "note: "),
        ({"word": "timed"}, 422, "a word on timing names its first and last day"),
        ({"word": "timed", "window_days": [9, 3]}, 422, "a window is two days"),
        ({"companion_product_id": BOOTS}, 422, "companion_product_id: is the anchor itself"),
        ({"companion_product_id": 999}, 404, "no product gid://shopify/Product/999"),
    ],
)
def test_a_word_that_cannot_be_said_is_refused_and_not_kept(merchant, database, bend, status, named):
    before = counts(database)

    found = refusal_of(merchant("PUT", "/pair-words", a_word(**bend)))

    assert (found[0], found[2][: len(named)]) == (status, named)
    assert counts(database) == before


A_TARGET = {"metric": "upsell_revenue", "month": "2026-12", "goal": 500_000, "currency": "USD"}


def test_targets_are_set_replaced_forgotten_and_logged(merchant, stranger):
    merchant("PUT", "/targets", A_TARGET)
    merchant("PUT", "/targets", A_TARGET | {"goal": 700_000})
    share = {"metric": "attach_rate", "month": "2026-12", "goal": 900, "currency": ""}
    merchant("PUT", "/targets", share)

    assert merchant.get("/targets")["targets"] == [share, A_TARGET | {"goal": 700_000}]
    assert stranger.get("/targets") == {"targets": []}
    changes = merchant.get("/changes", what="target", subject="upsell_revenue/2026-12")["changes"]
    assert [one["before"] and one["before"]["goal"] for one in changes] == [500_000, None]
    assert refusal_of(stranger("DELETE", "/targets/attach_rate/2026-12"))[:2] == (404, "not_found")
    assert merchant("DELETE", "/targets/attach_rate/2026-12").get_json()["targets"] == [A_TARGET | {"goal": 700_000}]


@pytest.mark.parametrize(
    ("bend", "named"),
    [
        ({"metric": "happiness"}, "metric: "),
        ({"month": "2026-13"}, "month: "),
        ({"goal": 0}, "goal: is 1 to "),
        ({"currency": ""}, "currency: goes with goals in money"),
        ({"metric": "attach_rate", "currency": "USD"}, "goal: is 1 to 10000"),
        ({"metric": "attach_rate", "goal": 5}, "currency: goes with goals in money"),
    ],
)
def test_a_target_that_cannot_be_is_refused_by_field(merchant, database, bend, named):
    before = counts(database)

    status, code, message = refusal_of(merchant("PUT", "/targets", A_TARGET | bend))

    assert (status, code) == (422, "invalid_input")
    assert message.startswith(named)
    assert counts(database) == before


def answers_of(database):
    """What would be decided now for many questions, as bytes: inputs and answers."""
    found = []
    shop_id = shop_id_of(database)
    with database.read() as session:
        bind_shop(session, shop_id)
        for placement in ("theme/product_page", "theme/cart", "post_purchase/offer"):
            for customer in range(1, 30):
                request = replace(a_request(BOOTS), shop_id=shop_id, placement=placement, customer_id=customer)
                decision = decide(
                    session,
                    request,
                    now=NOW,
                    decision_id=DecisionId("0" * 32),
                    shop=get_shop(session, shop_id),
                    holdout_basis_points=1000,
                )
                found.append(snapshot_to_json(decision.inputs) + answer_to_json(decision.answer))
                found.append(decision.answer.shared.text)
    return "\n".join(found).encode()


def test_changing_any_target_leaves_every_decision_the_same_to_the_byte(merchant, database):
    before = answers_of(database)
    for metric in METRICS:
        is_money = metric in MONEY_METRICS
        for goal in (1, 9_999):
            target = {"metric": metric, "month": "2026-11", "goal": goal, "currency": "USD" if is_money else ""}
            assert merchant("PUT", "/targets", target).status_code == 200
            database.memory.clear()
            assert answers_of(database) == before


def test_nothing_that_decides_reads_targets():
    package = Path(shopify_upsell.__file__).parent
    stations = ("ledger", "customers", "matrix", "offers", "experiments", "attribution", "surfaces", "jobs")
    for station in stations:
        for file in (package / station).rglob("*.py"):
            assert "merchant_target" not in file.read_text(), file
            assert "reports.targets" not in file.read_text(), file


def test_exactly_three_actions_are_named_each_with_an_entity_and_a_number(merchant, stranger):
    told = merchant.get("/next-actions")["actions"]

    assert len(told) == 3
    assert all(one["sentence"] == LABELS[one["code"]] for one in told)
    assert all(one["entity"]["id"] and isinstance(one["measured"]["value"], int) for one in told)
    assert told == merchant.get("/next-actions")["actions"]
    assert len(stranger.get("/next-actions")["actions"]) == 3


def test_a_draft_that_could_go_live_drops_out_of_the_actions_once_it_has(merchant):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    entity = {"kind": "offer", "id": str(made["offer_id"])}

    before = [(one["code"], one["entity"]) for one in merchant.get("/next-actions")["actions"]]
    merchant("POST", f"/offers/{made['offer_id']}/go-live")
    after = [(one["code"], one["entity"]) for one in merchant.get("/next-actions")["actions"]]

    assert ("launch_draft", entity) in before
    assert entity not in [named for _, named in after]
