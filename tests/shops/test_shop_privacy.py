"""Compliance webhooks, and forgetting a whole shop."""

import logging
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from builders_database import NOW, add_shop
from builders_shops import KEYRING, a_delivery, a_token
from sqlalchemy import BigInteger, Boolean, DateTime, Float, Integer, LargeBinary, Table, func, insert, select
from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, ShopId, UnreadableFact
from shopify_upsell.database import Base, UtcDateTime
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.shops.erase import erase_shop, tables_of_tenants
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.privacy import record_customer_redaction, record_data_request, record_shop_redaction
from shopify_upsell.shops.store import (
    PrivacyRequestRow,
    complete_privacy_request,
    get_shop,
    mark_uninstalled,
    read_token,
)

for station in ("jobs", "inbox", "ledger", "customers", "matrix", "offers", "attribution"):
    import_module(f"shopify_upsell.{station}.store")

SHOP = {"shop_id": 954889, "shop_domain": "one.myshopify.com"}
CUSTOMER = {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"}
LATER = NOW + timedelta(days=2)


def deliver(shop_id: ShopId, topic: str, body: dict[str, Any], hours: float = 1) -> Any:
    return a_delivery(shop_id, topic, body, triggered_at=NOW + timedelta(hours=hours))


def requests_of(session: Session, shop_id: ShopId) -> list[tuple[str, str, str]]:
    rows = session.scalars(select(PrivacyRequestRow).where(PrivacyRequestRow.shop_id == shop_id))
    return [(row.kind, row.request_key, row.note) for row in rows]


def test_data_request_is_noted_and_announced_without_the_persons_address(session: Session, shop_id: ShopId) -> None:
    body = SHOP | {"customer": CUSTOMER, "orders_requested": [299938, 280263], "data_request": {"id": 9999}}

    announced = record_data_request(session, deliver(shop_id, "customers/data_request", body))
    record_data_request(session, deliver(shop_id, "customers/data_request", body))

    details = {"kind": "customers/data_request", "request_key": "9999", "order_ids": [299938, 280263]}
    assert announced == [Announcement("customer_data_requested", 191167, details)]
    assert requests_of(session, shop_id) == [("customers/data_request", "9999", "")]


def test_customer_redaction_is_announced_and_the_proof_does_not_name_the_customer(
    session: Session, shop_id: ShopId
) -> None:
    body = SHOP | {"customer": CUSTOMER, "orders_to_redact": [299938]}

    announced = record_customer_redaction(session, deliver(shop_id, "customers/redact", body))

    details = {"kind": "customers/redact", "request_key": "w-1", "order_ids": [299938]}
    assert announced == [Announcement("customer_redaction_requested", 191167, details)]
    assert requests_of(session, shop_id) == [("customers/redact", "w-1", "")]


def test_request_is_completed_once_with_what_was_found(session: Session, shop_id: ShopId) -> None:
    body = SHOP | {"customer": CUSTOMER, "data_request": {"id": 9999}}
    record_data_request(session, deliver(shop_id, "customers/data_request", body))
    request = ("customers/data_request", "9999")

    assert complete_privacy_request(session, shop_id, *request, completed_at=LATER, export="{}")
    assert not complete_privacy_request(session, shop_id, *request, completed_at=NOW, export="other")
    assert not complete_privacy_request(session, ShopId(shop_id - 1), *request, completed_at=LATER)

    row = session.scalars(select(PrivacyRequestRow)).one()
    assert (row.completed_at, row.export) == (LATER, "{}")


@pytest.mark.parametrize("record", [record_data_request, record_customer_redaction, record_shop_redaction])
@pytest.mark.parametrize("domain", ["two.myshopify.com", None, "evil.com", 7], ids=str)
def test_request_about_another_shop_than_its_header_names_is_unreadable_and_unnoted(
    session: Session, shop_id: ShopId, record: Any, domain: object
) -> None:
    body = {"shop_domain": domain, "customer": CUSTOMER, "data_request": {"id": 1}}

    with pytest.raises(UnreadableFact):
        record(session, deliver(shop_id, "x", body))

    assert requests_of(session, shop_id) == []
    assert get_shop(session, shop_id).state == "installed"


@pytest.mark.parametrize(
    "change",
    [
        {"customer": None},
        {"customer": {}},
        {"customer": {"id": True}},
        {"customer": {"id": 1.5}},
        {"customer": {"id": "x"}},
        {"customer": {"id": 2**63}},
        {"orders_to_redact": {"a": 1}},
        {"orders_to_redact": [None]},
        {"orders_to_redact": [1] * 10_001},
    ],
    ids=lambda change: str(change)[:40],
)
def test_redaction_that_names_no_customer_or_odd_orders_is_unreadable(
    session: Session, shop_id: ShopId, change: dict[str, Any]
) -> None:
    body = SHOP | {"customer": CUSTOMER, "orders_to_redact": [1]} | change

    with pytest.raises(UnreadableFact):
        record_customer_redaction(session, deliver(shop_id, "customers/redact", body))

    assert requests_of(session, shop_id) == []


def test_customer_without_orders_or_mail_can_be_forgotten(session: Session, shop_id: ShopId) -> None:
    body = SHOP | {"customer": {"id": "191167"}, "orders_to_redact": None}

    [announcement] = record_customer_redaction(session, deliver(shop_id, "customers/redact", body))

    assert (announcement.subject_id, announcement.details["order_ids"]) == (191167, [])


def test_shop_that_left_is_to_be_forgotten(session: Session, shop_id: ShopId) -> None:
    mark_uninstalled(session, shop_id, NOW)

    announced = record_shop_redaction(session, deliver(shop_id, "shop/redact", SHOP, hours=48))

    details = {"kind": "shop/redact", "request_key": "w-1", "install_epoch": 0}
    assert announced == [Announcement("shop_redaction_requested", shop_id, details)]
    assert requests_of(session, shop_id) == [("shop/redact", "w-1", "")]


def test_late_redaction_of_an_old_install_spares_the_new_one_and_is_logged(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    shop = install_shop(session, "one.myshopify.com", a_token(LATER), LATER, KEYRING)

    with caplog.at_level(logging.WARNING):
        announced = record_shop_redaction(session, deliver(shop.shop_id, "shop/redact", SHOP, hours=47))

    assert announced == []
    assert [note for _, _, note in requests_of(session, shop.shop_id)] == [
        "ignored: the shop was installed again after the request"
    ]
    assert [record.message for record in caplog.records] == ["late_redaction_ignored"]
    assert read_token(session, shop.shop_id) is not None


def test_shop_that_comes_back_between_request_and_erasure_is_spared(session: Session) -> None:
    shop = install_shop(session, "one.myshopify.com", a_token(NOW), NOW, KEYRING)
    mark_uninstalled(session, shop.shop_id, NOW)
    [announcement] = record_shop_redaction(session, deliver(shop.shop_id, "shop/redact", SHOP, hours=48))
    install_shop(session, "one.myshopify.com", a_token(LATER), LATER, KEYRING)

    erased = erase_shop(session, shop.shop_id, now=LATER, install_epoch=announcement.details["install_epoch"])

    assert not erased
    assert get_shop(session, shop.shop_id).state == "installed"
    assert read_token(session, shop.shop_id) is not None


def a_value(column: Any) -> Any:
    if isinstance(column.type, UtcDateTime | DateTime):
        return NOW
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, Integer | BigInteger | Float):
        return 1
    return b"x" if isinstance(column.type, LargeBinary) else f"{column.name}-x"


def add_row(session: Session, table: Table, shop_id: ShopId) -> None:
    """Insert a row with something in every column that must be filled."""
    values = {
        column.name: shop_id if column.name == "shop_id" else a_value(column)
        for column in table.columns
        if not column.nullable and column.name not in _counted_up(table)
    }
    session.execute(insert(table).values(values))


def _counted_up(table: Table) -> list[str]:
    column = table.autoincrement_column
    return [column.name] if column is not None and column.name != "shop_id" else []


def count(session: Session, table: Table, shop_id: ShopId) -> int:
    return session.scalar(select(func.count()).select_from(table).where(table.c.shop_id == shop_id)) or 0


def test_erasing_a_shop_empties_every_table_of_its_rows_and_of_no_others(session: Session, shop_id: ShopId) -> None:
    other = add_shop(session, "two.myshopify.com")
    tables = tables_of_tenants()
    session.execute(select(1))
    for table in reversed(tables):
        for owner in (shop_id, other):
            add_row(session, table, owner)
    for owner in (shop_id, other):
        row = PrivacyRequestRow(shop_id=owner, kind="customers/data_request", request_key="1", received_at=NOW)
        row.export = '{"orders": []}'
        session.add(row)
    session.flush()

    assert erase_shop(session, shop_id, now=LATER)

    assert {table.name for table in tables} >= {"shop_token", "job", "inbox_event", "sales_order", "product"}
    assert {table.name: count(session, table, shop_id) for table in tables} == dict.fromkeys(
        [table.name for table in tables], 0
    )
    assert {count(session, table, other) for table in tables} == {1}


def test_erased_shop_leaves_its_address_and_the_proof_that_it_was_erased(session: Session, shop_id: ShopId) -> None:
    salt = get_shop(session, shop_id).holdout_salt
    record_shop_redaction(session, deliver(shop_id, "shop/redact", SHOP, hours=48))
    session.add(
        PrivacyRequestRow(
            shop_id=shop_id, kind="customers/data_request", request_key="1", received_at=NOW, export="held of a person"
        )
    )
    session.flush()

    erase_shop(session, shop_id, now=LATER)

    shop = get_shop(session, shop_id)
    assert (shop.domain, shop.state, shop.currency, shop.scopes) == ("one.myshopify.com", "redacted", None, ())
    assert shop.holdout_salt != salt
    session.expire_all()
    rows = session.scalars(select(PrivacyRequestRow).order_by(PrivacyRequestRow.kind)).all()
    assert [(row.kind, row.export, row.completed_at) for row in rows] == [
        ("customers/data_request", None, LATER),
        ("shop/redact", None, LATER),
    ]


def test_the_job_that_erases_outlasts_its_own_work(session: Session, shop_id: ShopId) -> None:
    jobs = [
        JobRow(shop_id=shop_id, kind="k", dedupe_key=key, payload="{}", not_before=NOW, created_at=NOW)
        for key in ("erasing", "other")
    ]
    session.add_all(jobs)
    session.flush()

    erase_shop(session, shop_id, now=LATER, keep_job_id=jobs[0].job_id)

    assert session.scalars(select(JobRow.dedupe_key)).all() == ["erasing"]


def test_every_table_of_ours_belongs_to_a_tenant() -> None:
    assert {table.name for table in Base.metadata.sorted_tables if "shop_id" not in table.c} == set()
