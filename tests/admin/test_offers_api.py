"""The merchant API of offers: nobody gets in without proof, nothing goes live with a defect, everything is logged."""

from datetime import UTC, datetime

import pytest
from builders_database import add_shop
from builders_merchant import AN_OFFER, TERMS, Merchant, a_merchant_api, refusal_of, shop_id_of
from builders_offers import SOCKS
from builders_proofs import admin_id_token, extension_token, post_purchase_token
from builders_surfaces import ONE, TWO
from sqlalchemy import func, select, update

from shopify_upsell.admin.api.proof import PREFIX
from shopify_upsell.database import Base
from shopify_upsell.ledger.tables import ProductRow, VariantRow
from shopify_upsell.offers.launch import CHECKS
from shopify_upsell.offers.regret_store import open_incident
from shopify_upsell.offers.settings_store import ShopSettings, save_settings_of
from shopify_upsell.offers.store import OfferRow, live_offers


@pytest.fixture
def api(database):
    return a_merchant_api(database)


@pytest.fixture
def merchant(api):
    return Merchant(api)


def counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
        }


def change(database, row, *conditions, **values):
    with database.write() as session:
        session.execute(update(row).where(row.shop_id == shop_id_of(database), *conditions).values(**values))


def sell_out(database, product=SOCKS):
    change(database, VariantRow, VariantRow.product_id == product, is_available=False)


def state_of(database, offer_id):
    with database.read() as session:
        return session.scalars(select(OfferRow.state).where(OfferRow.offer_id == offer_id)).one()


def routes_of(application):
    for rule in application.url_map.iter_rules():
        if rule.rule.startswith(PREFIX):
            path = rule.rule.replace("<int:offer_id>", "1").replace("<string:decision_id>", "1")
            path = path.replace("<string:metric>", "1").replace("<int:incident_id>", "1").replace("<string:month>", "1")
            path = path.replace("<int:experiment_id>", "1")
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, path


def test_every_route_refuses_a_caller_without_proof_and_writes_nothing(api, database):
    before = counts(database)

    answers = [api.test_client().open(path, method=method) for method, path in routes_of(api)]

    assert len(answers) >= 20
    assert {(answer.status_code, answer.get_json()["error"]["code"]) for answer in answers} == {
        (401, "invalid_signature")
    }
    assert {answer.headers["X-Shopify-Retry-Invalid-Session-Request"] for answer in answers} == {"1"}
    assert counts(database) == before


@pytest.mark.parametrize(
    "forge",
    [
        lambda: extension_token(now=datetime.now(UTC), customer_id=5),
        lambda: post_purchase_token(now=datetime.now(UTC)),
        lambda: admin_id_token(secret="another secret"),
        lambda: admin_id_token(api_key="another app"),
        lambda: admin_id_token(shop="stranger.myshopify.com"),
        lambda: "x",
    ],
    ids=["customer", "purchase", "forged", "other app", "not installed", "word"],
)
def test_only_the_admin_of_an_installed_shop_may_write_an_offer(api, database, forge):
    before = counts(database)

    answer = api.test_client().post(f"{PREFIX}/offers", json=AN_OFFER, headers={"Authorization": f"Bearer {forge()}"})

    assert answer.status_code == 401
    assert counts(database) == before


def test_a_shop_that_has_left_is_refused(api, database):
    with database.write() as session:
        add_shop(session, "left.myshopify.com", state="uninstalled")

    assert Merchant(api, "left.myshopify.com")("GET", "/offers").status_code == 401


def test_an_offer_begins_as_a_draft_that_says_what_it_is_for(merchant, database):
    answer = merchant("POST", "/offers", AN_OFFER)

    made = answer.get_json()
    assert answer.status_code == 201
    assert (made["state"], made["version"], made["terms"]) == ("draft", 1, TERMS)
    assert made["companions"] == ["gid://shopify/Product/2"]
    assert merchant.get(f"/offers/{made['offer_id']}") == made
    assert state_of(database, made["offer_id"]) == "draft"


@pytest.mark.parametrize("name", ["objective", "hypothesis", "primary_metric"])
def test_an_offer_without_a_purpose_is_422_and_names_the_field(merchant, database, name):
    before = counts(database)
    terms = {key: value for key, value in TERMS.items() if key != name}

    answer = merchant("POST", "/offers", AN_OFFER | {"terms": terms})

    assert refusal_of(answer) == (422, "invalid_input", f"terms.{name}: Missing data for required field.")
    assert counts(database) == before


