"""Random lives of orders, told in any turn and any number of times, and whether credits kept adding up.

Comes in: a seed and a number of events. Goes out: how many events there were and what went wrong, which must be
nothing. An event is one thing Shopify says: an order's version, a refund of units, of part of a line or of an amount
alone, an edit up or down, a cancellation. Half of all lives are told out of turn, and many events twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from shopify_upsell.attribution.assisted import Assist
from shopify_upsell.attribution.credit import RESIDUAL, Credit, settle
from shopify_upsell.attribution.models.path import Path, PathTouch
from shopify_upsell.attribution.models.registry import CREDIT_MODELS, weigh_path
from shopify_upsell.attribution.postings import Account, Balance, FrozenPath, deltas, order_balances
from shopify_upsell.attribution.token import OfferClaim, TokenRefusal
from shopify_upsell.ledger.booked import BookedLine, BookedOrder, EditChange
from shopify_upsell.ledger.facts import EditFact, LineFact, OrderFact, RefundFact, RefundLineFact, Version
from shopify_upsell.ledger.revenue import book
from shopify_upsell.money import Money

ORDERED_AT = datetime(2026, 11, 1, 10, tzinfo=UTC)
CURRENCIES = ("USD", "JPY", "KWD")
CHANNELS = ("theme", "cart", "checkout", "post_purchase", "thank_you", "account", "email")

Event = OrderFact | RefundFact | EditFact


@dataclass
class Tally:
    """What was checked and what went wrong. `off_by_rounding`: credits that rounding each touch would not add up to."""

    events: int = 0
    unexplained: int = 0
    negative: int = 0
    raised: int = 0
    unposted: int = 0
    out_of_turn: int = 0
    credited: int = 0
    off_by_rounding: int = 0

    @property
    def violations(self) -> int:
        """Everything that must not happen."""
        return self.unexplained + self.negative + self.raised + self.unposted + self.out_of_turn


@dataclass
class Life:
    """What is known of one order so far, what is credited, and what was posted."""

    claims: dict[str, OfferClaim | TokenRefusal]
    assists: dict[int, Assist]
    paths: dict[tuple[int, str], FrozenPath]
    order: OrderFact | None = None
    refunds: dict[int, RefundFact] = field(default_factory=dict)
    edits: dict[int, EditFact] = field(default_factory=dict)
    held: dict[Account, Balance] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take in one thing that Shopify says."""
        if isinstance(event, RefundFact):
            self.refunds[event.refund_id] = event
        elif isinstance(event, EditFact):
            self.edits[event.edit_id] = event
        elif self.order is None or event.version > self.order.version:
            self.order = event

    def booked(self) -> BookedOrder | None:
        """The order as the ledger values it now."""
        if self.order is None:
            return None
        booking = book(self.order, refunds=self.refunds.values(), edits=self.edits.values(), is_deleted=False)
        lines = tuple(
            BookedLine(
                line_id=fact.line_id,
                position=fact.position,
                product_id=fact.product_id,
                variant_id=fact.variant_id,
                quantity=fact.quantity,
                net_quantity=booking.lines[fact.line_id].net_quantity,
                net_minor_units=booking.lines[fact.line_id].net,
                offer_token=fact.offer_token,
            )
            for fact in self.order.lines
        )
        edits = tuple(
            EditChange(edit.edit_id, line_id, delta, edit.committed_at)
            for edit in self.edits.values()
            for line_id, delta in edit.changes
        )
        return BookedOrder(
            1, ORDERED_AT, self.order.currency, booking.is_booked, 5, "cart", None, booking.residual, lines, edits
        )

    def credits(self, order: BookedOrder | None) -> list[Credit]:
        """What its lines are credited to now."""
        if order is None:
            return []
        winners = dict.fromkeys(self.claims, order.order_id)
        return settle(order, verdicts=self.claims, winners=winners, assists=self.assists)


