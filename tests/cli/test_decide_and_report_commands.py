"""`decide` explains what would be shown and what was; `report` says what came of it and that it adds up."""

import json

import pytest
from builders_apps import parts_of
from builders_cli import Command, lines_of
from builders_offers import SOCKS, WAX, add_order, variant_id_of
from builders_surfaces import a_planted_application, a_visitor, ask_theme, count_rows
from sqlalchemy import select, update

from shopify_upsell.attribution.settle import settle_orders
from shopify_upsell.attribution.store import CreditRow
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.shops.store import ShopRow

ONE = ("--shop", "one.myshopify.com")


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


@pytest.fixture
def command(application, database, tmp_path):
    return Command(database, tmp_path)


def test_a_decision_is_made_and_neither_stored_nor_shown_to_anybody(command, application):
    result = command("decide", *ONE, "--product", 1)

    answer = json.loads(result.stdout)
    assert answer["is_holdout"] is False
    assert [(offer["kind"], offer["items"]) for offer in answer["offers"]] == [("cross_sell", ["Product 2"])]
    assert answer["rejected"] == 2
    assert count_rows(application, DecisionRow) == 0


def test_explain_says_what_is_shown_on_which_evidence_and_why_the_rest_is_not(command):
    result = command("decide", *ONE, "--product", 1, "--explain")

    text = result.stdout
    assert "  placement theme/product_page, anchors 1, matrix version 1\n" in text
    assert "Shown:\n" in text
    assert "(cross_sell), 20.00 USD: Shoppers buy both in one order far more often than chance explains.\n" in text
    assert "    1 x Product 2 [2] at 20.00 USD\n" in text
    assert "    30 of 60 orders with 1 also had 2 (confidence 0.500), 6.25 times what chance explains" in text
    assert "Not shown:\n" in text
    assert "  outranked (1): Another product of the same offer ranks higher.\n" in text
    assert f"product {WAX}, score 0.2\n" in text
    assert "  wrong_placement (1): The offer is not meant for this placement.\n" in text


def test_cart_customer_visitor_placement_and_limit_are_asked_with(command):
    in_cart = command("decide", *ONE, "--product", 1, "--cart", f"{variant_id_of(SOCKS)}:2", "--explain")
    cart = command("decide", *ONE, "--placement", "theme/cart", "--cart", variant_id_of(1))
    held_out = command("decide", *ONE, "--product", 1, "--visitor", a_visitor(held_out=True), "--explain")

    assert "already_in_cart (1): The product is in the cart already.\n" in in_cart.stdout
    assert "    1 x Product 3 [3] at 20.00 USD\n" in in_cart.stdout
    assert [offer["items"] for offer in json.loads(cart.stdout)["offers"]] == [["Product 2"]]
    assert "This shopper is in the holdout and never sees an offer." in held_out.stdout
    assert "Would have been shown:\n" in held_out.stdout


def test_a_shop_that_has_nothing_to_offer_says_so(command):
    result = command("decide", *ONE, "--product", 77, "--explain")

    assert "Nothing is shown.\n" in result.stdout
    assert "  no_evidence (1): Nothing is known that goes with this product" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["--cart", "x"], ["--cart", "1:"], ["--cart", "1:1:1:1"], ["--cart", "²"], ["--cart", "-1:1"],
        ["--limit", "0"], ["--limit", "7"], ["--product", "x"], ["--product", str(2**63)], ["--customer", "-1"],
        ["--visitor", "no spaces please"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_question_that_cannot_be_asked_ends_with_exit_code_2_and_no_trace(command, words):
    result = command("decide", *ONE, "--product", 1, *words)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_stored_decision_is_explained_and_replayed_to_the_same_answer(command, application):
    decision_id = ask_theme(application).get_json()["decision_id"]

    result = command("decide", *ONE, "--decision", decision_id)

    assert result.exit_code == 0
    assert lines_of(result.stdout)[0].startswith(f"Decision {decision_id} at ")
    assert "    1 x Product 2 [2] at 20.00 USD\n" in result.stdout
    assert lines_of(result.stdout)[-1] == "Replay: identical."


def test_a_stored_answer_that_its_inputs_do_not_give_is_said_to_differ(command, application):
    decision_id = ask_theme(application).get_json()["decision_id"]
    with parts_of(application).database.write() as session:
        answer = session.scalars(select(DecisionRow.answer)).one()
        session.execute(
            update(DecisionRow).values(
                answer=answer.replace(
                    '"total":{"minor_units":2000,"currency":"USD"}', '"total":{"minor_units":1999,"currency":"USD"}'
                )
            )
        )

    result = command("decide", *ONE, "--decision", decision_id)

    assert lines_of(result.stdout)[-1] == "Replay: DIFFERENT."


def test_a_decision_of_another_shop_is_not_found(command, application):
    decision_id = ask_theme(application, shop="two.myshopify.com").get_json()["decision_id"]

    result = command("decide", *ONE, "--decision", decision_id)

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "shopify-upsell: no such decision\n")


