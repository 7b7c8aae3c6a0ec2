"""Whatever happens to orders, in whatever turn it is told: credits add up, nothing is negative, the journal agrees.

SOAK=1 runs the long form: 100,000 events in memory and 100,000 in the database.
"""

import os
import random

from builders_histories import KEYRING, Told, a_token, delivery_of
from builders_orders import ORDERED_AT, a_line, a_refund, a_refund_line, an_edit, an_order, at
from sqlalchemy import text

from bench.measurement.attribution_events import run_lives
from shopify_upsell.attribution.credit import RESIDUAL
from shopify_upsell.attribution.journal import balances_of_orders
from shopify_upsell.attribution.months import uneven_orders
from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.attribution.store import credit_totals, credits_of_orders
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import OrderId
from shopify_upsell.database import bind_shop, is_postgresql
from shopify_upsell.ledger import intake
from shopify_upsell.ledger.store import ledger_totals
from shopify_upsell.money import Money
from shopify_upsell.reports.statement import monthly_statements

SOAK = bool(os.environ.get("SOAK"))
HANDLERS = {
    "orders/updated": intake.record_order,
    "orders/delete": intake.record_order_deletion,
    "orders/edited": intake.record_order_edit,
    "refunds/create": intake.record_refund,
}


def test_twenty_thousand_events_leave_nothing_unexplained_negative_or_raised():
    tally = run_lives(100_000 if SOAK else 20_000, seed=20261122)

    assert tally.events >= 20_000
    assert (tally.unexplained, tally.negative, tally.raised, tally.unposted, tally.out_of_turn) == (0, 0, 0, 0, 0)


def a_life(chance, shop_id, order_id):
    """What Shopify says of one order, in the turn it happens."""
    currency = chance.choice(["USD", "JPY", "KWD"])

    def amount(most):
        return Money(chance.randrange(1, most), currency).to_decimal_string()

    # Neighbours share tokens, so that one order's end moves another's credits.
    shared = [a_token(shop_id, nonce=f"{size} {order_id // size}") for size in (2, 8)]
    lines = [
        a_line(
            order_id * 10 + number,
            quantity=chance.randrange(1, 4),
            price=amount(9000),
            product_id=chance.choice([7, 8]),
            variant_id=2001,
            token=chance.choice([None, *shared]),
        )
        for number in range(1, chance.randrange(2, 4))
    ]
    about = {"currency": currency, "customer_id": chance.choice([None, 5]), "ordered_at": at(order_id)}
    yield Told("orders/updated", an_order(order_id, lines, updated_at=at(order_id), **about), 0)
    for step in range(1, chance.randrange(2, 6)):
        when = at(order_id + step)
        kind = chance.choice(["refund", "amount", "up", "down", "cancel", "delete"])
        line = chance.choice(lines)
        if kind == "refund":
            part = [a_refund_line(line["id"], 1, amount(2000))]
            refund = a_refund(order_id * 100 + step, order_id, part, refunded_at=when, currency=currency)
            yield Told("refunds/create", refund, step)
        if kind == "amount":
            refund = a_refund(order_id * 100 + step, order_id, paid=amount(3000), refunded_at=when, currency=currency)
            yield Told("refunds/create", refund, step)
        if kind in ("up", "down"):
            change = {line["id"]: 1}
            edit = {"added": change} if kind == "up" else {"removed": change}
            yield Told("orders/edited", an_edit(order_id * 1000 + step, order_id, committed_at=when, **edit), step)
            grown = {"quantity": line["quantity"] + 1, "current_quantity": line["current_quantity"] + 1}
            shrunk = {"current_quantity": max(0, line["current_quantity"] - 1)}
            line.update(grown if kind == "up" else shrunk)
            yield Told(
                "orders/updated", an_order(order_id, [dict(one) for one in lines], updated_at=when, **about), step
            )
        if kind == "cancel":
            yield Told(
                "orders/updated",
                an_order(order_id, [dict(one) for one in lines], updated_at=when, cancelled_at=when, **about),
                step,
            )
        if kind == "delete" and chance.random() < 0.3:
            yield Told("orders/delete", {"id": order_id}, step)