def run_lives(events: int, seed: int) -> Tally:
    """Live orders until so many events were heard; check everything after each."""
    chance, tally = random.Random(seed), Tally()
    while tally.events < events:
        told = list(_life(chance))
        heard = [event for event in told for _ in range(chance.choice((1, 1, 1, 2)))]
        if chance.random() < 0.5:
            chance.shuffle(heard)
        claims, assists, paths = _claims(), _assists(chance), _paths(chance)
        life = Life(claims, assists, paths)
        for event in heard:
            _check(life, event, tally)
        in_turn = Life(claims, assists, paths)
        for event in told:
            in_turn.hear(event)
        tally.out_of_turn += life.credits(life.booked()) != in_turn.credits(in_turn.booked())
    return tally


def _check(life: Life, event: Event, tally: Tally) -> None:
    before = life.booked()
    were = life.credits(before)
    life.hear(event)
    after = life.booked()
    credits = life.credits(after)
    tally.events += 1
    worth = 0 if after is None else sum(line.net_minor_units for line in after.lines) + after.residual
    tally.unexplained += sum(credit.amount for credit in credits) != worth
    tally.negative += any(credit.amount < 0 for credit in credits if credit.credit_class != RESIDUAL)
    if isinstance(event, RefundFact) and before is not None and after is not None:
        tally.raised += _raised(before, after, were, credits)
    wanted = order_balances(credits, life.paths)
    for account, change in deltas(wanted, life.held):
        had = life.held.get(account, Balance())
        life.held[account] = Balance(had.quantity + change.quantity, had.amount + change.amount)
    tally.unposted += _sums(credits) != _posted(life.held)
    tally.negative += any(
        balance.amount < 0 for account, balance in life.held.items() if account.credit_class != RESIDUAL
    )
    _count_rounding(life, credits, tally)


def _raised(before: BookedOrder, after: BookedOrder, were: Sequence[Credit], are: Sequence[Credit]) -> bool:
    """Tell whether a refund raised a credit of a line that it did not make worth more."""
    worth = {line.line_id: line.net_minor_units for line in before.lines}
    fell = {line.line_id for line in after.lines if line.net_minor_units <= worth.get(line.line_id, 0)}
    had = {(credit.line_id, credit.credit_class): credit.amount for credit in were}
    return any(
        credit.line_id in fell and credit.amount > had.get((credit.line_id, credit.credit_class), 0) for credit in are
    )


def _sums(credits: Sequence[Credit]) -> dict[tuple[int, str], int]:
    found = {(int(credit.line_id), credit.credit_class): credit.amount for credit in credits}
    return {key: amount for key, amount in found.items() if amount}


def _posted(held: dict[Account, Balance]) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = {}
    for account, balance in held.items():
        key = (int(account.line_id), account.credit_class)
        found[key] = found.get(key, 0) + balance.amount
    return {key: amount for key, amount in found.items() if amount}


def _count_rounding(life: Life, credits: Sequence[Credit], tally: Tally) -> None:
    """How the usual way, each touch's float rounded by itself, would have done on the same credits."""
    for credit in credits:
        frozen = life.paths.get((int(credit.line_id), credit.credit_class))
        if frozen is None or not credit.amount:
            continue
        whole = sum(frozen.weights.weights)
        rounded = sum(round(credit.amount * weight / whole) for weight in frozen.weights.weights)
        tally.credited += 1
        tally.off_by_rounding += rounded != credit.amount


def _life(chance: random.Random) -> Iterator[Event]:
    """One order from placing to its end, in the turn it happened."""
    order = _placed(chance)
    yield order
    for step in range(1, chance.randrange(3, 12)):
        when = ORDERED_AT + timedelta(minutes=step)
        kind = chance.choice(("refund", "part", "amount", "up", "down", "down", "cancel", "again", "more"))
        if kind in ("refund", "part", "amount", "more"):
            yield _refund(chance, order, kind, step, when)
            continue
        if kind in ("up", "down"):
            line = chance.choice(order.lines)
            delta = 1 if kind == "up" else -1
            yield EditFact(900 + step, order.order_id, when, ((line.line_id, delta),))
            order = replace(order, lines=tuple(_edited(one, line, delta) for one in order.lines))
        if kind == "cancel" and chance.random() < 0.3:
            order = replace(order, cancelled_at=when)
        order = replace(order, version=Version(when, when, f"{step:03d}"))
        yield order


