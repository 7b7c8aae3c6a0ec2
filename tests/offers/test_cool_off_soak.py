"""Planted trouble: of all decisions made while somebody cools off, not one shows a card; a moment later cards return.

The table below is what the product promises, not what the registry says. SOAK=1 makes a million decisions.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import pytest
from builders_database import NOW
from builders_offers import BOOTS, a_cart, a_request, a_snapshot, an_offer
from builders_signals import a_shopper, days

from shopify_upsell.core import CustomerId
from shopify_upsell.customers.shopper import Shopper
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signals import SIGNALS
from shopify_upsell.offers.drawing import draw
from shopify_upsell.offers.pipeline import decide_from

DECISIONS = 1_000_000 if os.environ.get("SOAK") else 20_000
DECISIONS_OF_A_LIFE = 50
SECOND = timedelta(seconds=1)
FOR_EVER = days(100_000)

TROUBLES = [
    # kind, values, days of silence
    ("refunded", (None,), 14),
    ("order_cancelled", (None,), 14),
    ("delivered_late", (None,), 7),
    ("delivery_failed", (None,), 14),
    ("return_requested", (None,), 60),
    ("return_closed", (None,), 14),
    ("dispute_opened", (None,), 120),
    ("dispute_closed", (None,), 30),
    ("ticket_opened", (None,), 60),
    ("ticket_solved_unhappy", (None,), 14),
    ("review", (1.0, 2.0), 30),
    ("csat", (1.0, 2.0), 14),
    ("nps", (0.0, 3.0, 6.0), 30),
    ("subscription_payment_failed", (None,), 30),
    ("referral_shown", (None,), 1),
    ("preference_none", (None,), None),
]

RECOVERIES = {
    "ticket_opened": ("ticket_solved", None),
    "ticket_solved_unhappy": ("ticket_solved_happy", None),
    "delivery_failed": ("delivered", None),
    "return_requested": ("return_cancelled", None),
    "review": ("review", 5.0),
    "csat": ("csat", 5.0),
    "nps": ("nps", 10.0),
    "subscription_payment_failed": ("subscription_renewed", None),
    "preference_none": ("preference_lifted", None),
}
"""What ends a silence before its time."""


@dataclass(frozen=True)
class Life:
    """A customer with planted trouble, and when nobody may be asked because of it: from, until."""

    shopper: Shopper
    silences: tuple[tuple[datetime, datetime], ...]

    def is_silent(self, moment: datetime) -> bool:
        """Tell whether trouble forbids everything at a moment."""
        return any(begins <= moment < ends for begins, ends in self.silences)


def a_life(source: Random) -> Life:
    """One to three troubles within four months; a life with a single one may have its recovery."""
    count = source.choice([1, 1, 2, 3])
    signals, silences = [], []
    for number in range(count):
        kind, values, length = source.choice(TROUBLES)
        at = NOW - timedelta(seconds=source.randint(0, 120 * 86_400))
        trouble = Signal(kind, "c:5", at, "test", f"thing:{number}", source.choice(values), order_id=number)
        ends = at + (days(length) if length is not None else FOR_EVER)
        signals.append(trouble)
        if count == 1 and kind in RECOVERIES and source.random() < 0.5:
            recovery, value = RECOVERIES[kind]
            ends = min(ends, at + timedelta(seconds=source.randint(1, 40 * 86_400)))
            thing = "another" if kind == recovery else trouble.external_id
            signals.append(replace(trouble, kind=recovery, occurred_at=ends, external_id=thing, value=value))
        silences.append((at, ends))
    good = [Signal("repeat_order", "c:5", NOW - days(130), "derived", f"order:{n}", order_id=90 + n) for n in range(2)]
    return Life(a_shopper(*signals, *good), tuple(silences))


def moments(source: Random, life: Life) -> Iterator[datetime]:
    """Any moment of half a year, and those beside the edges of every silence."""
    edges = [edge + shift for silence in life.silences for edge in silence for shift in (-SECOND, 0 * SECOND, SECOND)]
    for _ in range(DECISIONS_OF_A_LIFE):
        if source.random() < 0.3:
            yield source.choice(edges)
        else:
            yield NOW - days(125) + timedelta(seconds=source.randint(0, 180 * 86_400))


def pleasures(moment: datetime) -> list[Signal]:
    """So much good news that no memory of one trouble outweighs it."""
    kinds = ("repeat_order", "quiz_done", "milestone", "account_created", "offer_accepted")
    return [Signal(kind, "c:5", moment, "test", "pleasure") for kind in kinds]


def the_questions():
    """One shop, asked at several places by somebody known; what busy pages share is drawn once."""
    places = ("theme/product_page", "theme/cart", "post_purchase/offer", "thank_you/page")
    offer = replace(an_offer(), placements=places)
    for place in places:
        request = a_request(placement=place, cart=a_cart(BOOTS), customer_id=CustomerId(5))
        template = a_snapshot(request=request, offers=(offer,))
        yield template, draw(template)


def test_no_card_is_shown_inside_a_planted_cool_off():
    source, questions = Random(2026), list(the_questions())
    told = Counter()
    for number in range(DECISIONS // DECISIONS_OF_A_LIFE):
        life = a_life(source)
        for moment in moments(source, life):
            template, drawn = source.choice(questions)
            answer = decide_from(replace(template, now=moment, shopper=life.shopper), drawn)
            told[life.is_silent(moment), bool(answer.chosen)] += 1
            assert not (answer.chosen and life.is_silent(moment)), (life, moment)
        if os.environ.get("SOAK") and number % 1000 == 999:
            sys.stderr.write(f"\r{told.total():>9,} decisions, {told[True, True]} cards inside a cool-off")
            sys.stderr.flush()

    assert told.total() == DECISIONS
    assert told[True, True] == 0
    assert told[True, False] > DECISIONS / 10
    assert told[False, True] > DECISIONS / 5


@pytest.mark.parametrize(("kind", "values", "length"), TROUBLES)
def test_silence_begins_and_ends_to_the_second(kind, values, length):
    template, drawn = next(the_questions())
    for value in values:
        trouble = Signal(kind, "c:5", NOW, "test", "thing", value, order_id=1)
        shopper = a_shopper(trouble, *pleasures(NOW - days(1)))

        def shows(moment, shopper=shopper):
            return bool(decide_from(replace(template, now=moment, shopper=shopper), drawn).chosen)

        assert shows(NOW - SECOND)
        assert not shows(NOW)
        if length is None:
            assert not shows(NOW + days(3000))
        else:
            assert not shows(NOW + days(length) - SECOND)


@pytest.mark.parametrize("kind", RECOVERIES)
def test_recovery_ends_the_silence_of_its_own_thing(kind):
    template, drawn = next(the_questions())
    recovery, value = RECOVERIES[kind]
    values = next(values for name, values, _ in TROUBLES if name == kind)
    trouble = Signal(kind, "c:5", NOW, "test", "thing", values[0], order_id=1)
    end = replace(trouble, kind=recovery, value=value, occurred_at=NOW + days(1), external_id="thing")
    if kind == recovery:
        end = replace(end, external_id="another")

    def shows(*signals):
        return bool(decide_from(replace(template, now=NOW + days(1), shopper=a_shopper(*signals)), drawn).chosen)

    assert not shows(trouble, *pleasures(NOW))
    assert shows(trouble, end, *pleasures(NOW))


def test_table_knows_every_kind_of_signal_that_silences():
    silencing = {name for name, kind in SIGNALS.items() if kind.opens or any(one.cool_off for one in kind.effects)}

    assert {kind for kind, _, _ in TROUBLES} == silencing
