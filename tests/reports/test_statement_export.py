"""The open export alone gives every number that the reports show."""

import csv
import json
import subprocess
import sys

import pytest
from builders_cli import Command
from builders_database import NOW, ROOT, add_shop
from builders_histories import KEYRING, a_token
from builders_orders import a_delivery, a_line, a_product, a_refund, a_refund_line, an_order, at
from sqlalchemy import insert, update

from shopify_upsell.attribution.journal import posting_totals
from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger import intake
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.reports.export import FILES, write_export
from shopify_upsell.reports.overview import read_overview
from shopify_upsell.reports.rebuild import main, read_export, rebuild
from shopify_upsell.reports.statement import lock_statements, monthly_statements
from shopify_upsell.shops.store import ShopRow

DECEMBER = at(60 * 24 * 40)


def sell(session, shop_id, order_id, lines, **given):
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order(order_id, lines, **given)))
    settle_order(session, shop_id, order_id, KEYRING)


def a_year(session, shop_id):
    """Orders in three currencies and two months, refunds, a locked month, a decision, touches, a product."""
    session.execute(update(ShopRow).where(ShopRow.shop_id == shop_id).values(time_zone="Asia/Tokyo"))
    intake.record_product(session, a_delivery(shop_id, "products/update", a_product()))
    intake.record_product_deletion(session, a_delivery(shop_id, "products/delete", {"id": 99}))
    intake.record_order_deletion(session, a_delivery(shop_id, "orders/delete", {"id": 98}))
    session.execute(
        insert(DecisionRow).values(
            shop_id=shop_id, decision_id="d" * 32, decided_at=NOW, placement="theme/product_page", unit="c:5",
            is_holdout=False, offer_count=1, engine_version="1", inputs="{}", answer='{"chosen":[{"offer_id":12}]}',
        )
    )  # fmt: skip
    touch = Touch("d" * 32, 12, 0, "click", "email/next_best", at(-60), unit="c:5", book="replenish", product_ids=(8,))
    record_touchpoint(session, shop_id, touch)
    sell(session, shop_id, 1, [
        a_line(11, quantity=2, price="20.00", discount="4.00", variant_id=2001, token=a_token(shop_id)),
        a_line(12, price="50.00", gift_card=True),
        a_line(13, quantity=2, price="6.00", current_quantity=1),
        a_line(14, product_id=8, price="3.00"),
    ], customer_id=5)  # fmt: skip
    sell(session, shop_id, 2, [a_line(21, price="12.00", tax="2.00")], taxes_included=True)
    sell(session, shop_id, 3, [a_line(31, price="5.00")], cancelled_at=at(3))
    sell(session, shop_id, 4, [a_line(41, price="900")], currency="JPY")
    sell(session, shop_id, 5, [a_line(51, price="1.234")], currency="KWD", ordered_at=DECEMBER)
    lock_statements(session, shop_id, "2026-11", now=DECEMBER)
    refund = a_refund(71, 1, [a_refund_line(11, 1, "18.00")], refunded_at=DECEMBER)
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    settle_order(session, shop_id, 1, KEYRING)
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order(6, ordered_at=DECEMBER)))


def test_an_export_adds_up_to_what_the_reports_say(session, shop_id, tmp_path):
    other = add_shop(session, "two.myshopify.com")
    sell(session, other, 1, [a_line(price="77.00")])
    a_year(session, shop_id)

    counts = write_export(session, shop_id, tmp_path)
    found = rebuild(read_export(tmp_path))

    assert found["statements"] == json.loads(
        json.dumps([statement.to_json() for statement in monthly_statements(session, shop_id)])
    )
    assert found["overview"] == read_overview(session, shop_id).to_json()
    assert {
        (p["currency"], p["credit_class"], p["book"], p["channel"]): p["amount_minor_units"] for p in found["postings"]
    } == {
        (total.currency, total.credit_class, total.book or "", total.channel or ""): total.amount
        for total in posting_totals(session, shop_id)
    }
    assert found["decisions"] == {"count": 1, "holdout_count": 0, "touchpoints": {"click": 1}}
    assert counts["order_lines.csv"] == 9
    assert [(part["month"], part["currency"], part["residual_minor_units"]) for part in found["statements"]] == [
        ("2026-11", "JPY", 0),
        ("2026-11", "USD", 0),
        ("2026-12", "KWD", 0),
        ("2026-12", "USD", 1000),
    ]
    assert found["statements"][3]["closing_minor_units"] == 1000 - 1800


def test_an_export_holds_digests_of_people_and_no_tokens(session, shop_id, tmp_path):
    a_year(session, shop_id)
    write_export(session, shop_id, tmp_path)

    def rows(name):
        with (tmp_path / name).open(newline="") as file:
            return list(csv.DictReader(file))

    (decision,), (touch,) = rows("decisions.csv"), rows("touchpoints.csv")
    customer = {row["order_id"]: row["customer_digest"] for row in rows("orders.csv")}
    assert decision["unit_digest"] == touch["unit_digest"] == customer["1"]
    assert (len(customer["1"]), customer["2"]) == (32, "")
    assert (decision["offer_ids"], touch["channel"], decision["is_holdout"]) == ("12", "email", "0")
    everything = "".join(path.read_text() for path in sorted(tmp_path.glob("*.csv")))
    for secret in ("c:5", "cart-1", "checkout-1", a_token(shop_id), "Robin", "salt-"):
        assert secret not in everything, secret


def test_every_file_is_explained():
    text = (ROOT / "docs" / "export.md").read_text()

    for file in FILES:
        assert f"`{file.name}`" in text
        for column in (*file.columns, *file.derived, *file.people):
            assert f"`{column}`" in text, (file.name, column)


def test_a_folder_that_is_no_export_is_refused(tmp_path, capsys):
    with pytest.raises(FileNotFoundError):
        read_export(tmp_path)
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_script_runs_without_a_database_and_the_command_writes_the_folder(database, tmp_path):
    with database.write() as session:
        shop_id = add_shop(session, "one.myshopify.com")
        bind_shop(session, shop_id)
        a_year(session, shop_id)
        expected = read_overview(session, shop_id).to_json()
    folder = tmp_path / "export"

    result = Command(database, tmp_path)("export", "--shop", "one.myshopify.com", "--out", folder)
    words = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": ""})

    assert "orders.csv: " in result.stdout
    assert done.returncode == 1, done.stderr[-2000:]  # one order was never settled
    assert json.loads(done.stdout)["overview"] == expected


SCRIPT = """
import sys
for name in ("sqlalchemy", "flask", "requests", "huey"):
    sys.modules[name] = None
from shopify_upsell.reports.rebuild import main
raise SystemExit(main(sys.argv[1:]))
"""