def _edited(line: LineFact, changed: LineFact, delta: int) -> LineFact:
    if line.line_id != changed.line_id:
        return line
    left = line.quantity if line.current_quantity is None else line.current_quantity
    if delta > 0:
        return replace(line, quantity=line.quantity + 1, current_quantity=left + 1)
    return replace(line, current_quantity=max(0, left - 1))


def _placed(chance: random.Random) -> OrderFact:
    lines = []
    for number in range(1, chance.randrange(2, 5)):
        quantity, price = chance.randrange(1, 5), chance.randrange(0, 9000)
        lines.append(
            LineFact(
                line_id=10 + number,
                position=number,
                product_id=7,
                variant_id=2001,
                quantity=quantity,
                current_quantity=quantity,
                unit_price=price,
                discount=chance.choice((0, 0, chance.randrange(0, 1 + quantity * price))),
                tax=chance.choice((0, price // 6)),
                is_gift_card=chance.random() < 0.05,
                offer_token=chance.choice((None, "good", "two", "dearer", "forged")),
            )
        )
    return OrderFact(
        order_id=1,
        version=Version(ORDERED_AT, ORDERED_AT, "000"),
        ordered_at=ORDERED_AT,
        cancelled_at=None,
        is_test=chance.random() < 0.03,
        financial_status="paid",
        source_name="web",
        currency=chance.choice(CURRENCIES),
        presentment_currency="USD",
        taxes_included=chance.random() < 0.5,
        customer_id=5,
        cart_token="cart",  # noqa: S106 - the name of a cart
        checkout_token=None,
        lines=tuple(lines),
    )


def _refund(chance: random.Random, order: OrderFact, kind: str, step: int, when: datetime) -> RefundFact:
    def text(units: int) -> str:
        return Money(units, order.currency).to_decimal_string()

    line = chance.choice(order.lines)
    worth = (line.quantity * line.unit_price - min(line.discount, line.quantity * line.unit_price)) // line.quantity
    lines: tuple[RefundLineFact, ...] = ()
    discrepancy = "0"
    if kind == "refund":
        lines = (RefundLineFact(line.line_id, 1, text(worth), "0"),)
    elif kind == "part":
        lines = (RefundLineFact(line.line_id, chance.randrange(2), text(chance.randrange(1 + worth)), "0"),)
        discrepancy = chance.choice(("0", text(chance.randrange(1 + worth)), text(-chance.randrange(1 + worth))))
    elif kind == "amount":
        discrepancy = text(-chance.randrange(1, 3000))
    else:
        lines = tuple(
            RefundLineFact(one.line_id, one.quantity, text(one.quantity * one.unit_price), "0") for one in order.lines
        )
    return RefundFact(700 + step, order.order_id, when, order.currency, discrepancy, lines)


def _claims() -> dict[str, OfferClaim | TokenRefusal]:
    good = OfferClaim(
        shop_id=1,
        decision_id="d" * 32,
        offer_id=12,
        variant_id=2001,
        max_quantity=9,
        expires_at=ORDERED_AT + timedelta(days=30),
        nonce="n",
        book="cross_sell",
        placement="theme/product_page",
    )
    return {
        "good": good,
        "two": replace(good, max_quantity=2),
        "dearer": replace(good, book="up_sell", replaced_unit_minor_units=1500),
        "forged": TokenRefusal("forged_token"),
    }


def _assists(chance: random.Random) -> dict[int, Assist]:
    assist = Assist(13, "e" * 32, "replenish", "email/next_best")
    return {line_id: assist for line_id in range(11, 15) if chance.random() < 0.5}


def _paths(chance: random.Random) -> dict[tuple[int, str], FrozenPath]:
    paths = {}
    for line_id in range(11, 15):
        count = chance.randrange(1, 6)
        touches = tuple(
            PathTouch(chance.choice(CHANNELS), "click", ORDERED_AT - timedelta(hours=count - place))
            for place in range(count)
        )
        path = Path(touches, ORDERED_AT)
        weights = weigh_path(chance.choice(sorted(CREDIT_MODELS)), path)
        for credit_class in ("direct", "assisted"):
            paths[line_id, credit_class] = FrozenPath(path, weights, "d" * 32)
    return paths