@pytest.fixture
def sold(application):
    """Two orders of this shop and one of another, all settled."""
    parts = parts_of(application)
    with parts.database.write() as session:
        shops = dict(session.execute(select(ShopRow.domain, ShopRow.shop_id)).all())
        for domain, orders in (("one.myshopify.com", (1, 2)), ("two.myshopify.com", (1,))):
            for order_id in orders:
                add_order(session, shops[domain], order_id, 1, 2)
            settle_orders(session, shops[domain], list(orders), parts.keyring)
    return shops["one.myshopify.com"]


def test_the_statement_adds_up_to_the_ledger_with_nothing_left_over(command, sold):
    result = command("report", "statement", *ONE)

    rows = {line[:38].strip(): line[38:].strip() for line in lines_of(result.stdout) if line.startswith("  ")}
    assert result.exit_code == 0
    assert "2026-11 USD (UTC): 2 orders, 0 of them not booked\n" in result.stdout
    assert (rows["Gross sales"], rows["Net revenue"]) == ("80.00", "80.00")
    assert (rows["unattributed"], rows["Not explained"]) == ("80.00", "0.00")
    assert lines_of(result.stdout)[-1].endswith("newest delivery handled never; 0 waiting.")


def test_the_statement_for_machines_has_minor_units_and_its_freshness(command, sold):
    document = json.loads(command("report", "statement", *ONE, "--json").stdout)

    (month,) = document["statements"]
    assert (month["month"], month["currency"], month["order_count"]) == ("2026-11", "USD", 2)
    assert (month["ledger_minor_units"], month["residual_minor_units"]) == (8000, 0)
    assert (month["direct_minor_units"], month["unattributed_minor_units"]) == (0, 8000)
    assert (document["freshness"]["newest_event_at"], document["freshness"]["waiting_events"]) == (None, 0)


def test_a_statement_that_does_not_add_up_says_how_much_and_fails(command, application, sold):
    with parts_of(application).database.write() as session:
        spoiled = update(CreditRow).where(CreditRow.shop_id == sold, CreditRow.order_id == 1, CreditRow.line_id == 101)
        session.execute(spoiled.values(amount_minor_units=1999))

    result = command("report", "statement", *ONE)

    assert result.exit_code == 1
    assert [line.split()[-1] for line in lines_of(result.stdout) if "Not explained" in line] == ["0.01"]
    assert command("report", "statement", "--shop", "two.myshopify.com").exit_code == 0


def test_a_month_can_be_asked_for(command, sold):
    assert "No orders in this period." in command("report", "statement", *ONE, "--month", "2026-10").stdout
    assert "2026-11 USD" in command("report", "statement", *ONE, "--month", "2026-11").stdout


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "november", "0000-01", "9999-12", "2026-11-01"])
def test_a_month_that_is_none_is_a_usage_error(command, month):
    result = command("report", "statement", *ONE, "--month", month)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected YYYY-MM" in result.stderr


def test_the_overview_counts_what_came_in_and_what_was_earned(command, sold):
    document = json.loads(command("report", "overview", *ONE, "--json").stdout)
    text = lines_of(command("report", "overview", *ONE).stdout)

    assert (document["products"], document["orders_ingested"], document["pairs_learned"]) == (4, 2, 2)
    assert (document["ledger_minor_units"], document["credited_minor_units"]) == (8000, 0)
    assert (document["live_offers"], document["events"], document["residual_minor_units"]) == (2, {}, 0)
    assert {"products: 4", "orders_ingested: 2", "ledger_minor_units: 8000"} <= set(text)


@pytest.mark.parametrize("words", [["report", "overview"], ["report", "statement"], ["decide", "--product", "1"]])
def test_a_shop_nobody_knows_is_one_line(command, words):
    result = command(*words, "--shop", "three.myshopify.com")

    (line,) = lines_of(result.stderr)
    assert (result.exit_code, result.stdout) == (2, "")
    assert line.startswith("shopify-upsell: no shop three.myshopify.com")