@pytest.mark.parametrize(
    ("bend", "named"),
    [
        ({"colour": "red"}, "colour: Unknown field."),
        ({"state": "live"}, "state: Unknown field."),
        ({"kind": "raffle"}, "kind: "),
        ({"anchors": ["gid://shopify/Customer/1"]}, "anchors[0]: not a Product id"),
        ({"discount_basis_points": "1000"}, "discount_basis_points: Not a valid integer."),
        ({"terms": TERMS | {"incentive": {"kind": "percentage"}}}, "incentive.basis_points: "),
        ({"terms": TERMS | {"schedule": {"ends_at": "2026-11-22T10:00:00"}}}, "terms.schedule.ends_at: "),
        ({"terms": TERMS | {"benefits": ["Save 20 %"]}}, "benefits: "),
        ({"kind": "up_sell"}, "companions: "),
        ({"placements": []}, "placements: "),
    ],
)  # fmt: skip
def test_what_cannot_be_an_offer_is_refused_by_field_and_not_kept(merchant, database, bend, named):
    before = counts(database)

    status, code, message = refusal_of(merchant("POST", "/offers", AN_OFFER | bend))

    assert (status, code) == (422, "invalid_input")
    assert message.startswith(named)
    assert counts(database) == before


def test_an_offer_that_passes_every_check_goes_live_and_the_checks_come_back(merchant, database):
    made = merchant("POST", "/offers", AN_OFFER).get_json()

    answer = merchant("POST", f"/offers/{made['offer_id']}/go-live")

    told = answer.get_json()
    assert answer.status_code == 200
    assert (told["can_go_live"], told["offer"]["state"], told["offer"]["version"]) == (True, "live", 2)
    assert [check["code"] for check in told["checks"]] == list(CHECKS)
    assert made["offer_id"] in [offer["offer_id"] for offer in merchant.get("/offers", state="live")["offers"]]


def test_planted_defects_keep_an_offer_from_going_live_and_each_is_named(merchant, database):
    made = merchant("POST", "/offers", AN_OFFER | {"discount_basis_points": 1000}).get_json()
    sell_out(database)
    change(database, VariantRow, VariantRow.product_id == SOCKS, unit_cost_minor_units=1990)
    with database.write() as session:
        save_settings_of(session, shop_id_of(database), ShopSettings(locales=("en", "fr")), now=datetime.now(UTC))
    before = counts(database)

    status, code, message = refusal_of(merchant("POST", f"/offers/{made['offer_id']}/go-live"))

    assert (status, code) == (409, "launch_checks_failed")
    assert [name for name in CHECKS if f"{name}: " in message] == [
        "stock",
        "margin_floor",
        "discount_backed",
        "discount_conflict",
        "translations",
    ]
    assert state_of(database, made["offer_id"]) == "draft"
    assert counts(database) == before


def test_the_checks_can_be_read_without_changing_anything(merchant, database):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    sell_out(database)
    before = counts(database)

    told = merchant.get(f"/offers/{made['offer_id']}/launch-checks")

    assert told["can_go_live"] is False
    failing = [check for check in told["checks"] if not check["passed"]]
    assert [(check["code"], check["is_blocking"], check["detail"]) for check in failing] == [
        ("stock", True, "product 2: out_of_stock")
    ]
    assert counts(database) == before


def test_a_live_offer_is_changed_only_into_one_that_passes_and_stays_as_it_was_otherwise(merchant, database):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    merchant("POST", f"/offers/{made['offer_id']}/go-live")
    change(database, ProductRow, ProductRow.product_id == 3, status="DRAFT")

    refused = merchant(
        "PUT", f"/offers/{made['offer_id']}", AN_OFFER | {"version": 2, "companions": ["gid://shopify/Product/3"]}
    )
    renamed = merchant("PUT", f"/offers/{made['offer_id']}", AN_OFFER | {"version": 2, "name": "Socks"})

    assert refusal_of(refused)[:2] == (409, "launch_checks_failed")
    assert "product_status: " in refusal_of(refused)[2]
    assert (renamed.get_json()["state"], renamed.get_json()["version"]) == ("live", 3)
    assert renamed.get_json()["companions"] == ["gid://shopify/Product/2"]


def test_a_draft_may_have_defects_while_it_is_written(merchant, database):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    sell_out(database)

    answer = merchant("PUT", f"/offers/{made['offer_id']}", AN_OFFER | {"version": 1, "name": "Warm socks"})

    assert (answer.status_code, answer.get_json()["state"], answer.get_json()["name"]) == (200, "draft", "Warm socks")