def history_of(chance, shop_id, events):
    """So many deliveries about a few dozen orders, a third of them twice, in no order."""
    told, order_id = [], 0
    while len(told) < events:
        order_id += 1
        for said in a_life(chance, shop_id, order_id):
            told += [said] * chance.choice([1, 1, 2])
    chance.shuffle(told)
    return told


def touch_everything(session, shop_id, chance):
    for number in range(40):
        touch = Touch(
            f"{number:032d}", 12, 0, chance.choice(["impression", "click"]),
            chance.choice(["theme/product_page", "theme/cart", "email/next_best", "account/orders"]),
            ORDERED_AT.replace(day=1, hour=chance.randrange(9)), unit=chance.choice(["c:5", "v:x"]),
            cart_token=f"cart-{chance.randrange(40)}", book=chance.choice(["cross_sell", "replenish", None]),
            product_ids=(chance.choice([7, 8]),),
        )  # fmt: skip
        record_touchpoint(session, shop_id, touch)


def check(session, shop_id):
    """Everything adds up, in every currency and every order."""
    ledger = {total.currency: total.ledger for total in ledger_totals(session, shop_id)}
    parts = credit_totals(session, shop_id)
    for currency, worth in ledger.items():
        assert sum(part.amount for part in parts if part.currency == currency) == worth
    assert all(part.amount >= 0 for part in parts if part.credit_class != RESIDUAL)
    assert uneven_orders(session, shop_id) == []
    assert all(found.residual_minor_units == 0 for found in monthly_statements(session, shop_id))


def sums_of_journal(session, shop_id, order_ids):
    found = {}
    for order_id, balances in balances_of_orders(session, shop_id, order_ids).items():
        for account, balance in balances.items():
            assert balance.amount >= 0 or account.credit_class == RESIDUAL
            key = (order_id, account.line_id, account.credit_class, account.decision_id)
            amount, quantity = found.get(key, (0, 0))
            found[key] = (amount + balance.amount, quantity + balance.quantity)
    return {key: sums for key, sums in found.items() if sums != (0, 0)}


def test_a_shop_s_deliveries_in_any_turn_add_up_and_the_journal_is_its_credits(session, shop_id):
    chance = random.Random(11)
    touch_everything(session, shop_id, chance)
    history = history_of(chance, shop_id, 100_000 if SOAK else 300)
    every = max(25, len(history) // 100)

    for number, said in enumerate(history):
        for announcement in HANDLERS[said.topic](session, delivery_of(shop_id, said)):
            if announcement.name == "order_recorded":
                settle_order(session, shop_id, OrderId(announcement.subject_id), KEYRING)
        if number in (1_000, 10_000, 50_000) and is_postgresql(session):
            # Outside one long transaction its autovacuum does this, and statements are planned for what is there.
            session.execute(text("ANALYZE"))
        if number % every == 0:
            check(session, shop_id)

    check(session, shop_id)
    order_ids = range(1, len(history))
    credits = {
        (order_id, part.line_id, part.credit_class, part.decision_id): (part.amount, part.quantity)
        for order_id, parts in credits_of_orders(session, shop_id, order_ids).items()
        for part in parts
        if (part.amount, part.quantity) != (0, 0)
    }
    assert sums_of_journal(session, shop_id, order_ids) == credits
    assert {part.credit_class for part in credit_totals(session, shop_id)} == {
        "direct", "assisted", "unattributed", "residual",
    }  # fmt: skip


def test_journals_of_one_history_in_two_turns_hold_the_same_balances(session, shop_id):
    chance = random.Random(5)
    touch_everything(session, shop_id, chance)
    history = history_of(chance, shop_id, 120)
    seen = []
    for deliveries in (history, list(reversed(history))):
        with session.begin_nested() as trial:
            bind_shop(session, shop_id)
            for said in deliveries:
                for announcement in HANDLERS[said.topic](session, delivery_of(shop_id, said)):
                    if announcement.name == "order_recorded":
                        settle_order(session, shop_id, OrderId(announcement.subject_id), KEYRING)
            seen.append(balances_of_orders(session, shop_id, range(1, 99)))
            trial.rollback()

    assert seen[0] == seen[1]
    assert len(seen[0]) > 5
