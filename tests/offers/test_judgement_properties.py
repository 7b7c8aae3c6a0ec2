"""A hundred thousand random decisions: no promise is ever broken, bad news never helps, every decision replays.

SOAK=1 makes ten times as many.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from builders_offers import an_offer
from builders_worlds import GOLD, TROUBLES, World, a_world, visits
from judge import Diary, broken_promises, cool_offs, overspent

from shopify_upsell.core import OfferId
from shopify_upsell.customers.courtesy import spend
from shopify_upsell.customers.shopper import ANONYMOUS, in_order
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signals import SIGNALS, is_negative
from shopify_upsell.offers.candidate import Answer
from shopify_upsell.offers.codes import GATES, REJECTIONS
from shopify_upsell.offers.drawing import Drawn, draw
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.pipeline import decide_from
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.snapshot_json import answer_to_json, own_to_json, part_to_json, snapshot_from_parts

WORLDS, VISITS, STEPS = 2000 if os.environ.get("SOAK") else 200, 20, 25
FEW_WORLDS = 10
"""For what takes longer than deciding: shops whose decisions are made twice or more."""

REPLAYED_OF = 20
"""One decision in so many is written, read, and decided again."""

NEVER_IN_A_WORLD = {
    "no_anchor", "bundle_component_missing", "quiet_cancel", "quiet_payment", "quiet_policy", "quiet_accessibility",
    "quiet_order_tracking", "cap_shop_day", "budget_taken", "not_explored",
}  # fmt: skip
"""Codes that random worlds do not reach; each has cases in the tests of its rule."""

ENDS_THE_WAIT = {"delivered_late", "order_cancelled"}
"""Bad news that is news as well: the parcel is no longer under way. While it cools off nothing is shown."""


def lived(seed: int, world: World, step: int) -> Iterator[tuple[Snapshot, Answer, Diary, bool]]:
    """One visit: every snapshot with its answer, what was shown so far, and whether the page was a quiet one."""
    source, diary = Random(f"{seed}/{step}"), Diary()
    weeks, mine = visits(source, world, STEPS), {}
    snapshot, number = next(weeks)
    while True:
        answer = decide_from(snapshot, _drawn(world, snapshot, number, mine))
        yield snapshot, answer, diary, world.quiet[number]
        diary.write(snapshot.now, answer.chosen)
        courtesy = spend(snapshot.courtesy, [OfferId(one.offer_id) for one in answer.chosen], now=snapshot.now)
        try:
            snapshot, number = weeks.send(courtesy)
        except StopIteration:
            return


def _drawn(world: World, snapshot: Snapshot, number: int, mine: dict[int, Drawn]) -> Drawn:
    """What busy pages share; for somebody who owns things, what was drawn for them."""
    if not (world.has_personal_kinds and snapshot.owned):
        return world.drawn[number]
    if number not in mine:
        mine[number] = draw(snapshot)
    return mine[number]


@cache
def world_of(seed: int) -> World:
    return a_world(Random(seed))


def decisions(worlds: int) -> Iterator[tuple[Snapshot, Answer, Diary, bool]]:
    for seed in range(worlds):
        world = world_of(seed) if seed < FEW_WORLDS else a_world(Random(seed))
        for step in range(VISITS):
            yield from lived(seed, world, step)


def test_no_promise_is_broken_in_any_random_decision():
    codes, kinds, count, shown_count = Counter(), Counter(), 0, 0

    for snapshot, answer, diary, is_quiet in decisions(WORLDS):
        count += 1
        codes.update({one.code for one in answer.refused} | {one.code for one in answer.shared.rejections})
        cards = answer.chosen or answer.would_have_shown
        if not cards:
            continue
        shown_count += 1
        kinds.update(card.kind for card in cards)
        after = Diary([*diary.cards, *((snapshot.now, card.offer_id) for card in cards)])
        broken = [*broken_promises(snapshot, cards, is_quiet=is_quiet), *overspent(snapshot, after, cards)]
        assert not broken, (broken, cards, snapshot.now, snapshot.request)
        assert not (answer.is_holdout and answer.chosen)
        assert GOLD not in {item.product_id for card in cards for item in card.items}

    assert count == WORLDS * VISITS * STEPS
    assert shown_count > count / 10
    assert set(kinds) == set(KINDS)
    assert (REJECTIONS.keys() | GATES.keys()) - set(codes) <= NEVER_IN_A_WORLD


def test_every_decision_replays_from_its_stored_parts_to_the_same_bytes():
    for number, (snapshot, answer, _, _) in enumerate(decisions(FEW_WORLDS)):
        if number % REPLAYED_OF:
            continue
        texts = part_to_json(snapshot, "rulebook"), part_to_json(snapshot, "shelf"), own_to_json(snapshot)

        again = snapshot_from_parts(*texts)

        assert again == snapshot
        assert own_to_json(again) == texts[2]
        assert answer_to_json(decide_from(again)) == answer_to_json(answer)


def test_bad_news_never_makes_anything_shown_that_was_not_shown_before():
    source, tried, silenced = Random(7), 0, 0
    for snapshot, answer, _, _ in decisions(FEW_WORLDS):
        if snapshot.shopper is ANONYMOUS or source.random() > 0.3:
            continue
        kind = source.choice(sorted(set(SIGNALS) - ENDS_THE_WAIT))
        low = SIGNALS[kind].value_range[0] if SIGNALS[kind].value_range else None
        moment = snapshot.now - source.random() * 0.5 * (snapshot.now - snapshot.now.replace(year=2026, month=6))
        signal = Signal(kind, "c:5", moment, "test", source.choice("abcd"), low, source.choice([None, 1, 2]))
        if not is_negative(signal):
            continue
        told = replace(snapshot.shopper, signals=in_order([*snapshot.shopper.signals, signal]))

        worse = decide_from(replace(snapshot, shopper=told))

        before, after = answer.chosen + answer.would_have_shown, worse.chosen + worse.would_have_shown
        assert after in ((), before), signal
        tried, silenced = tried + 1, silenced + (after != before)

    assert tried > 150
    assert silenced > 10


@pytest.mark.parametrize("kind", TROUBLES)
def test_second_reading_of_the_registry_knows_every_trouble(kind):
    value = SIGNALS[kind].value_range[0] if SIGNALS[kind].value_range else None
    snapshot, _ = next(visits(Random(1), world_of(0), 1))
    trouble = Signal(kind, "c:5", snapshot.now, "test", "thing", value, 1)
    shopper = replace(ANONYMOUS, is_known=True, signals=(trouble,))

    found = list(cool_offs(replace(snapshot, shopper=shopper)))

    assert found
    assert all(begins == snapshot.now < ends for _, begins, ends in found)


def test_judge_sees_a_planted_fault():
    snapshot, cards = next(
        (snapshot, answer.chosen) for snapshot, answer, _, _ in decisions(1) if answer.chosen and not snapshot.discounts
    )
    item = cards[0].items[0].product_id
    gone = tuple(replace(one, is_available=False) for one in snapshot.products[item].variants)
    sold_out = {**snapshot.products, item: replace(snapshot.products[item], variants=gone)}

    assert list(broken_promises(snapshot, cards, is_quiet=False)) == []
    assert list(broken_promises(replace(snapshot, products=sold_out), cards, is_quiet=True))
    assert list(overspent(snapshot, Diary([(snapshot.now, an_offer(1).offer_id)] * 700), cards))
