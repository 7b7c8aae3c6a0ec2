"""`POST /api/v1/signals`: a key proves the shop, all signals are kept or none, and telling again changes nothing."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from builders_apps import an_application, parts_of, real_now
from builders_cli import Command
from builders_database import ROOT, add_shop
from sqlalchemy import select, update

from shopify_upsell import app as joined
from shopify_upsell.cli.main import cli
from shopify_upsell.cli.signals import signals as signals_command
from shopify_upsell.customers.readiness import GATES, readiness_of
from shopify_upsell.customers.signal_store import read_shopper
from shopify_upsell.customers.signal_tables import ApiKeyRow, SignalRow
from shopify_upsell.customers.signals import SIGNALS
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger.store import product_health
from shopify_upsell.shops.store import ShopRow
from shopify_upsell.surfaces import signals_api

cli.add_command(signals_command)

ONE, TWO = "one.myshopify.com", "two.myshopify.com"
DOCUMENT = Path(ROOT / "docs" / "signals.md")


@pytest.fixture
def shops(database):
    with database.write() as session:
        return {domain: add_shop(session, domain) for domain in (TWO, ONE)}


@pytest.fixture
def command(database, shops, tmp_path):
    return Command(database, tmp_path)


@pytest.fixture
def application(database, shops, tmp_path, monkeypatch):
    surfaces = {*joined.SURFACES, signals_api.make_blueprint}
    monkeypatch.setattr(joined, "SURFACES", tuple(surfaces))
    return an_application(database, tmp_path)


@pytest.fixture
def key(command):
    return command("signals", "key", "--shop", ONE, "--source", "gorgias").stdout.strip()


def a_ticket(**given):
    when = (real_now() - timedelta(hours=1)).isoformat()
    return {"kind": "ticket_opened", "customer_id": 5, "occurred_at": when, "external_id": "t-1"} | given


def tell(application, key, *signals, **options):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return application.test_client().post(
        "/api/v1/signals", json={"signals": list(signals)}, headers=headers, **options
    )


def rows_of(application, table):
    with parts_of(application).database.read() as session:
        return session.execute(select(table.__table__)).all()


def gate_of(application, shop_id):
    with parts_of(application).database.read() as session:
        bind_shop(session, shop_id)
        now = real_now()
        return readiness_of(read_shopper(session, shop_id, ["c:5"], now=now), now=now).gate


def test_a_ticket_told_by_a_helpdesk_holds_until_it_is_solved(application, shops, key):
    assert tell(application, key, a_ticket()).get_json() == {"accepted": 1, "new": 1}
    assert gate_of(application, shops[ONE]) == "open_ticket"

    solved = a_ticket(kind="ticket_solved_happy", occurred_at=real_now().isoformat())
    assert tell(application, key, solved).get_json() == {"accepted": 1, "new": 1}
    assert gate_of(application, shops[ONE]) is None
    assert {row.source for row in rows_of(application, SignalRow)} == {"gorgias"}
    assert gate_of(application, shops[TWO]) is None


def test_a_review_that_is_told_counts_in_the_stars_of_its_product(application, shops, key):
    review = {"kind": "review", "product_id": 77, "external_id": "r-1", "value": 2}

    tell(application, key, a_ticket(**review), a_ticket(**review | {"external_id": "r-2", "value": 5}))
    tell(application, key, a_ticket(**review | {"external_id": "r-3", "product_id": None}))

    with parts_of(application).database.read() as session:
        found = {shop_id: product_health(session, shop_id, [77]) for shop_id in shops.values()}
    assert {shop_id: [(one.rating, one.rating_count) for one in held.values()] for shop_id, held in found.items()} == {
        shops[ONE]: [(3.5, 2)], shops[TWO]: [],
    }  # fmt: skip


def test_telling_again_changes_nothing(application, key):
    told = [a_ticket(), a_ticket(external_id="t-2", visitor_id="browser-1", customer_id=None)]
    tell(application, key, *told)
    before = rows_of(application, SignalRow)

    assert tell(application, key, *told).get_json() == {"accepted": 2, "new": 0}
    assert rows_of(application, SignalRow) == before


def test_a_name_that_belongs_to_another_customers_signal_is_refused_not_lost(application, key):
    both = tell(application, key, a_ticket(), a_ticket(customer_id=6))
    assert both.get_json()["error"]["message"] == "signals[1].external_id: names a signal of another customer"
    assert rows_of(application, SignalRow) == []

    assert tell(application, key, a_ticket(customer_id=None, visitor_id="browser-1")).status_code == 200
    assert tell(application, key, a_ticket(external_id="t-2")).status_code == 200
    assert tell(application, key, a_ticket(external_id="t-2", customer_id=6)).status_code == 400
    assert [row.subject for row in rows_of(application, SignalRow)] == ["v:browser-1", "c:5"]


def test_every_kind_that_callers_may_tell_is_taken_with_every_field(application, key):
    told = [
        a_ticket(
            kind=name, external_id=f"x:{at}", value=kind.value_range and kind.value_range[1], order_id=2**62,
            product_id="gid://shopify/Product/7", reason="too_small", source="zendesk",
            customer_id="gid://shopify/Customer/5",
        )
        for at, (name, kind) in enumerate(SIGNALS.items())
        if kind.is_from_outside
    ]  # fmt: skip

    assert tell(application, key, *told).get_json() == {"accepted": len(told), "new": len(told)}
    kept = {
        (row.source, row.subject, row.order_id, row.product_id, row.reason) for row in rows_of(application, SignalRow)
    }
    assert kept == {("zendesk", "c:5", 2**62, 7, "too_small")}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"kind": "mood"}, "signals[1].kind: unknown"),
        ({"kind": "order_placed"}, "signals[1].kind: told by Shopify or by this app, never by callers"),
        ({"kind": "review", "value": 6}, "signals[1].value: must be 1 to 5"),
        ({"kind": "review"}, "signals[1].value: must be 1 to 5"),
        ({"kind": "review", "value": "NaN"}, "signals[1].value: "),
        ({"customer_id": None}, "signals[1].customer_id: exactly one of customer_id and visitor_id"),
        ({"visitor_id": "browser-1"}, "signals[1].customer_id: exactly one of customer_id and visitor_id"),
        ({"customer_id": "robin@example.com"}, "signals[1].customer_id: not a Customer id"),
        ({"customer_id": True}, "signals[1].customer_id: not a Customer id"),
        ({"occurred_at": "yesterday"}, "signals[1].occurred_at: must be an ISO 8601 time with its zone"),
        ({"occurred_at": "2026-11-01T10:00:00"}, "signals[1].occurred_at: must be an ISO 8601 time with its zone"),
        ({"occurred_at": "2999-11-01T10:00:00Z"}, "signals[1].occurred_at: is in the future"),
        ({"external_id": "robin@example.com"}, "signals[1].external_id: "),
        ({"external_id": "t-1\n"}, "signals[1].external_id: "),
        ({"reason": "Robin is angry"}, "signals[1].reason: "),
        ({"source": "shopify"}, "signals[1].source: "),
        ({"source": "derived"}, "signals[1].source: "),
        ({"source": "x" * 41}, "signals[1].source: "),
        ({"name": "Robin"}, "signals[1].name: Unknown field."),
    ],
)
def test_one_bad_signal_is_named_by_its_place_and_none_is_kept(application, key, given, complaint):
    answer = tell(application, key, a_ticket(), a_ticket(external_id="t-2") | given)

    assert answer.status_code in (400, 422)
    assert list(answer.get_json()) == ["error"]
    assert answer.get_json()["error"]["code"] == "invalid_signals"
    assert answer.get_json()["error"]["message"].startswith(complaint)
    assert "obin" not in answer.get_json()["error"]["message"]
    assert rows_of(application, SignalRow) == []


@pytest.mark.parametrize("body", [{}, {"signals": []}, {"signals": "x"}, [], {"signals": [a_ticket()], "shop": 1}])
def test_a_body_of_another_shape_is_refused(application, key, body):
    answer = application.test_client().post("/api/v1/signals", json=body, headers={"Authorization": f"Bearer {key}"})

    assert answer.status_code == 422
    assert answer.get_json()["error"]["code"] == "invalid_signals"
    assert rows_of(application, SignalRow) == []


def test_a_hundred_signals_are_taken_and_one_more_is_too_many(application, key):
    told = [a_ticket(external_id=f"t-{number}") for number in range(101)]

    assert tell(application, key, *told[:100]).status_code == 200
    assert tell(application, key, *told).get_json()["error"]["message"].startswith("signals: ")


def assert_refused(application, answer):
    assert answer.status_code == 401
    assert answer.get_json()["error"]["code"] == "invalid_signature"
    assert answer.headers["Cache-Control"] == "no-store"
    assert rows_of(application, SignalRow) == []


@pytest.mark.parametrize(
    "bend",
    [
        lambda key: None,
        lambda key: "",
        lambda key: "wpk_1_abc_def",
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key.upper(),
        lambda key: key + "x",
        lambda key: key.replace("wpk_", "wpk_9"),
        lambda key: key.replace("wpk_", "wpk_99999999999999999"),
    ],
)
def test_without_the_whole_key_nothing_is_told_and_the_body_is_not_even_read(application, key, bend):
    assert_refused(application, tell(application, bend(key), a_ticket()))
    headers = {"Authorization": f"Bearer {bend(key)}", "Content-Type": "application/json"}
    assert_refused(application, application.test_client().post("/api/v1/signals", data="{", headers=headers))


def test_a_key_speaks_for_its_own_shop_only(application, shops, key):
    foreign = re.sub(r"^wpk_[0-9]+", f"wpk_{shops[TWO]}", key)

    assert_refused(application, tell(application, foreign, a_ticket()))


def test_a_key_of_a_shop_that_left_is_refused(application, shops, key):
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.shop_id == shops[ONE]).values(state="uninstalled"))

    assert_refused(application, tell(application, key, a_ticket()))


def test_a_revoked_key_stops_at_once_and_others_go_on(application, command, key):
    second = command("signals", "key", "--shop", ONE, "--source", "gorgias").stdout.strip()

    done = command("signals", "revoke", "--shop", ONE, key.split("_")[2])

    assert done.exit_code == 0
    assert_refused(application, tell(application, key, a_ticket()))
    assert tell(application, second, a_ticket()).status_code == 200


def test_replacing_a_sources_key_revokes_its_others_and_nobody_elses(application, command, key):
    flow = command("signals", "key", "--shop", ONE, "--source", "flow").stdout.strip()
    fresh = command("signals", "key", "--shop", ONE, "--source", "gorgias", "--replace").stdout.strip()

    assert [tell(application, one, a_ticket()).status_code for one in (key, flow, fresh)] == [401, 200, 200]
    listed = command("signals", "keys", "--shop", ONE).stdout
    assert [line.split("\t")[1] for line in listed.splitlines()] == ["gorgias", "flow", "gorgias"]


def test_only_the_hash_of_a_key_is_kept(application, command, key):
    secret = key.split("_", 3)[3]

    assert len(secret) == 43
    assert secret not in str(rows_of(application, ApiKeyRow))
    assert secret not in command("signals", "keys", "--shop", ONE).stdout


@pytest.mark.parametrize("source", ["shopify", "wellpaired", "derived", "Gorgias", "a b", "x" * 41, ""])
def test_a_key_is_made_for_a_proper_source_only(application, command, source):
    assert command("signals", "key", "--shop", ONE, "--source", source).exit_code == 2
    assert rows_of(application, ApiKeyRow) == []


def test_who_is_on_hold_is_listed_with_the_reason(application, command, key):
    tell(
        application,
        key,
        a_ticket(),
        a_ticket(kind="review", external_id="r", value=2),
        a_ticket(customer_id=6, external_id="t-9"),
    )

    listed = command("signals", "customers", "--shop", ONE)

    assert [line.split("\t")[0::3] for line in listed.stdout.splitlines()] == [
        ["c:5", "open_ticket,low_review"], ["c:6", "open_ticket"],
    ]  # fmt: skip


def test_a_caller_who_asks_too_often_is_told_to_wait(database, shops, tmp_path, monkeypatch, command, key):
    monkeypatch.setattr(joined, "SURFACES", (signals_api.make_blueprint,))
    application = an_application(database, tmp_path, OFFER_RATE_PER_SECOND="1")

    answers = [tell(application, key, a_ticket()) for _ in range(8)]

    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert answers[-1].get_json()["error"]["code"] == "too_many_requests"


def test_the_route_is_described_for_machines(application):
    document = joined_api_document(application)

    body = document["paths"]["/api/v1/signals"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/SignalsBody")
    assert set(document["components"]["schemas"]["SignalBody"]["properties"]) == {
        "kind", "customer_id", "visitor_id", "occurred_at", "external_id", "source", "value", "order_id", "product_id",
        "reason",
    }  # fmt: skip


def joined_api_document(application):
    with application.test_request_context():
        return application.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict()


def test_the_manual_lists_every_kind_and_every_gate():
    text = DOCUMENT.read_text()

    assert [kind for kind, found in SIGNALS.items() if f"\n| `{kind}` | {found.meaning} |" not in text] == []
    assert [gate for gate, sentence in GATES.items() if f"\n| `{gate}` | {sentence} |" not in text] == []