def test_of_two_who_change_one_version_the_second_is_told(merchant):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    merchant("PUT", f"/offers/{made['offer_id']}", AN_OFFER | {"version": 1, "name": "First"})

    late = merchant("PUT", f"/offers/{made['offer_id']}", AN_OFFER | {"version": 1, "name": "Second"})

    assert refusal_of(late)[:2] == (409, "stale_version")
    assert merchant.get(f"/offers/{made['offer_id']}")["name"] == "First"


def test_an_offer_is_paused_once_and_may_go_live_again(merchant):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    path = f"/offers/{made['offer_id']}"
    assert refusal_of(merchant("POST", f"{path}/pause"))[:2] == (409, "conflict")
    merchant("POST", f"{path}/go-live")

    assert merchant("POST", f"{path}/pause").get_json()["state"] == "paused"
    assert refusal_of(merchant("POST", f"{path}/pause"))[0] == 409
    assert merchant("POST", f"{path}/go-live").get_json()["offer"]["state"] == "live"
    assert refusal_of(merchant("POST", f"{path}/go-live"))[0] == 409


def test_an_offer_that_paused_itself_waits_for_a_word_and_then_passes_the_checks_again(merchant, api, database):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    with database.write() as session:
        numbers = {"taken_count": 40, "regretted_count": 20}
        shop_id = shop_id_of(database)
        opened = open_incident(session, shop_id, "regret", made["offer_id"], numbers, now=datetime.now(UTC))
    path, word = f"/incidents/{opened.incident_id}/acknowledge", {"note": "a bad batch, replaced"}

    assert "stop_rule: " in refusal_of(merchant("POST", f"/offers/{made['offer_id']}/go-live"))[2]
    assert merchant.get("/incidents", only_open=True)["incidents"][0]["numbers"] == numbers
    assert refusal_of(Merchant(api, TWO)("POST", path, word))[:2] == (404, "not_found")
    assert refusal_of(merchant("POST", path, {"note": ""}))[2].startswith("note: ")

    assert merchant("POST", path, word).get_json()["note"] == "a bad batch, replaced"
    assert refusal_of(merchant("POST", path, word))[:2] == (409, "conflict")
    assert merchant.get("/incidents", only_open=True) == {"incidents": []}
    assert merchant("POST", f"/offers/{made['offer_id']}/go-live").status_code == 200
    assert merchant.get("/changes", what="incident")["changes"][0]["user_id"] == 7001


def test_no_shop_sees_or_touches_anothers_offer(api, merchant, database):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    stranger, path = Merchant(api, TWO), f"/offers/{made['offer_id']}"
    before = counts(database)

    answers = [
        stranger("GET", path),
        stranger("PUT", path, AN_OFFER | {"version": 1}),
        stranger("POST", f"{path}/pause"),
        stranger("POST", f"{path}/go-live"),
        stranger("GET", f"{path}/launch-checks"),
    ]

    assert [refusal_of(answer)[:2] for answer in answers] == [(404, "not_found")] * 5
    assert made["offer_id"] not in [offer["offer_id"] for offer in stranger.get("/offers")["offers"]]
    assert stranger.get("/changes")["changes"] == []
    assert counts(database) == before


def test_every_change_is_logged_with_who_what_it_was_and_what_it_is(merchant, api):
    made = merchant("POST", "/offers", AN_OFFER).get_json()
    Merchant(api, user_id=7002)("POST", f"/offers/{made['offer_id']}/go-live")
    merchant("POST", f"/offers/{made['offer_id']}/pause")

    changes = merchant.get("/changes", what="offer", subject=str(made["offer_id"]))["changes"]

    assert [(one["user_id"], one["after"]["state"]) for one in changes] == [
        (7001, "paused"),
        (7002, "live"),
        (7001, "draft"),
    ]
    assert changes[-1]["before"] is None
    assert changes[-1]["after"] == made
    assert changes[0]["before"] == changes[1]["after"]


def test_answers_are_never_cached(merchant):
    assert merchant("GET", "/offers").headers["Cache-Control"] == "no-store"


def test_offers_of_the_shop_are_listed_and_live_ones_apart(merchant, database):
    listed = merchant.get("/offers")["offers"]

    with database.read() as session:
        live = [offer.offer_id for offer in live_offers(session, shop_id_of(database, ONE))]
    assert [offer["offer_id"] for offer in listed] == live
    assert merchant.get("/offers", state="draft") == {"offers": []}
